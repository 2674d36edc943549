//! Whatever is wrong with a request: a problem document that helps.

use crate::harness::Server;

#[actix_web::test]
async fn paths_and_methods() {
    let server = Server::start().await;
    let cases = [
        ("GET", "/api/v1/flag", 404, "no_route", "did you mean `/api/v1/flags`?"),
        ("POST", "/api/v1/flags/plain/enabel", 404, "no_route", "did you mean `/api/v1/flags/plain/enable`?"),
        ("GET", "/api/v1/segment/vip", 404, "no_route", "did you mean `/api/v1/segments/vip`?"),
        ("GET", "/api/v1/flags/plain/", 404, "no_route", "did you mean"),
        ("GET", "/favicon.ico", 404, "no_route", "/docs/"),
        ("GET", "/docs/nothing.js", 404, "no_route", ""),
        ("GET", "/api/v1/flags/plain/enable", 405, "method_not_allowed", "it knows POST"),
        ("POST", "/api/v1/flags", 405, "method_not_allowed", "it knows GET"),
        ("DELETE", "/api/v1/runs", 405, "method_not_allowed", "it knows GET"),
        ("TRACE", "/api/v1/halt", 405, "method_not_allowed", "GET, HEAD, PUT, DELETE"),
        ("GET", "/ofrep/v1/evaluate/flags", 405, "method_not_allowed", "it knows POST"),
        ("GET", "/api/v1/flags/%FF%FE", 404, "not_found", ""),
        ("GET", "/api/v1/flags/..%2f..%2fetc%2fpasswd", 404, "not_found", ""),
        ("GET", "/api/v1/flags/new-chekout", 404, "not_found", "did you mean `new-checkout`?"),
        ("GET", "/api/v1/runs/zzz", 404, "not_found", "zzz"),
        ("GET", "/api/v1/hours/ofice/status", 404, "not_found", "did you mean `office`?"),
        ("GET", "/api/v1/events?limit=0", 400, "bad_request", "`limit` is from 1"),
        ("GET", "/api/v1/events?since=yesterday", 400, "bad_request", "since=yesterday"),
        ("GET", "/api/v1/events?nonsense=1", 400, "bad_request", "nonsense"),
        ("POST", "/api/v1/apply?dry_run=maybe", 400, "bad_request", "maybe"),
        ("GET", "/api/v1/flags?enabled=true", 400, "bad_request", "enabled"),
        ("GET", "/api/v1/flags/plain?verbose", 400, "bad_request", "verbose"),
        ("GET", "/api/v1/runs?active", 400, "bad_request", "active"),
        ("GET", "/api/v1/clients?live=1", 400, "bad_request", "live"),
        ("GET", "/api/v1/clients?limit=1001", 400, "bad_request", "`limit` is from 1"),
        ("GET", "/api/v1/clients?after=nobody", 400, "bad_request", "after=nobody"),
        ("GET", "/api/v1/clients?summary&limit=5", 400, "bad_request", "leave out"),
        ("GET", "/api/v1/halt?x", 400, "bad_request", "x"),
        ("POST", "/api/v1/flags/plain/disable?wiat=2s", 400, "bad_request", "wiat"),
        ("POST", "/api/v1/flags/plain/disable?wait=2", 400, "bad_request", "unit"),
        ("POST", "/api/v1/flags/plain/disable?wait=31s", 400, "bad_request", "30s or less"),
        ("POST", "/api/v1/faults/slow/disable", 404, "no_route", "`PATCH` with `{\"enabled\": …}`"),
    ];
    for (method, path, status, code, detail) in cases {
        let answer = server.send(method, path, &[], "").await.expect_problem(status, code, detail);
        assert_eq!(answer.header("daybreak-revision"), server.shared.control().position().to_string(), "{path}");
        assert_eq!(answer.header("daybreak-environment"), "test", "{path}");
    }
    let answer = server.send("PATCH", "/api/v1/halt", &[], "").await.expect(405);
    assert_eq!(answer.header("allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
    let answer = server.send("OPTIONS", "/api/v1/flags/plain", &[], "").await.expect(204);
    assert_eq!(answer.header("allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    let answer = server.send("OPTIONS", "*", &[], "").await.expect(204);
    assert_eq!(answer.header("allow"), "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS");
    server.send("OPTIONS", "/nowhere", &[], "").await.expect_problem(404, "no_route", "");
}

#[actix_web::test]
async fn head_is_get_without_a_body() {
    let server = Server::start().await;
    let answer = server.send("HEAD", "/api/v1/flags/plain", &[], "").await.expect(200);
    assert_eq!(answer.header("etag"), server.get("/api/v1/flags/plain").await.header("etag"));
    // Not a stream that never ends.
    assert_eq!(server.send("HEAD", "/api/v1/stream", &[], "").await.expect(200).text, "");
}

#[actix_web::test]
async fn answers_name_their_position_and_end_in_a_newline() {
    let server = Server::start().await;
    let paths = [
        "/api/v1/flags",
        "/api/v1/flags/plain",
        "/api/v1/runs",
        "/api/v1/halt",
        "/api/v1/hours/office/status",
        "/api/v1/events",
        "/api/v1/clients",
        "/api/v1/fault-points",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/api/v1/export",
        "/api/v1/snapshot",
        "/api/v1/export?format=json",
    ];
    for path in paths {
        let answer = server.get(path).await.expect(200);
        assert!(answer.text.ends_with('\n'), "{path}");
        assert_eq!(answer.header("daybreak-environment"), "test", "{path}");
        assert_eq!(answer.header("daybreak-revision"), server.shared.control().position().to_string(), "{path}");
    }
}
