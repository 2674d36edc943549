//! What one client, or all of them, may ask of the server.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::{Bytes, Payload as Body};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use crate::problem::{Code, Problem};

/// Connections of one worker.
pub const CONNECTIONS_PER_WORKER_MAX: usize = 16_384;
/// Streams open at once.
pub const STREAMS_MAX: usize = 20_000;
/// Streams of OFREP's events open at once. They take no places from those of SDKs.
pub const EVENT_STREAMS_MAX: usize = 10_000;
/// The silence after which a stream of OFREP's events shows that it lives: most are of browsers, some on batteries.
pub const EVENTS_HEARTBEAT: Duration = Duration::from_secs(15);
/// How far OFREP's events on one stream are apart at least.
pub const EVENTS_APART: Duration = Duration::from_millis(100);
/// Over what time at most OFREP's events are spread where a token has many streams.
pub const EVENTS_SPREAD_MAX: Duration = Duration::from_secs(10);
/// How long an answer waits for what an event has told of.
pub const FRESH_WAIT: Duration = Duration::from_secs(2);
/// Followers of the events.
pub const FOLLOWERS_MAX: usize = 256;
/// Streams open at once with one token, unless an operator chooses another number.
pub const STREAMS_PER_TOKEN: usize = 10_000;
/// Requests a second with one token, unless an operator chooses another number.
pub const RATE_TOKEN: u32 = 10_000;
/// Requests a second from one address without a token, unless an operator chooses another number.
pub const RATE_ADDRESS: u32 = 100;
/// Requests a second from one address with what is no token.
pub const RATE_FAILURES: u32 = 5;
/// The silence after which a stream shows that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// The time that a client has to send the head of a request.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that a client has to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The time that a client has to send a long document.
pub const LONG_BODY_TIMEOUT: Duration = Duration::from_secs(120);
/// The time for which an idle connection is kept.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The time that a closing connection has to finish.
pub const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The time that requests in flight have to finish when the server stops.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections that wait to be accepted.
pub const BACKLOG: u32 = 4_096;
/// Bytes of a connection's answers that wait to be written, and of a piece that is added to them. Together they fit into the
/// buffer that each connection has anyway, so that a long answer makes none of them grow.
pub const WRITE_BUFFER: usize = 4 * 1024;
/// See [`WRITE_BUFFER`].
pub const PIECE_MAX: usize = 4_000;
/// How long a client may take nothing of what waits for it. Heartbeats wait for it, too, so a stream whose client does not read
/// ends by then.
pub const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A body of a command such as `start`, `enable` or `halt`, in bytes.
pub const COMMAND_BYTES_MAX: usize = 16 * 1024;

/// The body of an event of PagerDuty, in bytes.
pub const WEBHOOK_BYTES_MAX: usize = 256 * 1024;

/// How long a command that acts first waits for its reason.
pub const REASON_WAIT: Duration = Duration::from_millis(250);
/// Characters of a reason that a command which acts first takes; the rest is cut off.
pub const REASON_LENGTH_MAX: usize = 500;
/// How long the answer to a halt waits for clients to confirm it, unless somebody asks for another wait.
pub const CONFIRM_WAIT: Duration = Duration::from_millis(300);
/// Documents that are read, checked and applied at once, or wait for it.
pub const DOCUMENTS_MAX: usize = 64;
/// A document beyond this is a long one, in bytes: it has to tell its length.
pub const SHORT_DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Long documents that are received, read and applied at once: each may take hundreds of megabytes meanwhile.
pub const LONG_DOCUMENTS_MAX: usize = 2;
/// A notification of Alertmanager, in bytes.
pub const ALERTS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Long answers that are written at once, or wait for it.
pub const READS_MAX: usize = 512;
/// Flags that OFREP's bulk evaluates where requests are answered; more are evaluated elsewhere.
pub const INLINE_FLAGS_MAX: usize = 500;

/// A body of at most `MAX` bytes.
#[derive(Debug)]
pub struct Limited<const MAX: usize>(pub Bytes);

impl<const MAX: usize> FromRequest for Limited<MAX> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = receive(request, payload, MAX, BODY_TIMEOUT);
        Box::pin(async move { bytes.await.map(Self) })
    }
}

/// The length of a body, where the request tells it.
pub(crate) fn announced(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Receives a body of at most `max` bytes, within a time.
pub(crate) fn receive(
    request: &HttpRequest,
    payload: &mut Payload,
    max: usize,
    within: Duration,
) -> impl Future<Output = Result<Bytes, Problem>> + use<> {
    let announced = announced(request);
    let encoding = request.headers().get(CONTENT_ENCODING).cloned();
    let encoding = encoding.filter(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let body = Body::from_request(request, payload);
    async move {
        if announced.is_some_and(|length| length > max) {
            return Err(too_large(max));
        }
        if let Some(encoding) = encoding {
            let detail = format!("a body that is encoded ({encoding:?}) is not understood; send it as it is");
            return Err(Problem::new(Code::BadRequest, detail));
        }
        let body = body.await.map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?;
        match tokio::time::timeout(within, body.to_bytes_limited(max)).await {
            Ok(Ok(Ok(bytes))) => Ok(bytes),
            Ok(Ok(Err(error))) => {
                Err(Problem::new(Code::BadRequest, format!("the body could not be read to its end: {error}")))
            }
            Ok(Err(_)) => Err(too_large(max)),
            Err(_) => {
                let detail = format!("the body did not arrive within {} s; send it again", within.as_secs());
                Err(Problem::new(Code::BadRequest, detail))
            }
        }
    }
}

fn too_large(max: usize) -> Problem {
    let detail = format!("a body of this route has at most {max} bytes; send less, or several requests");
    Problem::new(Code::TooLarge, detail).with("limit", max)
}
