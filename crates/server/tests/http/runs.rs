//! Faults: start, stop, halt, and the refusals, over HTTP.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::Server;

/// A live client that passes the fixture's fault point.
pub(crate) fn report(sequence: u64) -> Json {
    json!({
        "client": "0123456789abcdef0123456789abcdef",
        "sequence": sequence,
        "service": "shop",
        "sdk": {"name": "daybreak-sdk", "version": "0.1.0"},
        "level": 1,
        "state": "streaming",
        "faults": {"allowed": true, "in_flight": 0},
        "operations": {"POST /checkout": {"requests": 5_000 * sequence, "open": 0}},
        "points": {"payment.gateway": {
            "passes": 5_000 * sequence, "requests": {"POST /checkout": 5_000 * sequence}, "permitted": true}},
    })
}

#[actix_web::test]
async fn a_run_from_start_to_stop() {
    let server = Server::start().await;
    for sequence in 1..=2 {
        server.post("/api/v1/reports", &report(sequence).to_string()).await.expect(200);
    }
    let before = server.everything().await;
    server.post("/api/v1/faults/slow/start?dry_run=true", "").await.expect(200);
    assert_eq!(server.everything().await, before);

    let body = r#"{"duration": "5m", "percentage": "1%", "hypothesis": "checkout falls back"}"#;
    let started = server.post("/api/v1/faults/slow/start", body).await.expect(201);
    let location = started.header("location").to_owned();
    let run = server.get(&location).await.expect(200).json();
    assert_eq!((&run["fault"], &run["percentage"], &run["active"]), (&json!("slow"), &json!("1%"), &json!(true)));
    assert_eq!(server.get("/api/v1/runs").await.expect(200).json()["runs"][0]["id"], run["id"]);

    let page = server.get(&format!("{location}/report")).await.expect(200);
    assert!(page.header("content-security-policy").contains("style-src 'unsafe-inline'"), "{:?}", page.headers);
    assert!(page.text.contains("checkout falls back"), "{}", page.text);

    let reply = server.post("/api/v1/reports", &report(3).to_string()).await.expect(200).json();
    assert_eq!(reply["runs"][0]["id"], run["id"], "{reply}");

    let busy = server.post("/api/v1/faults/slow/start", "").await.expect_problem(409, "not_admitted", "");
    assert!(busy.text.contains("point_busy"), "{}", busy.text);

    let revision = server.shared.control().position();
    server.post("/api/v1/faults/slow/stop", r#"{"reason": "seen enough"}"#).await.expect(200);
    assert!(server.shared.control().position() != revision);
    assert_eq!(server.get(&location).await.json()["active"], json!(false));
    let again = server.shared.control().position();
    server.post("/api/v1/faults/slow/stop", "").await.expect(200);
    assert_eq!(server.shared.control().position(), again, "what changes nothing makes no revision");
}

/// Also a stop of nothing is waited for, and tells what its request had wrong.
#[actix_web::test]
async fn a_stop_of_nothing_is_answered_as_any_other() {
    let server = Server::start().await;
    for sequence in 1..=2 {
        server.post("/api/v1/reports", &report(sequence).to_string()).await.expect(200);
    }
    let started = server.post("/api/v1/faults/slow/start", r#"{"percentage": "1%"}"#).await.expect(201);
    server.post("/api/v1/faults/slow/stop", "").await.expect(200);
    let mut has_it = report(3);
    has_it["position"] = json!(server.shared.control().position());
    server.post("/api/v1/reports", &has_it.to_string()).await.expect(200);
    for path in ["/api/v1/faults/slow", started.header("location")] {
        let again = server.post(&format!("{path}/stop?wait=30s"), "").await.expect(200).json();
        assert_eq!((&again["changed"], &again["ended"]), (&json!(false), &json!([])), "{again}");
        let reached = &again["reached"];
        assert_eq!((&reached["clients"], &reached["having"]), (&json!(1), &json!(1)), "{again}");
        let again = server.post(&format!("{path}/stop?wait=soon"), "").await.expect(200).json();
        assert_eq!((again["warnings"].as_array().map(Vec::len), &again["reached"]), (Some(1), &Json::Null), "{again}");
    }
}

/// What is told late of a run is no stray strike; what is struck when it is over is one, and a number that an alert looks at.
#[actix_web::test]
async fn strikes_after_a_conclusion_are_told_as_stray() {
    let server = Server::start().await;
    for sequence in 1..=2 {
        server.post("/api/v1/reports", &report(sequence).to_string()).await.expect(200);
    }
    let started = server.post("/api/v1/faults/slow/start", "").await.expect(201).json();
    let id = started["run"]["id"].clone();
    let strikes = async |sequence: u64, strikes: u64| {
        let mut report = report(sequence);
        let counts = json!({"requests": strikes, "settled": strikes, "struck": strikes, "strikes": strikes});
        report["arms"] = json!([{
            "run": id, "stage": 0, "arm": "treated", "operation": "POST /checkout", "counts": counts}]);
        server.post("/api/v1/reports", &report.to_string()).await.expect(200);
    };
    let pass = async |seconds: u64| {
        server.clock.advance(Duration::from_secs(seconds));
        server.shared.control().tick().await;
    };
    strikes(3, 5).await;
    server.post("/api/v1/faults/slow/stop", "").await.expect(200);
    pass(31).await;
    let run = server.get(&format!("/api/v1/runs/{}", id.as_str().unwrap())).await.expect(200).json();
    assert!(run["verdict"].is_string(), "{run}");
    // How many it has told by then, after so many seconds; and how many of them are stray.
    let cases = [(0, 6, 0), (41, 6, 0), (2, 6, 0), (2, 8, 2), (2, 11, 5)];
    for (sequence, (seconds, told, stray)) in (4..).zip(cases) {
        pass(seconds).await;
        strikes(sequence, told).await;
        let text = server.get("/metrics").await.expect(200).text;
        assert!(text.contains(&format!("\ndaybreak_injections_stray_total {stray}\n")), "{told}, not {stray}: {text}");
        assert!(text.contains("\ndaybreak_injections_total{fault=\"slow\"} 5\n"), "{text}");
    }
}

#[actix_web::test]
async fn a_start_is_refused_with_every_reason() {
    let server = Server::start().await;
    server.send("PUT", "/api/v1/halt", &[], "").await.expect(200);
    let refused = server.post("/api/v1/faults/slow/start", "").await.expect_problem(409, "not_admitted", "");
    let codes: Vec<_> =
        refused.json()["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].clone()).collect();
    assert!(codes.contains(&json!("halted")) && codes.contains(&json!("no_clients")), "{codes:?}");

    let cases = [
        (r#"{"percentage": "6%"}"#, 409, "percentage_raised"),
        (r#"{"duration": "11m"}"#, 409, "duration_raised"),
        (r#"{"percentage": "6"}"#, 400, "write `6%`"),
        (r#"{"duration": 600}"#, 400, "unit"),
        (r#"{"percent": "1%"}"#, 400, "unknown field `percent`"),
    ];
    for (body, status, why) in cases {
        let answer = server.post("/api/v1/faults/slow/start", body).await.expect(status);
        assert!(answer.text.contains(why), "{body}: {}", answer.text);
    }
    server.post("/api/v1/faults/nowhere/start", "").await.expect_problem(404, "not_found", "nowhere");
    server.post("/api/v1/faults/nowhere/stop", "").await.expect_problem(404, "not_found", "nowhere");
}

#[actix_web::test]
async fn halt_and_lift() {
    let server = Server::start().await;
    assert_eq!(server.get("/api/v1/halt").await.expect(200).json()["halted"], json!(false));
    let halted = server.send("PUT", "/api/v1/halt", &[], r#"{"reason": "enough"}"#).await.expect(200).json();
    assert_eq!((&halted["halted"], &halted["reason"]), (&json!(true), &json!("enough")), "{halted}");
    assert_eq!(halted["changed"], json!(true), "{halted}");
    let again = server.send("PUT", "/api/v1/halt?wait=30s&more", &[], "").await.expect(200).json();
    assert_eq!((&again["halted"], &again["changed"], &again["clients"]), (&json!(true), &json!(false), &json!(0)));
    let reply = server.post("/api/v1/reports", &report(1).to_string()).await.expect(200).json();
    assert_eq!(reply["halted"], json!(true), "{reply}");
    for _ in 0..2 {
        let lifted = server.send("DELETE", "/api/v1/halt", &[], "").await.expect(200).json();
        assert_eq!(lifted["halted"], json!(false), "{lifted}");
    }
}
