//! Invariant 9: bad input changes nothing, and nothing falls over.

use daybreak_model::limits::{CONTEXT_BYTES_MAX, DOCUMENT_BYTES_MAX, REPORT_BYTES_MAX};

use crate::harness::Server;

/// Every route that takes a body.
const TAKERS: [(&str, &str); 15] = [
    ("PUT", "/api/v1/flags/new"),
    ("PUT", "/api/v1/flags/plain"),
    ("PUT", "/api/v1/faults/slow"),
    ("PUT", "/api/v1/on-call/payments"),
    ("PATCH", "/api/v1/flags/plain"),
    ("PATCH", "/api/v1/hours/office"),
    ("POST", "/api/v1/apply"),
    ("POST", "/api/v1/apply?prune=true"),
    ("POST", "/api/v1/flags/plain/evaluate"),
    ("POST", "/api/v1/flags/plain/disable"),
    ("POST", "/api/v1/faults/slow/start"),
    ("DELETE", "/api/v1/halt"),
    ("POST", "/api/v1/reports"),
    ("POST", "/ofrep/v1/evaluate/flags/plain"),
    ("POST", "/ofrep/v1/evaluate/flags"),
];

#[actix_web::test]
async fn invariant_9_broken_and_foreign_bodies_change_nothing() {
    let server = Server::start().await;
    let before = server.everything().await;
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let deep_object = format!("{}1{}", r#"{"context":"#.repeat(5_000), "}".repeat(5_000));
    let laughs = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\n\
                  d: &d [*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e]\n";
    let bodies: [&[u8]; 18] = [
        b"{",
        b"}",
        b"[1, 2, 3]",
        b"42",
        b"\"text\"",
        b"- a\n- b",
        b"a: b: c",
        b"\xff\xfe\x00",
        b"{\"default\": 7, \"nonsense\": true}",
        b"default: [on]\nrules: 12",
        b"percentage: 120",
        b"<html><body>404</body></html>",
        b"key=value&other=value",
        b"{\"context\": [1]}",
        b"{\"context\": {\"$reserved\": 1}}",
        deep.as_bytes(),
        deep_object.as_bytes(),
        laughs.as_bytes(),
    ];
    for (method, path) in TAKERS {
        for body in bodies {
            // OFREP's requests may hold fields that are not known yet.
            if path.starts_with("/ofrep") && body.starts_with(b"{\"default") {
                continue;
            }
            let sent = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            let answer = server.send(method, path, &[], body).await;
            assert!(answer.status.is_client_error(), "{method} {path} {sent}: {} {}", answer.status, answer.text);
            let why = answer.json();
            assert!(why["detail"].is_string() || why["errorDetails"].is_string(), "{method} {path} {sent}: {why}");
        }
    }
    assert_eq!(server.everything().await, before);
    server.get("/readyz").await.expect(200);
}

#[actix_web::test]
async fn invariant_9_a_body_that_is_too_large_changes_nothing() {
    let server = Server::start().await;
    let before = server.everything().await;
    for (method, path) in TAKERS {
        let max = match path {
            "/api/v1/reports" => REPORT_BYTES_MAX,
            _ if path.contains("evaluate") => CONTEXT_BYTES_MAX,
            _ if path.ends_with("disable") || path.ends_with("start") || path.ends_with("halt") => 16 * 1024,
            _ => DOCUMENT_BYTES_MAX,
        };
        // Of the longest it is enough to tell its length.
        let (sent, told) = (if max < DOCUMENT_BYTES_MAX { max + 1 } else { 1 }, (max + 1).to_string());
        let answer = server.send(method, path, &[("content-length", &told)], vec![b' '; sent]).await;
        let answer = answer.expect_problem(413, "too_large", &max.to_string());
        assert_eq!(answer.json()["limit"], max, "{path}");
    }
    assert_eq!(server.everything().await, before);
}

/// A segment of so many ids that it is longer than what needs no length; and what is told of it.
#[actix_web::test]
async fn a_segment_of_many_ids() {
    const IDS: usize = 250_000;
    let server = Server::start().await;
    let segment = |ids: usize| {
        let ids: Vec<String> = (0..ids).map(|number| format!("customer-{number:010}")).collect();
        serde_json::json!({"when": {"userId": {"in": ids}}})
    };
    let send = async |ids: usize| server.send("PUT", "/api/v1/segments/beta", &[], segment(ids).to_string()).await;
    let created = send(IDS).await.expect(201);
    assert!(created.text.len() < 2_000, "{}", created.text);
    assert!(created.text.contains("249990 more"), "{}", created.text);
    assert_eq!(server.get("/api/v1/segments/beta").await.expect(200).json(), segment(IDS));
    let answer = send(IDS + 1).await.expect(200);
    assert!(answer.text.len() < 4_000 && answer.text.contains("249991 more"), "{}", answer.text);
    // It does not change without a difference; and one that differs at its end alone differs.
    assert_eq!(send(IDS + 1).await.expect(200).json()["changed"], false);
    let history = server.get("/api/v1/segments/beta/history").await.expect(200);
    assert!(history.text.len() < 10_000, "{}", history.text.len());
    let revert = server.send("POST", "/api/v1/segments/beta/revert", &[], "").await;
    revert.expect_problem(404, "not_in_history", "too long for the history");
    let flag = "{default: off, rules: [{name: beta, when: {segment: beta}, serve: on}]}";
    server.send("PUT", "/api/v1/flags/f", &[], flag).await.expect(201);
    for (user, value) in [("customer-0000250000", true), ("customer-0000250001", false), ("customer-0000000000", true)]
    {
        let context = serde_json::json!({"context": {"userId": user}}).to_string();
        let answer = server.send("POST", "/api/v1/flags/f/evaluate", &[], context).await.expect(200);
        assert_eq!(answer.json()["value"], value, "{user}: {}", answer.text);
    }
}

#[actix_web::test]
async fn invariant_9_every_fault_of_a_document_is_named_with_its_place() {
    let server = Server::start().await;
    let before = server.everything().await;
    let body = "default: off\nrulez: []\nrules:\n  - { name: eu, when: { segment: vips }, serve: onn }\n  - { name: half, percentage: 120%, serve: on }\n";
    for (method, path) in [("PUT", "/api/v1/flags/new"), ("PATCH", "/api/v1/flags/plain")] {
        let answer = server.send(method, path, &[], body).await.expect_problem(422, "invalid", "");
        let problem = answer.json();
        let diagnostics = problem["diagnostics"].as_array().unwrap();
        let lines: Vec<_> = diagnostics.iter().filter_map(|diagnostic| diagnostic["line"].as_u64()).collect();
        for line in [2, 4, 5] {
            assert!(lines.contains(&line), "{method}: line {line} is missing in {problem}");
        }
        for diagnostic in diagnostics {
            assert!(diagnostic["column"].as_u64().is_some_and(|column| column > 0), "{diagnostic}");
            assert!(diagnostic["snippet"].as_str().is_some_and(|snippet| !snippet.is_empty()), "{diagnostic}");
        }
    }
    assert_eq!(server.everything().await, before);
}

/// What programs write is one line, and may be wrong in as many places as it has values.
#[actix_web::test]
async fn invariant_9_a_long_line_of_mistakes_is_answered_shortly() {
    let server = Server::start().await;
    let ids: Vec<_> = (0..2_000).map(|id| serde_json::json!({ "id": format!("user-ü-{id}") })).collect();
    let body = serde_json::json!({"when": {"userId": {"in": ids}}}).to_string();
    let answer = server.send("PUT", "/api/v1/segments/beta", &[], &*body).await.expect_problem(422, "invalid", "");
    assert!(answer.text.len() < 1_000_000, "{} bytes for a body of {}", answer.text.len(), body.len());
    let problem = answer.json();
    let diagnostics = problem["diagnostics"].as_array().unwrap();
    assert!(diagnostics.len() > 1_000, "{}", diagnostics.len());
    let snippet = diagnostics[500]["snippet"].as_str().unwrap();
    assert!(snippet.starts_with('…') && snippet.ends_with('…') && snippet.contains("user-ü-500"), "{snippet}");
}

/// `curl -d @flag.yaml` joins the lines of the file. The answer says so.
#[actix_web::test]
async fn curl_that_joined_the_lines_is_told() {
    let server = Server::start().await;
    let body = "default: offrules:  - name: eu    serve: on";
    server.send("PUT", "/api/v1/flags/new", &[], body).await.expect_problem(422, "invalid", "--data-binary @FILE");
}

/// What is encoded is not read as if it were not; and nobody waits for a body without end.
#[actix_web::test]
async fn invariant_9_what_is_not_spoken_here() {
    let server = Server::start().await;
    let before = server.everything().await;
    let flag = ("PUT", "/api/v1/flags/plain");
    for encoding in ["gzip", "br", "nonsense"] {
        let answer = server.send(flag.0, flag.1, &[("content-encoding", encoding)], "default: off").await;
        answer.expect_problem(400, "bad_request", encoding);
    }
    for (method, path) in [flag, ("PUT", "/api/v1/halt"), ("GET", "/api/v1/stream")] {
        let upgrade = [("connection", "upgrade"), ("upgrade", "WebSocket")];
        let answer = server.send(method, path, &upgrade, "").await;
        answer.expect_problem(400, "bad_request", "server-sent events");
    }
    assert_eq!(server.everything().await, before);
    server.send(flag.0, flag.1, &[("content-encoding", "identity")], "default: on").await.expect(200);
}
