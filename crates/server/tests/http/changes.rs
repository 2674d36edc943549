//! Changes: what they answer, and under which conditions they are made.

use serde_json::json;

use crate::harness::Server;

#[actix_web::test]
async fn enable_and_disable_are_one_short_line_and_idempotent() {
    let server = Server::start().await;
    let start = server.shared.control().position().revision;
    let cases = [
        ("disable", "", false, true, start + 1),
        ("disable", "", false, false, start + 1),
        ("enable", r#"{"reason": "back again"}"#, true, true, start + 2),
        ("enable", "reason: YAML will do", true, false, start + 2),
    ];
    for (verb, body, enabled, changed, revision) in cases {
        let answer = server.post(&format!("/api/v1/flags/plain/{verb}"), body).await.expect(200);
        let json = answer.json();
        assert_eq!((&json["enabled"], &json["changed"]), (&json!(enabled), &json!(changed)), "{verb} {json}");
        assert!(answer.header("daybreak-revision").ends_with(&format!(":{revision}")), "{verb} {:?}", answer.headers);
        let value = server.post("/ofrep/v1/evaluate/flags/plain", "").await.json();
        assert_eq!(value["value"], json!(enabled), "{value}");
    }
    server.post("/api/v1/flags/nowhere/enable", "").await.expect_problem(
        404,
        "not_found",
        "there is no flag `nowhere`",
    );
}

#[actix_web::test]
async fn what_was_read_can_be_sent_back() {
    let server = Server::start().await;
    let paths = ["flags/new-checkout", "flags/layout", "segments/vip", "hours/office", "faults/slow"];
    for path in paths.map(|path| format!("/api/v1/{path}")) {
        let read = server.get(&path).await.expect(200);
        let sent = server.send("PUT", &path, &[("if-match", read.header("etag"))], read.text.clone()).await.expect(200);
        assert_eq!(sent.json()["changed"], json!(false), "{path}: {}", sent.text);
    }
    let export = server.get("/api/v1/export").await.expect(200);
    let applied = server.post("/api/v1/apply?prune=true", &export.text).await.expect(200);
    assert_eq!(applied.json()["changed"], json!(false), "{}", applied.text);
}

#[actix_web::test]
async fn put_patch_delete() {
    let server = Server::start().await;
    let put = server.send("PUT", "/api/v1/flags/fresh", &[], "default: off\n").await.expect(201);
    assert_eq!(put.json()["changed"], json!(true));
    let put = server.send("PUT", "/api/v1/flags/fresh", &[], r#"{"default": "on"}"#).await.expect(200);
    assert_eq!(put.json()["resource"]["default"], json!("on"), "{}", put.text);

    let patch = r#"{"rules": {"eu-pro": {"percentage": "50%"}, "acme": {"when": {"company": "acme"}, "serve": "on"}}}"#;
    let patched = server.send("PATCH", "/api/v1/flags/new-checkout", &[], patch).await.expect(200);
    assert!(patched.text.contains("50%") && patched.text.contains("acme"), "{}", patched.text);
    assert!(patched.text.contains("staff"), "rules that are not named stay: {}", patched.text);

    server.send("DELETE", "/api/v1/flags/fresh", &[], "").await.expect(200);
    server.get("/api/v1/flags/fresh").await.expect_problem(404, "not_found", "fresh");
    server.send("DELETE", "/api/v1/flags/fresh", &[], "").await.expect_problem(404, "not_found", "fresh");
    let used = server.send("DELETE", "/api/v1/hours/always", &[], "").await;
    used.expect_problem(409, "in_use", "the fault `slow`");
}

#[actix_web::test]
async fn preconditions() {
    let server = Server::start().await;
    let path = "/api/v1/flags/plain";
    let first = server.get(path).await.expect(200).header("etag").to_owned();
    server.post("/api/v1/flags/layout/disable", "").await.expect(200);
    assert_eq!(server.get(path).await.header("etag"), first, "another's change does not move it");
    server.post("/api/v1/flags/plain/disable", "").await.expect(200);
    let second = server.get(path).await.header("etag").to_owned();
    assert_ne!(first, second);

    let position = server.shared.control().position();
    assert_eq!(second, format!("\"{position}\""), "it names the store");
    let other = second.replace(&position.store.to_string(), "0000000000000008");
    let bare = format!("\"{}\"", position.revision);
    let weak = format!("W/{second}");
    let several = format!("{first}, {second}");
    let cases = [
        ("if-match", first.as_str(), 412),
        ("if-match", "\"not-a-revision\"", 412),
        // The same revision of another store, and of none.
        ("if-match", &other, 412),
        ("if-match", &bare, 412),
        ("if-match", "\"", 400),
        ("if-none-match", "*", 412),
        ("if-none-match", &second, 400),
        ("if-match", &several, 200),
        ("if-match", &weak, 200),
        ("if-match", "*", 200),
    ];
    for (name, value, status) in cases {
        let answer = server.send("PUT", path, &[(name, value)], "{default: on, enabled: false}").await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {value}: {}", answer.text);
    }
    let absent = [("if-match", "*", 412), ("if-match", "\"1\"", 412), ("if-none-match", "*", 201)];
    for (name, value, status) in absent {
        server.send("PUT", "/api/v1/flags/fresh", &[(name, value)], "default: on").await.expect(status);
    }
    let refused = server.send("DELETE", path, &[("if-match", &first)], "").await;
    let now = server.get(path).await.header("etag").to_owned();
    assert_eq!(refused.expect_problem(412, "precondition_failed", &now).header("etag"), now);
    server.send("GET", path, &[("if-none-match", &other)], "").await.expect(200);
    server.send("GET", path, &[("if-none-match", &second)], "").await.expect(304);
    server.send("GET", path, &[("if-none-match", &first)], "").await.expect(200);
}

#[actix_web::test]
async fn apply_is_all_or_nothing_and_can_be_tried() {
    let server = Server::start().await;
    let before = server.everything().await;
    let document = "flags:\n  one: { default: on }\n  two: { default: on }\n";
    let tried = server.post("/api/v1/apply?dry_run=true", document).await.expect(200);
    assert!(tried.text.contains("one") && tried.text.contains("two"), "{}", tried.text);
    assert_eq!(server.everything().await, before);

    let broken = "flags:\n  one: { default: on }\n  two: { default: maybe }\n";
    server.post("/api/v1/apply", broken).await.expect_problem(422, "invalid", "");
    assert_eq!(server.everything().await, before);

    let revision = server.shared.control().position().revision;
    server.post("/api/v1/apply", document).await.expect(200);
    assert_eq!(server.shared.control().position().revision, revision + 1, "one revision");
    server.get("/api/v1/flags/plain").await.expect(200);
}

/// Who exported, and applies what he made of it, does not undo what happened meanwhile.
#[actix_web::test]
async fn apply_can_ask_for_a_position() {
    let server = Server::start().await;
    let export = server.get("/api/v1/export").await.expect(200);
    let apply =
        async |tag: &str, document: &str| server.send("POST", "/api/v1/apply", &[("if-match", tag)], document).await;
    let document = "flags: { one: { default: on } }";
    apply(export.header("etag"), document).await.expect(200);
    let late = apply(export.header("etag"), "flags: { one: { default: off } }").await;
    let late = late.expect_problem(412, "precondition_failed", "export, and apply anew");
    assert_eq!(late.header("etag"), format!("\"{}\"", server.shared.control().position()));
    for (tag, status) in [("\"0000000000000001:1\"", 412), ("\"", 400), ("*", 200), (late.header("etag"), 200)] {
        apply(tag, document).await.expect(status);
    }
}

#[actix_web::test]
async fn evaluate_tells_why_and_why_not() {
    let server = Server::start().await;
    let body = r#"{"context": {"email": "ada@shop.example"}}"#;
    let answer = server.post("/api/v1/flags/new-checkout/evaluate", body).await.expect(200).json();
    assert_eq!(
        (&answer["variant"], &answer["reason"], &answer["rule"]),
        (&json!("on"), &json!("TARGETING_MATCH"), &json!("staff"))
    );
    let answer = server.post("/api/v1/flags/new-checkout/evaluate", "").await.expect(200).json();
    assert_eq!((&answer["variant"], &answer["reason"]), (&json!("off"), &json!("DEFAULT")), "{answer}");
    assert!(answer["trace"].to_string().contains("eu-pro"), "{answer}");
    server.post("/api/v1/flags/nowhere/evaluate", "").await.expect_problem(404, "not_found", "nowhere");
    let bad = server.post("/api/v1/flags/plain/evaluate", "context: { targetingKey: [1] }").await;
    bad.expect_problem(400, "invalid_context", "targetingKey");
}

#[actix_web::test]
async fn every_change_is_in_the_audit_log() {
    let server = Server::start().await;
    server.post("/api/v1/flags/plain/disable", r#"{"reason": "the gateway is on fire"}"#).await.expect(200);
    let events = server.get("/api/v1/events?subject=flags/plain&limit=1").await.expect(200).json();
    assert_eq!(events["events"][0]["reason"], json!("the gateway is on fire"), "{events}");
    assert!(events["next"].is_u64(), "{events}");
    let older = server.get(&format!("/api/v1/events?subject=flags/plain&before={}", events["next"])).await.json();
    assert_eq!(older["events"].as_array().map(Vec::len), Some(1), "{older}");
}

/// A fault is started only as it was seen.
#[actix_web::test]
async fn conditions_hold_for_a_start_too() {
    let server = Server::start().await;
    let fault = server.get("/api/v1/faults/slow").await.header("etag").to_owned();
    let seen = server.send("POST", "/api/v1/faults/slow/start", &[("if-match", &fault)], "").await;
    seen.expect_problem(409, "not_admitted", "");
    let patch = r#"{"description": "slower"}"#;
    server.send("PATCH", "/api/v1/faults/slow", &[("if-match", &fault)], patch).await.expect(200);
    let before = server.everything().await;
    let stale = server.send("POST", "/api/v1/faults/slow/start", &[("if-match", &fault)], "").await;
    stale.expect_problem(412, "precondition_failed", "");
    assert_eq!(server.everything().await, before);
}

/// A list is of a store: another one that stands at the same revision holds something else.
#[actix_web::test]
async fn the_tag_of_a_list_names_the_store() {
    let server = Server::start().await;
    let position = server.shared.control().position();
    let tag = server.get("/api/v1/flags").await.expect(200).header("etag").to_owned();
    assert_eq!(tag, format!("\"{position}\""));
    server.send("GET", "/api/v1/flags", &[("if-none-match", &tag)], "").await.expect(304);
    let other = format!("\"{}\"", position.revision);
    server.send("GET", "/api/v1/flags", &[("if-none-match", &other)], "").await.expect(200);
}

/// `?wait` answers once the clients that follow the stream have it.
#[actix_web::test]
async fn a_change_can_be_waited_for() {
    let server = Server::start().await;
    let nobody = server.post("/api/v1/flags/plain/disable?wait=30s", "").await.expect(200).json();
    assert_eq!((&nobody["reached"]["clients"], &nobody["reached"]["having"]), (&json!(0), &json!(0)), "{nobody}");
    let control = server.shared.control();
    let report = |sequence: u64| {
        let mut report = crate::runs::report(sequence);
        report["position"] = json!(control.position().to_string());
        server.shared.control().report(&serde_json::from_value(report).unwrap()).unwrap();
    };
    report(1);
    let before = control.position();
    let client = async {
        while control.position() == before {
            tokio::task::yield_now().await;
        }
        report(2);
    };
    let (answer, ()) = tokio::join!(server.post("/api/v1/flags/plain/enable?wait=30s", ""), client);
    let answer = answer.expect(200).json();
    assert_eq!((&answer["reached"]["clients"], &answer["reached"]["having"]), (&json!(1), &json!(1)), "{answer}");

    // What is only tried has come to nobody, and waits for nobody.
    let tried = "/api/v1/apply?wait=30s&dry_run";
    let tried = server.post(tried, "flags: { one: { default: on } }").await.expect(200).json();
    assert_eq!((&tried["dry_run"], tried.get("reached")), (&json!(true), None), "{tried}");

    let refused = [("2", "unit"), ("31s", "30s or less"), ("soon", "`soon`")];
    for (wait, why) in refused {
        let answer = server.post(&format!("/api/v1/apply?wait={wait}"), "flags: { one: { default: on } }").await;
        answer.expect_problem(400, "bad_request", why);
    }
}
