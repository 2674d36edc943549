//! Holds the API's description true: every answer that a test gets, and every body that the server took, is checked
//! against what `/openapi.json` says of that operation.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use actix_web::http::Method;
use jsonschema::Validator;
use serde_json::{Value as Json, json};

use crate::harness::{Answer, ENDLESS, Server};

/// The description as it is served.
pub(crate) static DESCRIPTION: LazyLock<Json> = LazyLock::new(|| json!(daybreak_server::document()));

/// The same, in which nothing may have a field that is not described.
static CLOSED: LazyLock<Json> = LazyLock::new(|| {
    let mut document = DESCRIPTION.clone();
    close(&mut document);
    document
});

/// By where the schema stands in memory: each is one of the closed description.
static VALIDATORS: LazyLock<Mutex<HashMap<usize, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// An operation: its path template, its method, and what is described of it.
type Operation = (String, String, &'static Json);

/// Every operation.
static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let paths = CLOSED["paths"].as_object().unwrap().iter();
    let each = |(path, item): (&String, &'static Json)| {
        let operations = item.as_object().unwrap().iter();
        let path = path.clone();
        operations.map(move |(method, operation)| (path.clone(), method.to_uppercase(), operation)).collect::<Vec<_>>()
    };
    paths.flat_map(each).collect()
});

/// The operation that a request asks for.
fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let (mut parts, mut segments) = (template.split('/'), path.split('/'));
        parts.all(|part| segments.next().is_some_and(|segment| part.starts_with('{') || part == segment))
            && segments.next().is_none()
    };
    let method = if method == "HEAD" { "GET" } else { method };
    let fitting = OPERATIONS.iter().filter(|(template, verb, _)| verb == method && fits(template));
    fitting.min_by_key(|(template, ..)| template.matches('{').count())
}

/// That an answer is as described.
pub(crate) fn check(method: &Method, path: &str, body: &[u8], answer: &Answer) {
    let status = answer.status.as_u16();
    let Some((template, verb, operation)) = operation(method.as_str(), path) else {
        let known = status >= 300 || path.starts_with("/docs") || method == Method::OPTIONS;
        return assert!(known, "{method} {path} is not described, and answers {status}");
    };
    let what = format!("{verb} {template} {status}");
    let responses = &operation["responses"];
    let response = responses.get(status.to_string()).filter(|_| answer.header("content-type") != PROBLEM);
    let response = response.or_else(|| responses.get("default").filter(|_| status >= 400));
    let response = response.unwrap_or_else(|| panic!("{what}: this status is not described: {}", answer.text));
    let Some(content) = response.get("content").and_then(Json::as_object) else {
        return assert!(answer.text.is_empty(), "{what}: a body is not described: {}", answer.text);
    };
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        assert!(!answer.header(&name.to_lowercase()).is_empty(), "{what}: {name} is missing: {header}");
    }
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
    let described = content.get(&media_type);
    let described = described.unwrap_or_else(|| panic!("{what}: {media_type} is not described: {}", answer.text));
    if method != Method::HEAD && media_type.ends_with("json") {
        conforms(&what, &described["schema"], &answer.json());
    }
    if status < 300 && !body.is_empty() {
        check_request(&what, operation, body);
    }
}

const PROBLEM: &str = "application/problem+json";

/// That what the server took is as described.
fn check_request(what: &str, operation: &'static Json, body: &[u8]) {
    let text = std::str::from_utf8(body).unwrap();
    let content = operation["requestBody"]["content"].as_object();
    let Some(described) = content.and_then(|content| content.get("application/json")) else {
        let lines = |content: &serde_json::Map<String, Json>| content.contains_key("application/jsonl");
        return assert!(content.is_none_or(lines), "{what}: {content:?}");
    };
    if let Ok(sent) = serde_json::from_str::<Json>(text).or_else(|_| serde_yaml::from_str(text)) {
        conforms(&format!("what {what} took"), &described["schema"], &sent);
    }
}

