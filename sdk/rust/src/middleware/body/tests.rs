#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Waker};

use bytes::Bytes;
use daybreak_model::wire::{Measure, Metric};
use daybreak_model::{Context, Good, Key, StatusBound};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

use super::Body;
use crate::faults::fixtures::{reply, report};
use crate::faults::{Faults, Settings, TestClock};
use crate::middleware::tower::DaybreakLayer;

const OPERATION: &str = "GET";
const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// What comes of a body, one after the other; then its end, or for ever nothing.
#[derive(Clone, Debug, Default)]
struct Script {
    frames: VecDeque<Piece>,
    /// What its hint says.
    exact: Option<u64>,
    hangs: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Data(&'static str),
    Trailers(&'static [(&'static str, &'static str)]),
    Fails,
}

use Piece::{Data, Fails, Trailers};

impl HttpBody for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Poller<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.frames.pop_front() {
            Some(Data(text)) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))),
            Some(Trailers(pairs)) => {
                let trailers =
                    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
                Poll::Ready(Some(Ok(Frame::trailers(trailers.collect::<HeaderMap>()))))
            }
            Some(Fails) => Poll::Ready(Some(Err(std::io::Error::other("it breaks off")))),
            None if self.hangs => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// Faults that count what requests of [`OPERATION`] come to: below 500 is good.
fn measured() -> Faults {
    let faults = Faults::with_clock(Settings::default(), Arc::new(TestClock::new()));
    let good = Good { status: Some(StatusBound(500)), latency: None };
    let measure = Measure { slo: Key::new("slo").unwrap(), revision: 1, operation: OPERATION.to_owned(), good };
    let mut reply = reply(&faults, Vec::new());
    reply.measures = vec![measure];
    faults.grant(&reply, faults.now());
    faults
}

/// What the only request came to.
fn came_to(faults: &Faults) -> &'static str {
    let counts = report(faults).slos.pop().map(|slo| slo.counts).unwrap_or_default();
    let count = |metric| counts.get(&metric).copied().unwrap_or_default();
    match [Metric::Settled, Metric::Error, Metric::Cancelled].map(count) {
        [0, 0, 0] => "open",
        [1, 0, 0] => "good",
        [1, 1, 0] => "error",
        [1, 0, 1] => "cancelled",
        other => panic!("{other:?}"),
    }
}

fn responding(
    faults: &Faults,
    response: impl Fn() -> Response<Script> + Clone + Send + Sync + 'static,
) -> impl tower_service::Service<Request<()>, Response = Response<Body<Script>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let handler = service_fn(move |_: Request<()>| std::future::ready(Ok::<_, Infallible>(response())));
    ServiceBuilder::new().layer(DaybreakLayer::new(faults)).service(handler)
}

fn response(status: u16, headers: &[(&'static str, &'static str)], body: Script) -> Response<Script> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body).unwrap()
}

/// A response of this status, these headers and these frames, asked for to its end unless it is dropped after so many.
struct Case {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    frames: &'static [Piece],
    dropped_after: Option<usize>,
    expected: &'static str,
}

const fn case(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    frames: &'static [Piece],
    dropped_after: Option<usize>,
    expected: &'static str,
) -> Case {
    Case { status, headers, frames, dropped_after, expected }
}

const TWO: &[Piece] = &[Data("abc"), Data("de")];
const LENGTH: (&str, &str) = ("content-length", "5");

const CASES: [Case; 22] = [
    case(200, &[], TWO, None, "good"),
    case(500, &[], TWO, None, "error"),
    case(200, &[], &[Data("abc"), Fails], None, "error"),
    case(200, &[], TWO, Some(2), "cancelled"),
    // All that was promised is out: nobody asks for more.
    case(200, &[LENGTH], TWO, Some(2), "good"),
    case(500, &[LENGTH], TWO, Some(2), "error"),
    case(200, &[LENGTH], TWO, Some(1), "cancelled"),
    case(200, &[LENGTH], TWO, Some(0), "cancelled"),
    case(304, &[LENGTH], &[], Some(0), "good"),
    case(204, &[], &[], Some(0), "good"),
    // In trailers.
    case(200, &[GRPC], &[Data("abc"), Trailers(&[("grpc-status", "0")])], None, "good"),
    case(200, &[GRPC], &[Data("abc"), Trailers(&[("grpc-status", "0")])], Some(2), "good"),
    case(200, &[GRPC], &[Data("abc"), Trailers(&[("grpc-status", "13")])], Some(2), "error"),
    case(200, &[GRPC], &[Trailers(&[("grpc-status", "14"), ("grpc-message", "away")])], None, "error"),
    case(200, &[GRPC], &[Trailers(&[("grpc-status", "5")])], None, "good"),
    case(200, &[GRPC], &[Data("abc"), Trailers(&[("checksum", "1")])], None, "error"),
    case(200, &[GRPC], &[Data("abc")], None, "error"),
    case(200, &[GRPC], &[Data("abc"), Trailers(&[("grpc-status", "0")])], Some(1), "cancelled"),
    case(200, &[GRPC, LENGTH], &[Data("abcde"), Trailers(&[("grpc-status", "2")])], None, "error"),
    // In the head, of a response without a body.
    case(200, &[GRPC, ("grpc-status", "4")], &[], None, "error"),
    case(200, &[GRPC, ("grpc-status", "16")], &[], None, "good"),
    // Others have trailers too.
    case(200, &[], &[Data("abc"), Trailers(&[("grpc-status", "13")])], None, "good"),
];

