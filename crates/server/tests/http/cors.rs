//! Pages of other origins: which may ask, for what, and what their browsers are told.

use daybreak_control::Actor;
use daybreak_control::tokens::{NewToken, Role};
use daybreak_server::RateLimits;

use crate::harness::{Answer, Server};

const OURS: &str = "https://app.example";
const BULK: &str = "/ofrep/v1/evaluate/flags";
const EVENTS: &str = "/ofrep/v1/events";
const ONE: &str = "/ofrep/v1/evaluate/flags/plain";
const FLAGS: &str = "/api/v1/flags";

async fn start(origins: &[&str]) -> Server {
    let mut server = Server::start().await;
    server.shared = server.shared.asked_from(origins.iter().map(|origin| origin.parse().unwrap()).collect());
    server
}

/// A token of the role `evaluate` of a server that asks for tokens from now on.
async fn shut(server: &Server) -> String {
    let mut secret = String::new();
    for role in [Role::Admin, Role::Evaluate] {
        let new = NewToken { name: role.to_string(), role, expires: None };
        let (_, shown) = server.shared.control().create_token(new, Actor::named("test")).await.unwrap();
        shown.reveal().clone_into(&mut secret);
    }
    secret
}

/// What a browser is told: the origin that may ask, and what answers differ by.
fn told(answer: &Answer) -> (&str, &str) {
    (answer.header("access-control-allow-origin"), answer.header("vary"))
}

/// The method, the path, who asks, for which method, and the status and origin of the answer.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16, &'a str);

async fn check(server: &Server, cases: &[Case<'_>]) {
    for (method, path, headers, status, allowed) in cases {
        let answer = server.send(method, path, headers, "").await.expect(*status);
        let vary = if path.starts_with("/ofrep/") { "Origin" } else { "" };
        let expected = if answer.status == 403 && vary.is_empty() { ("", "") } else { (*allowed, vary) };
        assert_eq!(told(&answer), expected, "{method} {path} {headers:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{method} {path} {headers:?}");
        let exposed = if !allowed.is_empty() && *method != "OPTIONS" { "ETag, Retry-After" } else { "" };
        assert_eq!(answer.header("access-control-expose-headers"), exposed, "{method} {path} {headers:?}");
    }
}

const ORIGIN: &str = "origin";
const SITE: &str = "sec-fetch-site";

#[actix_web::test]
async fn invariant_10_without_tokens_a_page_that_was_named_evaluates_and_no_more() {
    let server = start(&["http://localhost:3000", OURS]).await;
    server.send("PATCH", "/api/v1/flags/plain", &[], "client: true").await.expect(200);
    let before = server.everything().await;
    let cases: &[Case<'_>] = &[
        ("POST", BULK, &[(ORIGIN, OURS)], 200, OURS),
        ("POST", ONE, &[(ORIGIN, OURS), (SITE, "cross-site")], 200, OURS),
        ("POST", ONE, &[(ORIGIN, "http://localhost:3000"), (SITE, "same-site")], 200, "http://localhost:3000"),
        ("POST", "/ofrep/v1/evaluate/flags/absent", &[(ORIGIN, OURS)], 404, OURS),
        ("HEAD", EVENTS, &[(ORIGIN, OURS), (SITE, "cross-site")], 200, OURS),
        ("HEAD", EVENTS, &[(ORIGIN, "https://evil.example")], 403, ""),
        // Who is none of them is refused as ever, and curl gets in as ever.
        ("POST", BULK, &[(ORIGIN, "https://evil.example")], 403, ""),
        ("POST", BULK, &[(ORIGIN, "https://app.example.evil.example")], 403, ""),
        ("POST", BULK, &[(ORIGIN, "https://app.example:8443")], 403, ""),
        ("POST", BULK, &[(ORIGIN, "http://app.example")], 403, ""),
        ("POST", BULK, &[(ORIGIN, "https://APP.example")], 403, ""),
        ("POST", BULK, &[(ORIGIN, "null")], 403, ""),
        ("POST", BULK, &[(SITE, "cross-site")], 403, ""),
        ("POST", BULK, &[], 200, ""),
        // A name that points at loopback (DNS rebinding) makes no difference to whom it is asked by.
        ("POST", BULK, &[(ORIGIN, OURS), ("host", "app.example")], 403, OURS),
        // Nothing but evaluating.
        ("GET", FLAGS, &[(ORIGIN, OURS)], 403, ""),
        ("PUT", "/api/v1/halt", &[(ORIGIN, OURS)], 403, ""),
        ("POST", "/api/v1/flags/plain/disable", &[(ORIGIN, OURS)], 403, ""),
        ("POST", "/api/v1/reports", &[(ORIGIN, OURS)], 403, ""),
        ("GET", "/api/v1/stream", &[(ORIGIN, OURS)], 403, ""),
        ("GET", "/healthz", &[(ORIGIN, OURS)], 403, ""),
    ];
    check(&server, cases).await;
    assert_eq!(server.everything().await, before);
}

/// A page sees the same with a token for pages, and where there are none: what is marked for it.
#[actix_web::test]
async fn invariant_10_a_page_sees_what_is_for_clients() {
    let server = start(&[OURS]).await;
    server.post("/api/v1/apply", "flags: { public: { default: on, client: true } }").await.expect(200);
    assert!(server.post(BULK, "").await.expect(200).text.contains("\"plain\""), "curl sees all");
    for tokens in [false, true] {
        let secret = if tokens { shut(&server).await } else { String::new() };
        let page = [(ORIGIN, OURS), ("x-api-key", secret.as_str())];
        let page = if tokens { &page[..] } else { &page[..1] };
        let sees = server.send("POST", BULK, page, "").await.expect(200).json();
        let keys: Vec<_> = sees["flags"].as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["public"], "with tokens: {tokens}");
        server.send("POST", ONE, page, "").await.expect(404);
    }
}

