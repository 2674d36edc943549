//! From an accepted connection to its lane: the handshake, the first bytes, a place.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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

/// After what time one that has sent a part of an urgent request is looked at again, the first time; it doubles.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Up to that: as many may wait as there are places.
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(50);

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

/// Waits for the first bytes; of what is urgent, for the whole head. In the clear they stay where they are.
async fn meet(hall: &Hall, stream: TcpStream) -> io::Result<Met> {
    // An answer is not to wait for the next.
    stream.set_nodelay(true)?;
    let mut beginning = [0; BEGINNING];
    let (mut length, mut pause) = (0, LOOK_AGAIN);
    let Some(tls) = &hall.tls else {
        loop {
            length = more(length, stream.peek(&mut beginning).await?)?;
            if let Some(lane) = told(&beginning[..length]) {
                return Ok(Met::Plain(stream, lane));
            }
            // What is left where it is does not say that more has come.
            tokio::time::sleep(pause).await;
            pause = LOOK_AGAIN_MAX.min(pause * 2);
        }
    };
    let mut stream = Box::new(tls.accept(Seat::new(stream)).await?);
    loop {
        length += more(0, stream.read(&mut beginning[length..]).await?)?;
        if let Some(lane) = told(&beginning[..length]) {
            return Ok(Met::Tls(stream, Bytes::copy_from_slice(&beginning[..length]), lane));
        }
    }
}

/// As many bytes as there are now, where there were so many; an error where nobody is there any more.
fn more(before: usize, now: usize) -> io::Result<usize> {
    if now == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(now.max(before)) }
}

/// The lane of these bytes, once they tell it. The places of the urgent lane are few: whoever sends only the beginning of a head
/// waits with all others who have not said what they want.
fn told(beginning: &[u8]) -> Option<Lane> {
    let lane = Lane::of(beginning);
    let is_whole =
        || beginning.windows(2).any(|two| two == b"\n\n") || beginning.windows(4).any(|four| four == b"\r\n\r\n");
    (lane != Lane::Urgent || beginning.len() == BEGINNING || is_whole()).then_some(lane)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_3_half_a_halt_takes_no_place_of_a_whole_one() {
        let long = format!("PUT /api/v1/halt HTTP/1.1\r\nx: {}", "x".repeat(BEGINNING));
        let cases = [
            ("PUT /api/v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Len", None),
            ("PUT /api/v1/halt HTTP/1.1\r\nHost: localhost\r\n\r\n{\"reason\"", Some(Lane::Urgent)),
            ("PUT /api/v1/halt HTTP/1.1\nHost: localhost\n\n", Some(Lane::Urgent)),
            (&long[..BEGINNING], Some(Lane::Urgent)),
            ("PUT /api/v1/ha", Some(Lane::Common)),
            ("GET /api/v1/stream HTTP/1.1\r\n", Some(Lane::Streams)),
            ("GET /api/v1/runs HTTP/1.1\r\nHo", Some(Lane::Common)),
        ];
        for (beginning, expected) in cases {
            assert_eq!(told(beginning.as_bytes()), expected, "{beginning}");
        }
    }
}
