//! What acts first: halts and stops, whatever comes with them, and however much else is asked for.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Bytes;
use daybreak_server::app;
use serde_json::{Value as Json, json};

use crate::harness::Server;
use crate::runs::report;

const STOP: &str = "/api/v1/faults/slow/stop";

/// A server with a run, and its id.
async fn running() -> (Server, Json) {
    let server = Server::start().await;
    for sequence in 1..=2 {
        server.post("/api/v1/reports", &report(sequence).to_string()).await.expect(200);
    }
    let started = server.post("/api/v1/faults/slow/start", "").await.expect(201).json();
    (server, started["run"]["id"].clone())
}

/// Sends a command with any body, and reads the answer.
async fn command(server: &Server, path: &str, body: impl Into<Payload<BoxedBody>>) -> (u16, Json) {
    let method = if path.starts_with(STOP) { Method::POST } else { Method::PUT };
    let request = TestRequest::with_uri(path).method(method).insert_header(("host", "localhost")).to_request();
    let (request, _) = request.replace_payload(body.into());
    let response = call_service(&init_service(app(&server.shared)).await, request).await;
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&read_body(response).await).unwrap())
}

type BoxedBody = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, PayloadError>>>>;

fn body(chunks: Vec<Bytes>) -> Payload<BoxedBody> {
    let stream: BoxedBody = Box::pin(futures_util::stream::iter(chunks.into_iter().map(Ok)));
    Payload::Stream { payload: stream }
}

/// Invariant 3: no body keeps a halt or a stop from acting.
#[actix_web::test]
async fn invariant_3_any_body_will_do() {
    let cases: [(&[u8], Option<&str>, usize); 6] = [
        (b"", None, 0),
        (br#"{"reason": "gateway on fire"}"#, Some("gateway on fire"), 0),
        (b"gateway on fire", Some("gateway on fire"), 1),
        (b"{\"reason\": ", Some("{\"reason\":"), 1),
        (b"\xff\xfe", Some("\u{fffd}\u{fffd}"), 1),
        (&[b'x'; 20_000], Some(&"x".repeat(500)), 3),
    ];
    for (bytes, reason, warnings) in cases {
        for path in ["/api/v1/halt", STOP] {
            let (server, id) = running().await;
            let (status, answer) = command(&server, path, body(vec![Bytes::copy_from_slice(bytes)])).await;
            let warned = answer["warnings"].as_array().map_or(0, Vec::len);
            assert_eq!((status, &answer["ended"], warned), (200, &json!([id]), warnings), "{path}: {answer}");
            let run = server.get(&format!("/api/v1/runs/{}", id.as_str().unwrap())).await.json();
            assert_eq!((&run["active"], run["end_reason"].as_str()), (&json!(false), reason), "{path}: {run}");
            let events = server.get("/api/v1/events?kind=run.ended").await.json();
            assert_eq!(events["events"][0]["reason"].as_str(), reason, "{path}: {events}");
            assert!(path == STOP || server.get("/api/v1/halt").await.json()["reason"].as_str() == reason, "{answer}");
        }
    }
}

/// A stop that is waited for has stopped before: nobody is there to hear of it, and that is no mistake.
#[actix_web::test]
async fn a_stop_tells_how_far_it_has_come() {
    let (server, id) = running().await;
    let stopped = server.post("/api/v1/faults/slow/stop?wait=1ms&reason=enough", "").await.expect(200).json();
    assert_eq!((&stopped["ended"], &stopped["warnings"]), (&json!([id]), &json!(null)), "{stopped}");
    assert!(stopped["reached"]["summary"].is_string(), "{stopped}");
    let (server, _) = running().await;
    let unheeded = server.post("/api/v1/faults/slow/stop?wait=soon", "").await.expect(200).json();
    assert!(unheeded["warnings"][0].as_str().unwrap().contains("`wait`"), "{unheeded}");
}

/// Invariant 3: it has acted before it first looks at the body; and the body may never come.
#[actix_web::test]
async fn invariant_3_it_acts_before_it_reads() {
    for path in ["/api/v1/halt", STOP, "/api/v1/halt?reason=fire", "/api/v1/halt?nonsense=1"] {
        let (server, _) = running().await;
        let control = server.shared.control().clone();
        let never = futures_util::stream::poll_fn(move |_| {
            assert!(control.runs().iter().all(|run| !run.active));
            Poll::Pending
        });
        let never: BoxedBody = Box::pin(never);
        let (status, answer) = command(&server, path, Payload::Stream { payload: never }).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let warnings = answer["warnings"].to_string();
        assert!(warnings.contains("did not come within"), "{path}: {answer}");
        assert_eq!(warnings.contains("the query is not understood"), path.contains("nonsense"), "{path}: {answer}");
        assert_eq!(answer["reason"].as_str(), path.contains("fire").then_some("fire"), "{path}: {answer}");
    }
}

/// Invariant 3: halts, stops and reports are answered while everything else is stuck, and as much waits as may.
#[actix_web::test]
async fn invariant_3_a_flood_holds_up_no_halt() {
    let (server, id) = running().await;
    let (release, stuck) = mpsc::channel::<()>();
    let mut blocked = Vec::new();
    // Every thread for long answers is stuck, and every place to wait is taken.
    let stuck = std::sync::Arc::new(std::sync::Mutex::new(stuck));
    for _ in 0..daybreak_server::limits::READS_MAX {
        let (stuck, offload) = (std::sync::Arc::clone(&stuck), server.offload.clone());
        let wait = move || stuck.lock().unwrap().recv_timeout(Duration::from_secs(60)).is_ok();
        let mut waiting = Box::pin(async move { offload.compute(wait).await });
        poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
        blocked.push(waiting);
    }
    for path in ["/api/v1/flags", "/api/v1/runs", "/api/v1/clients", "/api/v1/export", "/api/v1/snapshot"] {
        let refused = server.get(path).await.expect_problem(503, "overloaded", "again");
        assert!(refused.header("retry-after").parse::<u32>().is_ok(), "{path}");
    }
    let reply = server.post("/api/v1/reports", &report(3).to_string()).await.expect(200).json();
    assert_eq!(reply["runs"][0]["id"], id);
    server.post(STOP, "").await.expect(200);
    assert_eq!(server.send("PUT", "/api/v1/halt", &[], "").await.expect(200).json()["halted"], json!(true));
    server.get("/healthz").await.expect(200);
    // Nobody is stuck for ever.
    drop(release);
    for waiting in blocked {
        waiting.await.unwrap();
    }
    server.get("/api/v1/runs").await.expect(200);
}

/// The answer to a halt waits a moment for those who confirm it.
#[actix_web::test]
async fn a_halt_says_who_confirmed() {
    let (server, _) = running().await;
    let halt = server.send("PUT", "/api/v1/halt", &[], "");
    let mut halt = std::pin::pin!(halt);
    let pending = poll_fn(|context| Poll::Ready(halt.as_mut().poll(context).is_pending())).await;
    assert!(pending);
    server.clock.advance(Duration::from_millis(5));
    server.post("/api/v1/reports", &report(3).to_string()).await.expect(200);
    let halted = halt.await.expect(200).json();
    assert_eq!((&halted["clients"], &halted["confirmed"]), (&json!(1), &json!(1)), "{halted}");
}
