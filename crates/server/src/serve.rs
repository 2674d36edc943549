//! The server itself: how it opens its door, and how it stops.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use daybreak_model::Millis;
use tokio::sync::oneshot;

use crate::app::Shared;
use crate::door::Door;
use crate::limits;
use crate::telemetry;
use crate::tls::Tls;

/// How far clients spread their new connections when the server stops.
const RECONNECT_JITTER: Millis = Millis::from_secs(5);
/// The time for which the farewell may be on its way before connections are closed.
const FAREWELL: Duration = Duration::from_millis(200);
/// How long the store may take to tell of the last events.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// Serves on a listener until `shutdown` is ready, in the clear or with TLS, as many connections as there is room for; then
/// tells clients to connect elsewhere, and ends.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (control, closing, telemetry) = (shared.control(), shared.closing(), shared.telemetry());
    telemetry.metrics().begin(control);
    let config = tls.as_ref().map(Tls::config).transpose().map_err(io::Error::other)?;
    drop_who_does_not_read(&listener, limits::UNREAD_TIMEOUT)?;
    let door = Door::open(listener, &shared, config)?;
    let (serving, ended) = oneshot::channel::<()>();
    let follow = telemetry::follow(control.clone(), telemetry.clone(), async { _ = ended.await });
    let mut follow = tokio::spawn(follow);
    let rates = shared.rates();
    let sweep = tokio::spawn(async move { rates.sweep().await });
    let watch = tls.map(|tls| tokio::spawn(tls.watch()));

    shutdown.await;
    tracing::info!("stopping: clients are told to connect again");
    control.shut_down(RECONNECT_JITTER);
    closing.close();
    tokio::time::sleep(FAREWELL).await;
    door.close().await;

    sweep.abort();
    drop(serving);
    if tokio::time::timeout(LAST_EVENTS, &mut follow).await.is_err() {
        follow.abort();
    }
    watch.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

/// Has the system close connections whose other end takes nothing of what waits for it: a stream that nobody reads is not asked
/// for more, and so could not end by itself. Connections have it from the listener.
#[cfg(target_os = "linux")]
fn drop_who_does_not_read(listener: &TcpListener, after: Duration) -> io::Result<()> {
    let millis = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(listener, millis)?)
}

#[cfg(not(target_os = "linux"))]
fn drop_who_does_not_read(_: &TcpListener, _: Duration) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// A client of a listener, and the connection at its end.
    fn connected(after: Duration) -> io::Result<(TcpStream, TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        drop_who_does_not_read(&listener, after)?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (accepted, _) = listener.accept()?;
        Ok((client, accepted))
    }

    #[test]
    fn each_connection_has_it() {
        let (_client, accepted) = connected(limits::UNREAD_TIMEOUT).unwrap();
        let timeout = rustix::net::sockopt::tcp_user_timeout(&accepted).unwrap();
        assert_eq!(u128::from(timeout), limits::UNREAD_TIMEOUT.as_millis());
    }

    #[test]
    fn a_connection_ends_whose_other_end_lives_but_reads_nothing() {
        let (mut client, mut accepted) = connected(Duration::from_millis(300)).unwrap();
        // Should the system not end it, the write gives up as if there were no room.
        accepted.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        let refused = accepted.write_all(&vec![0; 64 * 1024 * 1024]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut, "{refused}");
        // And the client comes to know it, once it reads.
        assert!(client.read_to_end(&mut Vec::new()).is_err());
    }
}
