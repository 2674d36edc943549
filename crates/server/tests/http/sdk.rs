//! The stream, the snapshot and reports.

use std::io::{Read, Write};
use std::pin::Pin;
use std::time::Duration;

use actix_web::body::{MessageBody, to_bytes};
use actix_web::test::{TestRequest, call_service, init_service};
use daybreak_control::{Actor, Precondition};
use daybreak_server::app;
use flate2::read::GzDecoder;
use flate2::write::GzDecoder as GzWriter;
use serde_json::json;
use std::future::poll_fn;

use crate::harness::Server;

/// Takes one frame off a stream. The pause is a limit for a test that fails, not one that passes.
async fn frame(body: &mut Pin<Box<impl MessageBody>>) -> Option<String> {
    let next = poll_fn(|context| body.as_mut().poll_next(context));
    let chunk = tokio::time::timeout(Duration::from_secs(60), next).await.expect("a frame")?;
    let Ok(bytes) = chunk else { panic!("the stream fails") };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    crate::truth::check_event(&text);
    Some(text)
}

#[actix_web::test]
async fn a_snapshot_then_changes_then_goodbye() {
    let server = Server::start().await;
    let control = server.shared.control().clone();
    let service = init_service(app(&server.shared)).await;
    let open = |last: Option<String>| {
        let request = TestRequest::get().uri("/api/v1/stream").insert_header(("host", "localhost"));
        match last {
            Some(last) => request.insert_header(("last-event-id", last)),
            None => request,
        }
        .to_request()
    };
    let response = call_service(&service, open(None)).await;
    let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream");
    assert!(header("cache-control").contains("no-cache"));
    assert_eq!(header("x-accel-buffering"), "no");
    let mut first = Box::pin(response.into_body());
    let start = control.position();
    let snapshot = frame(&mut first).await.unwrap();
    assert!(snapshot.starts_with(&format!("event: snapshot\nid: {start}\ndata: {{")), "{snapshot}");

    control.disable(daybreak_model::Kind::Flag, "plain", Precondition::None, Actor::default()).await.unwrap();
    let change = frame(&mut first).await.unwrap();
    assert!(change.starts_with(&format!("event: change\nid: {}\n", control.position())), "{change}");

    // Who comes back with a position gets what it missed, and nothing else.
    let mut resumed = Box::pin(call_service(&service, open(Some(start.to_string()))).await.into_body());
    assert_eq!(frame(&mut resumed).await.unwrap(), change);
    for foreign in ["0000000000000001:1", "nonsense", ""] {
        let mut anew = Box::pin(call_service(&service, open(Some(foreign.to_owned()))).await.into_body());
        assert!(frame(&mut anew).await.unwrap().starts_with("event: snapshot"), "{foreign}");
    }
    assert_eq!(control.open_streams(), 2);

    control.shut_down(daybreak_model::Millis::from_secs(5));
    server.shared.closing().close();
    for body in [&mut first, &mut resumed] {
        let goodbye = frame(body).await.unwrap();
        assert!(goodbye.starts_with("event: goodbye\n"), "{goodbye}");
        assert_eq!(frame(body).await, None, "the stream ends");
    }
    drop((first, resumed));
    assert_eq!(control.open_streams(), 0);
    server.get("/readyz").await.expect_problem(503, "not_ready", "");
}

#[actix_web::test]
async fn polling() {
    let server = Server::start().await;
    let polled = server.get("/api/v1/snapshot").await.expect(200);
    let snapshot = polled.json();
    assert_eq!(snapshot["environment"], json!("test"));
    assert!(snapshot["flags"]["plain"]["resource"].is_object(), "{snapshot}");
    assert!(snapshot.get("runs").is_none(), "runs are granted by lease alone");
    let tag = polled.header("etag").to_owned();
    server.send("GET", "/api/v1/snapshot", &[("if-none-match", &tag)], "").await.expect(304);
    server.post("/api/v1/flags/plain/disable", "").await.expect(200);
    server.send("GET", "/api/v1/snapshot", &[("if-none-match", &tag)], "").await.expect(200);
}

