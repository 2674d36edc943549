//! The server itself: sockets, workers, and how it stops.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::http::KeepAlive;
use daybreak_model::Millis;
use tokio::sync::oneshot;

use crate::app::{Shared, app};
use crate::limits;
use crate::telemetry;
use crate::tls::Tls;

/// How far clients spread their new connections when the server stops.
const RECONNECT_JITTER: Millis = Millis::from_secs(5);
/// The time for which the farewell may be on its way before connections are closed.
const FAREWELL: Duration = Duration::from_millis(200);
/// How long the store may take to tell of the last events.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// Serves on a listener until `shutdown` is ready, in the clear or with TLS; then tells clients to connect elsewhere,
/// and ends.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (control, closing) = (shared.control().clone(), shared.closing().clone());
    let farewell = async move {
        shutdown.await;
        tracing::info!("stopping: clients are told to connect again");
        control.shut_down(RECONNECT_JITTER);
        closing.close();
        tokio::time::sleep(FAREWELL).await;
    };
    let telemetry = shared.telemetry().clone();
    telemetry.metrics().begin(shared.control());
    let (serving, ended) = oneshot::channel::<()>();
    let follow = telemetry::follow(shared.control().clone(), telemetry, async { _ = ended.await });
    let mut follow = tokio::spawn(follow);
    let rates = shared.rates();
    let sweep = tokio::spawn(async move { rates.sweep().await });
    let config = tls.as_ref().map(Tls::config).transpose().map_err(io::Error::other)?;
    let server = HttpServer::new(move || app(&shared))
        .keep_alive(KeepAlive::Timeout(limits::KEEP_ALIVE))
        .client_request_timeout(limits::HEAD_TIMEOUT)
        .client_disconnect_timeout(limits::DISCONNECT_TIMEOUT)
        .tls_handshake_timeout(limits::HEAD_TIMEOUT)
        .max_connections(limits::CONNECTIONS_PER_WORKER_MAX)
        .backlog(limits::BACKLOG)
        .tcp_nodelay(true)
        .shutdown_timeout(limits::SHUTDOWN_TIMEOUT.as_secs())
        .shutdown_signal(farewell);
    let (server, watch) = match (config, tls) {
        (Some(config), Some(tls)) => (server.listen_rustls_0_23(listener, config)?, Some(tokio::spawn(tls.watch()))),
        _ => (server.listen(listener)?, None),
    };
    let served = server.run().await;
    sweep.abort();
    drop(serving);
    if tokio::time::timeout(LAST_EVENTS, &mut follow).await.is_err() {
        follow.abort();
    }
    watch.iter().for_each(tokio::task::JoinHandle::abort);
    served
}