#[actix_web::test]
async fn browsers_ask_first() {
    let server = start(&[OURS]).await;
    let wanted = "access-control-request-method";
    for tokens in [false, true] {
        if tokens {
            shut(&server).await;
        }
        let refused = if tokens { 204 } else { 403 };
        let cases: &[Case<'_>] = &[
            ("OPTIONS", BULK, &[(ORIGIN, OURS), (wanted, "POST")], 204, OURS),
            ("OPTIONS", ONE, &[(ORIGIN, OURS), (wanted, "POST"), (SITE, "cross-site")], 204, OURS),
            ("OPTIONS", BULK, &[(ORIGIN, "https://evil.example"), (wanted, "POST")], refused, ""),
            ("OPTIONS", FLAGS, &[(ORIGIN, OURS), (wanted, "GET")], refused, ""),
            ("OPTIONS", "/api/v1/halt", &[(ORIGIN, OURS), (wanted, "PUT")], refused, ""),
        ];
        check(&server, cases).await;
        let headers = [(ORIGIN, OURS), (wanted, "POST"), ("access-control-request-headers", "authorization")];
        let answer = server.send("OPTIONS", BULK, &headers, "").await.expect(204);
        let told = ["methods", "headers"].map(|what| answer.header(&format!("access-control-allow-{what}")));
        assert_eq!(told, ["POST", "Content-Type, Authorization, X-API-Key, If-None-Match"]);
        assert_eq!((answer.header("access-control-max-age"), answer.text.as_str()), ("7200", ""));
        // Another method than the route's, or none, is no preflight of it.
        for other in ["DELETE", "GET", ""] {
            let answer = server.send("OPTIONS", BULK, &[(ORIGIN, OURS), (wanted, other)], "").await.expect(refused);
            assert_eq!(answer.header("access-control-allow-methods"), "", "{other}");
        }
    }
}

/// With tokens a page shows one. It may read why it was refused, whatever the reason.
#[actix_web::test]
async fn a_page_may_read_why_it_was_refused() {
    let mut server = start(&[OURS]).await;
    let secret = shut(&server).await;
    let bearer = format!("Bearer {secret}");
    let (token, wrong) = (("authorization", bearer.as_str()), ("authorization", "Bearer zzz"));
    let cases: &[Case<'_>] = &[
        ("POST", BULK, &[(ORIGIN, OURS), token, ("host", "flags.example")], 200, OURS),
        ("POST", BULK, &[(ORIGIN, OURS)], 401, OURS),
        ("POST", BULK, &[(ORIGIN, OURS), wrong], 401, OURS),
        ("POST", BULK, &[(ORIGIN, "https://evil.example"), token], 200, ""),
        ("GET", FLAGS, &[(ORIGIN, OURS), token], 403, ""),
    ];
    check(&server, cases).await;
    let once = "1".parse().unwrap();
    let limits = RateLimits { token: Some(governor::Quota::per_hour(once)), ..RateLimits::default() };
    server.shared = server.shared.limited(&limits);
    let page = [(ORIGIN, OURS), token];
    let tag = server.send("POST", BULK, &page, "").await.expect(200).header("etag").to_owned();
    assert!(!tag.is_empty());
    let limited = server.send("POST", BULK, &page, "").await.expect_problem(429, "rate_limited", "");
    assert_eq!(told(&limited), (OURS, "Origin"));
    assert!(!limited.header("retry-after").is_empty());
}

/// Off unless configured: `invariant_10_a_web_page_gets_nowhere` has the cases without tokens.
#[actix_web::test]
async fn off_unless_configured() {
    let server = start(&[]).await;
    assert_eq!(told(&server.post(BULK, "").await.expect(200)), ("", ""));
    let secret = shut(&server).await;
    let headers = [(ORIGIN, OURS), ("x-api-key", secret.as_str())];
    assert_eq!(told(&server.send("POST", BULK, &headers, "").await.expect(200)), ("", ""));
    let preflight = [(ORIGIN, OURS), ("access-control-request-method", "POST")];
    let answer = server.send("OPTIONS", BULK, &preflight, "").await.expect(204);
    assert_eq!((told(&answer), answer.header("allow")), (("", ""), "POST, OPTIONS"));
}
