//! The door: it accepts every connection, looks at what it asks first, and hands it to the workers of its lane.
//!
//! A framework's workers take connections in turn, so whoever halts everything would wait behind all that evaluate, and
//! for ever where as many connections are open as may be. Here each lane has threads and places of its own: nothing
//! that comes in one of them waits for another, or takes its places. The door itself never stops accepting: what it
//! has no place for is told to come again.
//!
//! It reads no more than the first bytes, of what is urgent the head, and with TLS the handshake, on threads of its own. A
//! connection that says nothing is closed, the oldest first where there are many.

mod body;
mod greet;
mod lane;
mod link;
mod places;
mod refuse;
mod socket;
mod waiting;
mod worker;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub use body::Held;
pub(crate) use body::hold;
pub use lane::Lane;
pub(crate) use link::{Link, is_secure, local_address};
pub use places::Capacity;
pub(crate) use places::Places;

use crate::Shared;
use crate::limits::BACKLOG;
use waiting::Waiting;
use worker::Workers;

/// Threads that accept and shake hands.
const THREADS: usize = 2;
/// How long it waits where the system has no more files for it.
const EXHAUSTED: Duration = Duration::from_millis(20);
/// Idle connections that are closed at once where the system has no more files.
const CLOSED_AT_ONCE: usize = 64;

/// The door of a server, while it is open.
pub(crate) struct Door {
    runtime: Runtime,
    workers: Arc<Workers>,
    stopping: watch::Sender<bool>,
}

/// What every connection passes.
struct Hall {
    tls: Option<TlsAcceptor>,
    places: Places,
    waiting: Waiting,
    workers: Arc<Workers>,
}

impl Door {
    /// Opens it: from now on connections are taken, with TLS where there is a configuration of it.
    ///
    /// # Errors
    /// When the system has no threads for it, or cannot listen.
    pub(crate) fn open(listener: TcpListener, shared: &Shared, tls: Option<rustls::ServerConfig>) -> io::Result<Self> {
        let capacity = shared.capacity();
        let local = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        // The queue that the standard library asks for is short.
        rustix::net::listen(&listener, BACKLOG)?;
        let (stopping, _) = watch::channel(false);
        let tls = tls.map(|mut config| {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(config))
        });
        let workers = Arc::new(Workers::start(shared, local, tls.is_some(), &stopping)?);
        let places = Places::new(capacity, shared.telemetry().metrics().door.clone());
        let waiting = Waiting::new(capacity.waiting);
        let hall = Arc::new(Hall { tls, places, waiting, workers: Arc::clone(&workers) });
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("door").enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(accept(hall, listener));
        Ok(Self { runtime, workers, stopping })
    }

    /// Takes no more connections, lets requests under way end for a while, and closes what is left then.
    pub(crate) async fn close(self) {
        // With it go the listener, and whoever has not said what they want.
        self.runtime.shutdown_background();
        self.stopping.send_replace(true);
        self.workers.end().await;
    }
}

/// Accepts connections for ever.
async fn accept(hall: Arc<Hall>, listener: tokio::net::TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                greet::begin(&hall, stream, peer);
                if hall.waiting.is_crowded() {
                    // Whoever has come is listened to before the next may take their place.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if is_of_one(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted: the system has nothing left for it");
                hall.waiting.dismiss(CLOSED_AT_ONCE);
                // What is urgent is short, and never many.
                for lane in [Lane::Streams, Lane::Common] {
                    hall.workers.close_idle(lane, CLOSED_AT_ONCE);
                }
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Whether an error is of one connection alone, and the next may be accepted.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Somebody who has said what they want, on their way to a worker.
struct Arrival {
    socket: socket::Parked,
    peer: SocketAddr,
    place: places::Place,
}
