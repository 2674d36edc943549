//! The API's description: complete, and frozen.

use std::collections::BTreeSet;
use std::path::Path;

use actix_web::http::StatusCode;
use daybreak_model::Kind;
use serde_json::Value as Json;

use crate::harness::{ENDLESS, Server};

#[actix_web::test]
async fn the_description_is_as_recorded() {
    let server = Server::start().await;
    let text = server.get("/openapi.json").await.expect(200).text;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let recorded = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        text == recorded,
        "the API has changed; if it was meant to: UPDATE=1 cargo test -p daybreak-server openapi"
    );
}

/// Every operation of the description is one of the server's, and answers.
#[actix_web::test]
async fn every_operation_is_routed() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    for (template, method) in operations(&document) {
        let path = template.replace("{key}", "zzz").replace("{id}", "zzz");
        let method = if ENDLESS.contains(&template.as_str()) { "HEAD" } else { method.as_str() };
        let answer = server.send(method, &path, &[], "{").await;
        let unrouted = answer.status == StatusCode::METHOD_NOT_ALLOWED || answer.text.contains("problem:no_route");
        assert!(!unrouted, "{method} {template}: {}", answer.text);
    }
}

/// Every route that the design names is described, each operation with a summary, a tag and an id of its own.
#[actix_web::test]
async fn every_route_is_described() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    let described = operations(&document);
    let mut wanted: BTreeSet<(String, String)> = [
        ("GET", "/"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("POST", "/api/v1/flags/{key}/enable"),
        ("POST", "/api/v1/flags/{key}/disable"),
        ("POST", "/api/v1/flags/{key}/evaluate"),
        ("GET", "/api/v1/flags/{key}/life"),
        ("GET", "/api/v1/stale-flags"),
        ("GET", "/api/v1/delivery"),
        ("POST", "/api/v1/faults/{key}/start"),
        ("POST", "/api/v1/faults/{key}/stop"),
        ("GET", "/api/v1/faults/{key}/schedule"),
        ("GET", "/api/v1/runs"),
        ("GET", "/api/v1/runs/{id}"),
        ("GET", "/api/v1/runs/{id}/report"),
        ("POST", "/api/v1/runs/{id}/stop"),
        ("PUT", "/api/v1/halt"),
        ("GET", "/api/v1/halt"),
        ("DELETE", "/api/v1/halt"),
        ("POST", "/api/v1/apply"),
        ("GET", "/api/v1/export"),
        ("GET", "/api/v1/hours/{key}/status"),
        ("GET", "/api/v1/slos/{key}/status"),
        ("GET", "/api/v1/on-call/{key}/status"),
        ("POST", "/api/v1/pages"),
        ("POST", "/api/v1/pages/alertmanager"),
        ("POST", "/api/v1/pages/pagerduty"),
        ("GET", "/api/v1/origins"),
        ("POST", "/api/v1/files/apply"),
        ("GET", "/api/v1/events"),
        ("GET", "/api/v1/backup"),
        ("POST", "/api/v1/restore"),
        ("GET", "/api/v1/clients"),
        ("GET", "/api/v1/fault-points"),
        ("GET", "/api/v1/stream"),
        ("GET", "/api/v1/tokens"),
        ("POST", "/api/v1/tokens"),
        ("GET", "/api/v1/webhooks"),
        ("POST", "/api/v1/webhooks/{name}/test"),
        ("DELETE", "/api/v1/tokens/{id}"),
        ("GET", "/api/v1/snapshot"),
        ("POST", "/api/v1/reports"),
        ("POST", "/ofrep/v1/evaluate/flags"),
        ("POST", "/ofrep/v1/evaluate/flags/{key}"),
        ("GET", "/ofrep/v1/events"),
    ]
    .map(|(method, path)| (path.to_owned(), method.to_owned()))
    .into();
    for kind in Kind::ALL {
        let path = format!("/api/v1/{}", kind.path());
        wanted.insert((path.clone(), "GET".to_owned()));
        wanted.insert((format!("{path}/{{key}}/history"), "GET".to_owned()));
        wanted.insert((format!("{path}/{{key}}/origin"), "GET".to_owned()));
        wanted.insert((format!("{path}/{{key}}/revert"), "POST".to_owned()));
        wanted.extend(["GET", "PUT", "PATCH", "DELETE"].map(|method| (format!("{path}/{{key}}"), method.to_owned())));
    }
    assert_eq!(described, wanted);

    let mut ids = BTreeSet::new();
    for (path, method) in &described {
        let operation = &document["paths"][path][method.to_lowercase()];
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{method} {path}: {operation}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}: {operation}");
        assert!(operation["responses"].get("default").is_some(), "{method} {path} describes no problem");
    }
}

/// The page and all it needs come out of the binary.
#[actix_web::test]
async fn the_page_needs_no_network() {
    let server = Server::start().await;
    let page = server.get("/docs/").await.expect(200);
    assert!(page.header("content-security-policy").starts_with("default-src 'self';"), "{:?}", page.headers);
    let initializer = server.get("/docs/swagger-initializer.js").await.expect(200).text;
    assert!(
        initializer.contains("/openapi.json") && initializer.contains("\"validatorUrl\": \"none\""),
        "{initializer}"
    );
    assert_eq!(server.get("/docs").await.expect(307).header("location"), "/docs/");
}

/// Who only knows the address finds the way: with a browser the page, with curl the paths. With tokens too.
#[actix_web::test]
async fn the_root_leads_on() {
    let server = Server::start().await;
    for tokens in [false, true] {
        if tokens {
            server.post("/api/v1/tokens", r#"{"name": "root", "role": "admin"}"#).await.expect(201);
        }
        let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
        let page = server.send("GET", "/", &browser, "").await.expect(303);
        assert_eq!((page.header("location"), page.header("vary")), ("/docs/", "Accept"));
        server.get(page.header("location")).await.expect(200);
        for accept in [vec![], vec![("accept", "*/*")], vec![("accept", "application/json")]] {
            let paths = server.send("GET", "/", &accept, "").await.expect(200);
            assert_eq!(paths.header("vary"), "Accept");
            for part in ["docs", "openapi", "live", "ready"] {
                server.get(paths.json()[part].as_str().unwrap()).await.expect(200);
            }
        }
        server.post("/", "").await.expect(if tokens { 401 } else { 405 });
    }
}

fn operations(document: &Json) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| (path.clone(), method.to_uppercase()))
    });
    operations.collect()
}
