//! Invariant 10: no secret way in.

use crate::harness::Server;

/// What a web page could try, on routes that read, change, stream and stop; and on paths that do not exist.
#[actix_web::test]
async fn invariant_10_a_web_page_gets_nowhere() {
    let server = Server::start().await;
    let before = server.everything().await;
    let routes = [
        ("GET", "/api/v1/flags"),
        ("GET", "/api/v1/stream"),
        ("GET", "/api/v1/snapshot"),
        ("PUT", "/api/v1/halt"),
        ("POST", "/api/v1/flags/plain/disable"),
        ("POST", "/api/v1/faults/slow/start"),
        ("POST", "/api/v1/reports"),
        ("POST", "/ofrep/v1/evaluate/flags"),
        ("OPTIONS", "/ofrep/v1/evaluate/flags"),
        ("GET", "/healthz"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/"),
        ("GET", "/nowhere"),
    ];
    let pages = [
        ("host", "evil.example"),
        ("host", "evil.example:8080"),
        ("origin", "http://evil.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (method, path) in routes {
        for (name, value) in pages {
            let answer = server.send(method, path, &[(name, value)], "").await;
            let answer = answer.expect_problem(403, "foreign_origin", "");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{method} {path} {name}: {value}");
        }
    }
    assert_eq!(server.everything().await, before);
}

/// The page under /docs/ may use the API, and so may curl.
#[actix_web::test]
async fn invariant_10_our_own_page_and_curl_get_in() {
    let server = Server::start().await;
    let own = [("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
    server.send("POST", "/api/v1/flags/plain/disable", &own, "").await.expect(200);
    server.post("/api/v1/flags/plain/enable", "").await.expect(200);
    server.send("GET", "/healthz", &[("host", "[::1]:8080")], "").await.expect(200);
}