/// What is packed says the same, and only to who takes it.
#[actix_web::test]
async fn what_is_compressed() {
    let server = Server::start().await;
    let (control, service) = (server.shared.control().clone(), init_service(app(&server.shared)).await);
    let ask = |path: &str, encoding: &str| {
        let request = TestRequest::get().uri(path).insert_header(("host", "localhost"));
        request.insert_header(("accept-encoding", encoding)).to_request()
    };
    let plain = server.get("/api/v1/snapshot").await.expect(200);
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
    let packed = call_service(&service, ask("/api/v1/snapshot", "br, gzip")).await;
    let header = |name: &str| packed.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    assert_eq!((header("content-encoding").as_str(), header("vary").as_str()), ("gzip", "Accept-Encoding"));
    assert_eq!(header("etag"), format!("W/{}", plain.header("etag")));
    let tag = header("etag");
    let Ok(body) = to_bytes(packed.into_body()).await else { panic!("the body breaks off") };
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text);
    server.send("GET", "/api/v1/snapshot", &[("if-none-match", &tag)], "").await.expect(304);

    let stream = call_service(&service, ask("/api/v1/stream", "gzip")).await;
    assert_eq!(stream.headers().get("content-encoding").unwrap(), "gzip");
    let mut stream = Box::pin(stream.into_body());
    let mut decoder = GzWriter::new(Vec::new());
    control.disable(daybreak_model::Kind::Flag, "plain", Precondition::None, Actor::default()).await.unwrap();
    let ends = format!("id: {}\n", control.position());
    // Message by message: whatever came can be read, without what comes later.
    while !String::from_utf8_lossy(decoder.get_ref()).contains(&ends) {
        let next = poll_fn(|context| stream.as_mut().poll_next(context));
        let piece = tokio::time::timeout(Duration::from_secs(60), next).await.expect("a piece").unwrap();
        let Ok(piece) = piece else { panic!("the stream fails") };
        decoder.write_all(&piece).unwrap();
        decoder.flush().unwrap();
    }
    let text = String::from_utf8(decoder.get_ref().clone()).unwrap();
    assert!(text.starts_with("event: snapshot\n"), "{text}");
    assert!(text.contains(&format!("\ndata: {}\n\nevent: change\n", plain.text.trim_end())), "{text}");
}

#[actix_web::test]
async fn a_client_of_another_environment_is_refused() {
    let server = Server::start().await;
    let report = json!({
        "client": "0123456789abcdef0123456789abcdef", "sequence": 1, "service": "shop", "environment": "production",
        "sdk": {"name": "daybreak-sdk", "version": "0.1.0"}, "state": "streaming",
    });
    let refused = server.post("/api/v1/reports", &report.to_string()).await;
    refused.expect_problem(409, "other_environment", "check the URL");
}

/// Counters of many clients are long, so they come page by page.
#[actix_web::test]
async fn clients_come_page_by_page() {
    let server = Server::start().await;
    let ids = ["a", "b", "c"].map(|digit| digit.repeat(32));
    for id in &ids {
        let mut report = crate::runs::report(1);
        report["client"] = json!(id);
        server.post("/api/v1/reports", &report.to_string()).await.expect(200);
    }
    let read = async |query: String| {
        let answer = server.get(&format!("/api/v1/clients?{query}")).await.expect(200).json();
        let clients = answer["clients"].as_array().unwrap().iter().map(|client| client["client"].clone());
        (clients.collect::<Vec<_>>(), answer["next"].clone())
    };
    let [a, b, c] = ids.map(|id| json!(id));
    assert_eq!(read(String::new()).await, (vec![a.clone(), b.clone(), c.clone()], json!(null)));
    assert_eq!(read("limit=3".to_owned()).await.1, json!(null), "there are no more");
    assert_eq!(read("limit=2".to_owned()).await, (vec![a.clone(), b.clone()], b.clone()));
    let after = format!("limit=2&after={}", b.as_str().unwrap());
    assert_eq!(read(after).await, (vec![c.clone()], json!(null)));
    assert_eq!(read("summary".to_owned()).await, (vec![a, b, c], json!(null)));
}