#[tokio::test]
async fn what_a_response_comes_to() {
    for Case { status, headers, frames, dropped_after, expected } in CASES {
        let faults = measured();
        let script = || Script { frames: frames.iter().cloned().collect(), exact: None, hangs: false };
        let service = responding(&faults, move || response(status, headers, script()));
        let answer = service.oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
        let mut body = answer.into_body();
        let mut poller = Poller::from_waker(Waker::noop());
        for _ in 0..dropped_after.unwrap_or(frames.len() + 1) {
            let _ = Pin::new(&mut body).poll_frame(&mut poller);
        }
        drop(body);
        assert_eq!(came_to(&faults), expected, "{status} {headers:?} {frames:?} {dropped_after:?}");
    }
}

#[test]
fn what_a_hint_promises_is_the_whole() {
    let faults = measured();
    let script = Script { frames: TWO.iter().cloned().collect(), exact: Some(5), hangs: true };
    let open = faults.open(|| crate::scope::RootRequest::new(OPERATION, Context::default()));
    let (head, body) = response(200, &[], script).into_parts();
    let mut body = Body::of_tower(body, open, &head, false);
    let mut poller = Poller::from_waker(Waker::noop());
    for expected in ["open", "good"] {
        let _ = Pin::new(&mut body).poll_frame(&mut poller);
        assert_eq!(came_to(&faults), expected);
    }
}

/// Serves one connection by hyper, and reads all that it answers.
async fn over_hyper(faults: &Faults, made: impl Fn() -> Response<Script> + Clone + Send + Sync + 'static) -> String {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let service = responding(faults, made);
    let serve = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        service.clone().oneshot(request.map(|_| ()))
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(server), serve);
    let served = tokio::spawn(connection);
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nte: trailers\r\n\r\n").await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    let _ = served.await.unwrap();
    text
}

/// What hyper asks of a body is its own affair: a response that went out whole is whole.
#[tokio::test]
async fn what_hyper_sends_whole_is_whole() {
    let script = |exact| Script { frames: TWO.iter().cloned().collect(), exact, hangs: false };
    /// The headers, what the hint says, and what the response ends in.
    type Case = (&'static [(&'static str, &'static str)], Option<u64>, &'static str);
    let cases: [Case; 3] = [(&[LENGTH], None, "abcde"), (&[], Some(5), "abcde"), (&[], None, "de\r\n0\r\n\r\n")];
    for (headers, exact, end) in cases {
        let faults = measured();
        let text = over_hyper(&faults, move || response(200, headers, script(exact))).await;
        assert!(text.ends_with(end), "{text}");
        assert_eq!(came_to(&faults), "good", "{headers:?} {exact:?}");
    }
}

#[tokio::test]
async fn what_hyper_cannot_send_whole_is_an_error() {
    let faults = measured();
    let script = || Script { frames: [Data("abc"), Fails].into(), exact: None, hangs: false };
    over_hyper(&faults, move || response(200, &[LENGTH], script())).await;
    assert_eq!(came_to(&faults), "error");
}

/// gRPC's trailers, as hyper sends them.
#[tokio::test]
async fn trailers_go_out_and_count() {
    for (code, expected) in [("0", "good"), ("13", "error")] {
        let faults = measured();
        let trailers: &'static [(&str, &str)] =
            if code == "0" { &[("grpc-status", "0")] } else { &[("grpc-status", "13")] };
        let script = move || Script { frames: [Data("abc"), Trailers(trailers)].into(), exact: None, hangs: false };
        let headers: &[_] = &[GRPC, ("trailer", "grpc-status")];
        let text = over_hyper(&faults, move || response(200, headers, script())).await;
        assert!(text.ends_with(&format!("grpc-status: {code}\r\n\r\n")), "{text}");
        assert_eq!(came_to(&faults), expected);
    }
}