/// That an instance is as a schema of the description says.
#[track_caller]
fn conforms(what: &str, schema: &'static Json, instance: &Json) {
    let key = std::ptr::from_ref(schema).addr();
    let known = VALIDATORS.lock().unwrap().get(&key).cloned();
    let validator = known.unwrap_or_else(|| {
        let root = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": CLOSED["components"],
        });
        let validator = Arc::new(jsonschema::validator_for(&root).unwrap());
        VALIDATORS.lock().unwrap().insert(key, Arc::clone(&validator));
        validator
    });
    let errors: Vec<_> =
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what} is not as described: {errors:#?}\n{instance:#}");
}

fn close(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("properties").is_some_and(Json::is_object) && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Json::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// One real request for every operation and every status that it has besides problems: an operation without one
/// fails the test, and so does an answer that is not as described.
#[actix_web::test]
async fn every_operation_answers_as_described() {
    let server = Server::start().await;
    for sequence in 1..=2 {
        server.post("/api/v1/reports", &crate::runs::report(sequence).to_string()).await.expect(200);
    }
    let mut seen = BTreeSet::new();
    for (method, path, headers, body, status) in requests() {
        let run = server.shared.control().runs().first().map(|run| run.id.to_string()).unwrap_or_default();
        let path = path.replace("{run}", &run);
        let tag = server.get(path.split('?').next().unwrap()).await.header("etag").to_owned();
        let headers: Vec<_> = headers.iter().map(|name| (*name, tag.as_str())).collect();
        let answer = server.send(method, &path, &headers, body).await.expect(status);
        drop(answer);
        let (template, verb, _) = operation(method, &path).unwrap();
        seen.insert((template.clone(), verb.clone(), status.to_string()));
    }
    // Streams have no end; their tests check every event.
    seen.extend(ENDLESS.map(|path| (path.to_owned(), "GET".to_owned(), "200".to_owned())));
    server.send("GET", "/", &[("accept", "text/html")], "").await.expect(303);
    seen.insert(("/".to_owned(), "GET".to_owned(), "303".to_owned()));
    seen.extend(ofrep_not_modified(&server).await);
    seen.extend(webhook_test(&server).await);
    seen.extend(pagerduty(&server).await);
    seen.extend(files(&server).await);
    seen.extend(tokens_and_restore(&server).await);
    let described = OPERATIONS.iter().flat_map(|(path, method, operation)| {
        let statuses = operation["responses"].as_object().unwrap().keys().filter(|status| status.as_str() < "400");
        statuses.map(|status| (path.clone(), method.clone(), status.clone())).collect::<Vec<_>>()
    });
    assert_eq!(seen, described.collect::<BTreeSet<_>>());
}

/// The answer to one who has it: the ETag covers the body that was sent.
async fn ofrep_not_modified(server: &Server) -> Option<(String, String, String)> {
    const BULK: &str = "/ofrep/v1/evaluate/flags";
    let tag = server.post(BULK, "{}").await.header("etag").to_owned();
    server.send("POST", BULK, &[("if-none-match", &tag)], "{}").await.expect(304);
    Some((BULK.to_owned(), "POST".to_owned(), "304".to_owned()))
}

/// A webhook that nobody answers.
async fn webhook_test(server: &Server) -> Option<(String, String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("webhooks.yaml");
    std::fs::write(&file, "webhooks: { ops: { url: 'http://127.0.0.1:1', template: slack } }").unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    server.shared.control().watch_webhooks(&file).await.unwrap();
    let answer = server.post("/api/v1/webhooks/ops/test", "").await.expect(200).json();
    assert_eq!(answer["delivered"], json!(false));
    server.post("/api/v1/webhooks/other/test", "").await.expect_problem(404, "not_found", "other");
    server.get("/api/v1/webhooks").await.expect(200);
    Some(("/api/v1/webhooks/{name}/test".to_owned(), "POST".to_owned(), "200".to_owned()))
}

/// A folder that says what is served.
async fn files(server: &Server) -> Option<(String, String, String)> {
    const PATH: &str = "/api/v1/files/apply";
    server.post(PATH, "").await.expect_problem(404, "not_found", "--flags DIR");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("flags.yaml"), "flags: { filed: { default: on } }").unwrap();
    let _watch = server.shared.control().watch_files(folder.path().to_owned()).await.unwrap();
    std::fs::write(folder.path().join("flags.yaml"), "flags: { filed: { default: off } }").unwrap();
    server.post(&format!("{PATH}?reason=now"), "").await.expect(200);
    std::fs::write(folder.path().join("flags.yaml"), "flags: { filed: { default: 3 } }").unwrap();
    server.post(PATH, "").await.expect_problem(422, "invalid", "a name is expected");
    std::fs::remove_file(folder.path().join("flags.yaml")).unwrap();
    server.post(PATH, "").await.expect_problem(404, "not_found", "holds no document");
    Some((PATH.to_owned(), "POST".to_owned(), "200".to_owned()))
}

