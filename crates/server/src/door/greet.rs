//! From an accepted connection to its lane: the handshake, the first bytes, a place.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::web::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::refuse::refuse;
use super::socket::{Parked, Seat};
use super::waiting::One;
use super::{Arrival, Hall, Lane};
use crate::limits::HEAD_TIMEOUT;

/// Bytes of a request that are looked at: method and path, and a long query with them.
const BEGINNING: usize = 2_048;

/// A connection that has said what it wants.
enum Met {
    Plain(TcpStream, Lane),
    Tls(Box<TlsStream<Seat>>, Bytes, Lane),
}

/// Greets somebody, beside all others.
pub(super) fn begin(hall: &Arc<Hall>, stream: TcpStream, peer: SocketAddr) {
    let (hall, mut one) = (Arc::clone(hall), hall.waiting.begin());
    tokio::spawn(async move {
        let met = tokio::select! {
            biased;
            met = tokio::time::timeout(HEAD_TIMEOUT, meet(&hall, stream)) => met,
            () = one.dismissed() => return,
        };
        match met {
            Ok(Ok(met)) => hall.seat(met, peer, one).await,
            // They went, or spoke no TLS.
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a connection ended before it asked for anything"),
            Err(_) => tracing::debug!(%peer, "a connection is closed, as it asks for nothing"),
        }
    });
}

/// Waits for the first bytes. In the clear they stay where they are.
async fn meet(hall: &Hall, stream: TcpStream) -> io::Result<Met> {
    // An answer is not to wait for the next.
    stream.set_nodelay(true)?;
    let mut beginning = [0; BEGINNING];
    let Some(tls) = &hall.tls else {
        let length = stream.peek(&mut beginning).await?;
        return Ok(Met::Plain(stream, Lane::of(some(&beginning[..length])?)));
    };
    let mut stream = Box::new(tls.accept(Seat::new(stream)).await?);
    let length = stream.read(&mut beginning).await?;
    let first = some(&beginning[..length])?;
    let lane = Lane::of(first);
    Ok(Met::Tls(stream, Bytes::copy_from_slice(first), lane))
}

fn some(bytes: &[u8]) -> io::Result<&[u8]> {
    if bytes.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

impl Hall {
    /// Hands a connection to a worker of its lane, or tells it to come again. Who is refused counts among those who wait until they
    /// have gone: not more of them hold a file.
    async fn seat(&self, met: Met, peer: SocketAddr, mut one: One) {
        let (Met::Plain(_, lane) | Met::Tls(_, _, lane)) = met;
        match self.places.crowded_by(lane) {
            0 => {}
            many => self.workers.close_idle(lane, many),
        }
        let Some(place) = self.places.take(lane) else {
            let refused = async {
                match met {
                    Met::Plain(stream, _) => refuse(stream, lane).await,
                    Met::Tls(stream, ..) => refuse(stream, lane).await,
                }
            };
            tokio::select! {
                biased;
                () = refused => {}
                () = one.dismissed() => {}
            }
            return;
        };
        let parked = match met {
            Met::Plain(stream, _) => Parked::plain(stream),
            Met::Tls(stream, first, _) => Parked::tls(stream, first),
        };
        match parked {
            Ok(socket) => self.workers.send(lane, Arrival { socket, peer, place }),
            Err(error) => tracing::debug!(%peer, %error, "a connection cannot be handed on"),
        }
    }
}
