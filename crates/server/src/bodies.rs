//! Bodies as they come: none is longer than its route takes, and all of them together are bounded, too. Documents take no
//! room from reports, nor reports from evaluations.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, RETRY_AFTER};
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use futures_util::{StreamExt, TryFutureExt};

use crate::limits::{BODIES_BYTES_MAX, BODY_TIMEOUT, DOCUMENTS_BYTES_MAX, PAGES_BYTES_MAX, REPORTS_BYTES_MAX};
use crate::problem::{Code, Problem};
use crate::room::{Full, Room, Taken};

/// Bytes of a body that take no room: there are not more of them than connections, and most bodies have no others.
const FREE: usize = 4 * 1024;

/// Whose room a body takes: of documents, of reports, of notifications of pages, or of all others.
pub(crate) const DOCUMENTS: usize = 0;
/// See [`DOCUMENTS`].
pub(crate) const REPORTS: usize = 1;
/// See [`DOCUMENTS`].
pub(crate) const PAGES: usize = 2;
/// See [`DOCUMENTS`].
pub(crate) const OTHERS: usize = 3;

/// The room for bodies of each kind. A clone is the same room.
#[derive(Clone, Debug)]
pub(crate) struct Bodies([Room; 4]);

/// A body of at most `MAX` bytes, which takes room of `ROOM`. Keep what is taken as long as the body is in memory.
#[derive(Debug)]
pub struct Limited<const MAX: usize, const ROOM: usize = OTHERS>(pub Bytes, pub Taken);

impl Default for Bodies {
    fn default() -> Self {
        Self([DOCUMENTS_BYTES_MAX, REPORTS_BYTES_MAX, PAGES_BYTES_MAX, BODIES_BYTES_MAX].map(Room::new))
    }
}

impl<const MAX: usize, const ROOM: usize> FromRequest for Limited<MAX, ROOM> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Box::pin(receive(request, payload, (MAX, Some(ROOM)), BODY_TIMEOUT).map_ok(|(bytes, taken)| Self(bytes, taken)))
    }
}

/// The length of a body, where the request tells it.
pub(crate) fn announced(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Receives a body of at most `max` bytes, within a time. It takes room where it is said of which.
pub(crate) fn receive(
    request: &HttpRequest,
    payload: &mut Payload,
    (max, room): (usize, Option<usize>),
    within: Duration,
) -> impl Future<Output = Result<(Bytes, Taken), Problem>> + use<> {
    let announced = announced(request);
    let encoding = request.headers().get(CONTENT_ENCODING).cloned();
    let encoding = encoding.filter(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let bodies = request.app_data::<web::Data<Bodies>>();
    let taken = bodies.zip(room).map_or_else(Taken::default, |(bodies, room)| bodies.0[room].part());
    let payload = payload.take();
    async move {
        if announced.is_some_and(|length| length > max) {
            return Err(too_large(max));
        }
        if let Some(encoding) = encoding {
            let detail = format!("a body that is encoded ({encoding:?}) is not understood; send it as it is");
            return Err(Problem::new(Code::BadRequest, detail));
        }
        in_time(within, read(payload, max, taken)).await.unwrap_or_else(|| {
            let detail = format!("the body did not arrive within {} s; send it again", within.as_secs());
            Err(Problem::new(Code::BadRequest, detail))
        })
    }
}

/// What comes of some work, if that does not take too long. A body that comes with its head is there when it is asked for the second
/// time: for what is, no timer is set.
async fn in_time<F: Future>(within: Duration, work: F) -> Option<F::Output> {
    let (mut work, mut asked) = (pin!(work), false);
    let soon = poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if std::mem::replace(&mut asked, true) => Poll::Ready(None),
        Poll::Pending => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match soon.await {
        Some(done) => Some(done),
        None => tokio::time::timeout(within, work).await.ok(),
    }
}

/// Reads a body to its end.
async fn read(mut payload: Payload, max: usize, mut taken: Taken) -> Result<(Bytes, Taken), Problem> {
    let (mut whole, mut parts) = (Bytes::new(), BytesMut::new());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(Code::BadRequest, format!("the body could not be read to its end: {error}"))
        })?;
        let length = whole.len() + parts.len() + chunk.len();
        if length > max {
            return Err(too_large(max));
        }
        if length > FREE {
            taken.grow_to(length).map_err(|Full { most }| no_room(most))?;
        }
        // Most come in one piece, which need not be copied.
        if length == chunk.len() {
            whole = chunk;
        } else {
            parts.extend_from_slice(&std::mem::take(&mut whole));
            parts.extend_from_slice(&chunk);
        }
    }
    Ok((if parts.is_empty() { whole } else { parts.freeze() }, taken))
}

fn no_room(most: usize) -> Problem {
    let detail = format!("bodies of {most} bytes in all are being read, as many as may; send it again in a second");
    Problem::new(Code::Overloaded, detail).header(RETRY_AFTER, "1")
}

fn too_large(max: usize) -> Problem {
    let detail = format!("a body of this route has at most {max} bytes; send less, or several requests");
    Problem::new(Code::TooLarge, detail).with("limit", max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_does_not_come() {
        let within = Duration::from_secs(30);
        let after = |length| async move {
            tokio::time::sleep(length).await;
            length
        };
        assert_eq!(in_time(within, async { 7 }).await, Some(7));
        assert_eq!(in_time(within, async { tokio::task::yield_now().await }).await, Some(()));
        assert_eq!(in_time(within, after(within / 2)).await, Some(within / 2));
        assert_eq!(in_time(within, after(within * 2)).await, None);
        assert_eq!(in_time(within, std::future::pending::<()>()).await, None);
    }

    #[actix_web::test]
    async fn a_body_in_parts_is_whole() {
        let parts = |sizes: &[usize]| {
            let parts: Vec<_> = sizes.iter().map(|size| Ok(Bytes::from(vec![b'a'; *size]))).collect();
            Payload::from(Box::pin(futures_util::stream::iter(parts)) as actix_http::BoxedPayloadStream)
        };
        let room = Room::new(2 * FREE);
        let cases: [(&[usize], Result<usize, Code>); 8] = [
            (&[], Ok(0)),
            (&[3], Ok(3)),
            (&[1, 2, 3], Ok(6)),
            (&[FREE, FREE], Ok(2 * FREE)),
            (&[0, 5, 0], Ok(5)),
            (&[FREE, FREE, 1], Err(Code::Overloaded)),
            (&[3 * FREE, 1], Err(Code::Overloaded)),
            (&[5 * FREE], Err(Code::TooLarge)),
        ];
        for (sizes, expected) in cases {
            let read = read(parts(sizes), 4 * FREE, room.part()).await;
            let read = read.map(|(bytes, _)| bytes.len()).map_err(|problem| problem.code());
            assert_eq!(read, expected, "{sizes:?}");
        }
    }
}