/// An event that is signed as PagerDuty does.
async fn pagerduty(server: &Server) -> Option<(String, String, String)> {
    const PATH: &str = "/api/v1/pages/pagerduty";
    server.post(PATH, PING).await.expect_problem(409, "no_secret", "--pagerduty-secret-file");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "Jefe\n").unwrap();
    server.shared.control().know_pagerduty(file.clone()).await.unwrap();
    server.post(PATH, PING).await.expect_problem(401, "bad_signature", "X-PagerDuty-Signature");
    let signed = [("x-pagerduty-signature", PING_SIGNED)];
    server.send("POST", PATH, &signed, PING).await.expect(200);
    std::fs::remove_file(file).unwrap();
    server.send("POST", PATH, &signed, PING).await.expect_problem(503, "secret_unreadable", "cannot be read");
    Some((PATH.to_owned(), "POST".to_owned(), "200".to_owned()))
}

/// These come last: from the first token on everybody is asked for one, and a server that restores ends.
async fn tokens_and_restore(server: &Server) -> [(String, String, String); 4] {
    const TOKENS: &str = "/api/v1/tokens";
    let body = r#"{"name": "root", "role": "admin", "expires": "1h", "reason": "first"}"#;
    let created = server.post(TOKENS, body).await.expect(201).json();
    let bearer = format!("Bearer {}", created["secret"].as_str().unwrap());
    server.send("GET", TOKENS, &[("authorization", &bearer)], "").await.expect(200);
    let body = r#"{"name": "shop", "role": "sdk"}"#;
    let created = server.send("POST", TOKENS, &[("authorization", &bearer)], body).await.expect(201).json();
    let path = format!("{TOKENS}/{}", created["id"].as_str().unwrap());
    server.send("DELETE", &path, &[("authorization", &bearer)], "").await.expect(200);
    server.send("POST", "/api/v1/restore", &[("authorization", &bearer)], BACKUP).await.expect(200);
    let restored = ("/api/v1/restore", "POST", "200");
    [(TOKENS, "POST", "201"), (TOKENS, "GET", "200"), ("/api/v1/tokens/{id}", "DELETE", "200"), restored]
        .map(|(path, method, status)| (path.to_owned(), method.to_owned(), status.to_owned()))
}

type Request = (&'static str, String, &'static [&'static str], &'static str, u16);

fn requests() -> Vec<Request> {
    let kinds = [
        ("flags", "plain", "{default: off}", r#"{"rules": {"new": {"serve": "on"}}, "owner": null}"#),
        ("segments", "vip", "{when: {plan: gold}}", r#"{"when": {"tier": {"in": ["gold"]}}}"#),
        ("faults", "slow", FAULT, r#"{"effect": {"latency": {"max": "2s"}}, "description": "slow"}"#),
        ("hours", "office", HOURS, r#"{"times": ["09:00-11:00"], "description": null}"#),
        ("slos", "checkout", SLO, r#"{"window": "7d"}"#),
        ("on-call", "payments", ON_CALL, r#"{"pages_per_week": 1}"#),
    ];
    let mut requests: Vec<Request> = Vec::new();
    for (kind, key, resource, patch) in kinds {
        let at = |rest: &str| format!("/api/v1/{kind}{rest}");
        requests.extend([
            ("PUT", at("/fresh"), &[] as &[_], resource, 201),
            ("PUT", at("/fresh"), &[], resource, 200),
            ("GET", at(""), &[], "", 200),
            ("GET", at(""), &["if-none-match"], "", 304),
            ("GET", at("/fresh"), &[], "", 200),
            ("GET", at("/fresh"), &["if-none-match"], "", 304),
            ("PATCH", at("/fresh"), &["if-match"], patch, 200),
            ("GET", at("/fresh/history"), &[], "", 200),
            ("GET", at("/fresh/origin"), &[], "", 200),
            ("POST", at("/fresh/revert"), &[], r#"{"reason": "no"}"#, 200),
            ("DELETE", at("/fresh"), &[], "", 200),
            ("PUT", at(&format!("/{key}")), &[], resource, if matches!(kind, "slos" | "on-call") { 201 } else { 200 }),
        ]);
    }
    let others: [(&str, &str, &'static [&'static str], &str, u16); 43] = [
        ("GET", "/", &[], "", 200),
        ("GET", "/healthz", &[], "", 200),
        ("GET", "/readyz", &[], "", 200),
        ("GET", "/metrics", &[], "", 200),
        ("GET", "/openapi.json", &[], "", 200),
        ("POST", "/api/v1/flags/plain/disable", &[], r#"{"reason": "smoke"}"#, 200),
        ("POST", "/api/v1/flags/plain/enable?wait=1ms", &[], "", 200),
        ("POST", "/api/v1/flags/layout/evaluate", &[], "{context: {plan: pro}}", 200),
        ("POST", "/api/v1/faults/slow/start?dry_run", &[], "", 200),
        ("POST", "/api/v1/faults/slow/start?wait=1ms", &[], r#"{"duration": "5m", "hypothesis": "h"}"#, 201),
        ("GET", "/api/v1/runs", &[], "", 200),
        ("GET", "/api/v1/runs/{run}", &[], "", 200),
        ("GET", "/api/v1/runs/{run}/report", &[], "", 200),
        ("GET", "/api/v1/clients", &[], "", 200),
        ("GET", "/api/v1/fault-points", &[], "", 200),
        ("GET", "/api/v1/delivery", &[], "", 200),
        ("GET", "/api/v1/flags/layout/life", &[], "", 200),
        ("POST", "/api/v1/reports", &[], REPORT, 200),
        ("GET", "/api/v1/clients?summary", &[], "", 200),
        ("GET", "/api/v1/flags/layout/life?after=7d", &[], "", 200),
        ("GET", "/api/v1/stale-flags?after=0s", &[], "", 200),
        ("POST", "/api/v1/faults/slow/stop?wait=1ms", &[], "", 200),
        ("POST", "/api/v1/runs/{run}/stop?wait=1ms", &[], "", 200),
        ("GET", "/api/v1/faults/slow/schedule", &[], "", 200),
        ("GET", "/api/v1/runs/{run}", &[], "", 200),
        ("PUT", "/api/v1/halt", &[], r#"{"reason": "smoke"}"#, 200),
        ("GET", "/api/v1/halt", &[], "", 200),
        ("DELETE", "/api/v1/halt", &[], "", 200),
        ("POST", "/api/v1/apply?dry_run&prune=false", &[], "flags: { one: { default: on } }", 200),
        ("GET", "/api/v1/export", &[], "", 200),
        ("GET", "/api/v1/origins?differs=false", &[], "", 200),
        ("GET", "/api/v1/hours/office/status", &[], "", 200),
        ("GET", "/api/v1/slos/checkout/status", &[], "", 200),
        ("POST", "/api/v1/pages", &[], r#"{"on_call": "payments", "key": "1", "person": "ada"}"#, 200),
        ("POST", "/api/v1/pages/alertmanager", &[], ALERTS, 200),
        ("GET", "/api/v1/on-call/payments/status", &[], "", 200),
        ("GET", "/api/v1/events?limit=5", &[], "", 200),
        ("GET", "/api/v1/snapshot", &[], "", 200),
        ("GET", "/api/v1/snapshot", &["if-none-match"], "", 304),
        ("POST", "/ofrep/v1/evaluate/flags", &[], r#"{"context": {"targetingKey": "ada"}}"#, 200),
        ("POST", "/ofrep/v1/evaluate/flags/layout", &[], r#"{"context": {"targetingKey": "ada"}}"#, 200),
        ("GET", "/api/v1/backup", &[], "", 200),
        ("GET", "/api/v1/webhooks", &[], "", 200),
    ];
    requests
        .extend(others.map(|(method, path, headers, body, status)| (method, path.to_owned(), headers, body, status)));
    requests
}

const FAULT: &str = "{point: payment.gateway, percentage: 5%, effect: {latency: {fixed: 500ms, max: 1s}}, \
                     hours: always, guard: none, max_duration: 10m}";
const HOURS: &str = "{time_zone: Europe/Berlin, weekdays: mon..fri, times: [\"10:00-12:00\"], description: x}";
const SLO: &str = "{objective: 99.9%, window: 28d, sli: {operation: POST /checkout, good: {status: \"<500\"}}}";
const ON_CALL: &str = "{pages_per_week: 2, off_hours_incidents_per_half_year: 1, hours: office}";
const ALERTS: &str = r#"{"version": "4", "receiver": "pager", "groupKey": "{}", "alerts": [{"status": "firing",
    "labels": {"alertname": "Down"}, "annotations": {}, "startsAt": "2026-11-23T09:00:00Z", "fingerprint": "a1"}]}"#;
const PING: &str = r#"{"event":{"id":"1","event_type":"pagey.ping","occurred_at":"2026-11-23T09:00:00Z"}}"#;
/// HMAC-SHA256 of [`PING`] by the key `Jefe`.
const PING_SIGNED: &str = "v1=d125f36387ac15f36fc759d4e34da4fbcd490bbd8d14dd43041d9cf86b5074e4";
const REPORT: &str = r#"{"client": "0123456789abcdef0123456789abcdef", "sequence": 3, "service": "shop",
    "sdk": {"name": "daybreak-sdk", "version": "0.1.0"}, "level": 1, "state": "streaming",
    "faults": {"allowed": true, "in_flight": 0}, "position_age": 40, "unknown_flags": {"layuot": 2},
    "evaluations": {"layout": {"variants": {"grid": 3}, "errors": 1}}}"#;

/// A backup of a store that holds nothing.
const BACKUP: &str = r#"{"daybreak_backup":{"version":1,"written_by":"0.1.0","position":"0000000000000001:2","next_event":1,"next_message":1}}
{"end":{"lines":1,"sha256":"3c815905ecd1f2195264ddf9ed06f7ac0d51d06211d88d085f593505e3fdbf7a"}}
"#;

/// Every reference of the description leads somewhere, and every schema is one that an operation reaches.
#[test]
fn every_reference_resolves() {
    assert_eq!(DESCRIPTION["openapi"], "3.1.0");
    let mut targets = BTreeSet::new();
    references(&DESCRIPTION, &mut targets);
    for target in &targets {
        assert!(DESCRIPTION.pointer(target.trim_start_matches('#')).is_some(), "{target} leads nowhere");
    }
    for name in DESCRIPTION["components"]["schemas"].as_object().unwrap().keys() {
        assert!(targets.contains(&format!("#/components/schemas/{name}")), "nothing refers to {name}");
    }
}

/// A body that is described as `object`, and nothing more, is not described.
#[test]
fn no_body_is_just_an_object() {
    for (path, method, operation) in OPERATIONS.iter() {
        let mut contents: Vec<_> = operation["responses"].as_object().unwrap().values().collect();
        contents.extend(operation.get("requestBody"));
        for described in
            contents.iter().filter_map(|body| body["content"].as_object()).flat_map(|content| content.values())
        {
            let schema = &described["schema"];
            let told = schema.get("$ref").is_some() || schema.get("properties").is_some() || schema["type"] == "string";
            assert!(told, "{method} {path}: {schema}");
        }
    }
}

fn references(schema: &Json, targets: &mut BTreeSet<String>) {
    match schema {
        Json::Object(members) => {
            targets.extend(members.get("$ref").and_then(Json::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, targets));
        }
        Json::Array(items) => items.iter().for_each(|item| references(item, targets)),
        _ => {}
    }
}

/// That each event of a stream is as described.
pub(crate) fn check_event(frame: &str) {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let events = &CLOSED["components"]["schemas"]["EventStream"]["x-events"];
    let (event, data) = (field("event: "), field("data: "));
    conforms(event, &events[event], &serde_json::from_str(data).unwrap());
}
