//! Invariant 10, with tokens: each role on each endpoint, and how tokens begin and end.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service};
use daybreak_control::tokens::{NewToken, Role, Secret, TokenId};
use daybreak_control::{Actor, EVENTS_PAGE_MAX, EventFilter};
use daybreak_server::caller::Caller;
use daybreak_server::{RateLimits, app, rates, roles};
use governor::Quota;

use crate::harness::{Answer, ENDLESS, Server};
use crate::truth::DESCRIPTION;

const BULK: &str = "/ofrep/v1/evaluate/flags";

/// A server that asks for tokens, with one of each role.
struct Shut {
    server: Server,
    tokens: BTreeMap<Role, (TokenId, Secret)>,
}

impl Shut {
    async fn start() -> Self {
        let mut server = Server::start().await;
        server.shared = server.shared.limited(&RateLimits { failures: None, address: None, ..RateLimits::default() });
        let mut tokens = BTreeMap::new();
        for role in Role::ALL.into_iter().rev() {
            tokens.insert(role, make(&server, role.as_str(), role, None).await);
        }
        Self { server, tokens }
    }

    fn secret(&self, role: Role) -> &str {
        self.tokens[&role].1.reveal()
    }

    async fn send(&self, role: Role, method: &str, path: &str, body: &str) -> Answer {
        with(&self.server, self.secret(role), method, path, body).await
    }
}

async fn make(server: &Server, name: &str, role: Role, expires: Option<&str>) -> (TokenId, Secret) {
    let new = NewToken { name: name.to_owned(), role, expires: expires.map(|text| text.parse().unwrap()) };
    let (view, secret) = server.shared.control().create_token(new, Actor::named("test")).await.unwrap();
    (view.id, secret)
}

/// A request with a token, from another host: what counts is the token.
async fn with(server: &Server, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    server.send(method, path, &[("authorization", &bearer), ("host", "flags.example")], body).await
}

fn operations() -> Vec<(String, String)> {
    let paths = DESCRIPTION["paths"].as_object().unwrap().iter();
    let each = |(path, item): (&String, &serde_json::Value)| {
        let methods: Vec<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    paths.flat_map(each).collect()
}

#[test]
fn invariant_10_every_operation_has_a_row() {
    for (method, path) in operations() {
        assert!(roles::find(&method, &path).is_some(), "{method} {path} has no row: who may ask for it?");
    }
}

/// None, what is none, expired, revoked, and each role, on each endpoint of the description.
#[actix_web::test]
async fn invariant_10_each_role_on_each_endpoint() {
    let shut = Shut::start().await;
    let (_, expired) = make(&shut.server, "expired", Role::Admin, Some("1s")).await;
    shut.server.clock.advance(Duration::from_secs(1));
    let (id, revoked) = make(&shut.server, "revoked", Role::Admin, None).await;
    shut.server.shared.control().revoke_token(id, false, Actor::default()).await.unwrap();
    for (method, template) in operations() {
        let row = roles::find(&method, &template).unwrap();
        let path = template.replace("{key}", "zzz").replace("{id}", "zzz");
        // A body that cannot be read changes nothing.
        let verb = if ENDLESS.contains(&template.as_str()) { "HEAD" } else { method.as_str() };
        let cut = &shut.secret(Role::Admin)[..60];
        for token in ["", "zzz", cut, expired.reveal(), revoked.reveal()] {
            let answer = with(&shut.server, token, verb, &path, "{").await;
            match row.right {
                None => assert!(answer.status != StatusCode::UNAUTHORIZED, "{method} {template} is public"),
                Some(_) => {
                    let answer = if verb == "HEAD" {
                        answer.expect(401)
                    } else {
                        answer.expect_problem(401, "unauthorized", "")
                    };
                    assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{method} {template}");
                    assert_eq!(answer.header("daybreak-environment"), "", "{method} {template}");
                }
            }
        }
        for role in Role::ALL {
            let status = shut.send(role, verb, &path, "{").await.status.as_u16();
            let may = row.right.is_none_or(|right| role.may(right));
            assert!(status != 401 && (status == 403) != may, "{role} {method} {template}: {status}");
        }
    }
}

#[actix_web::test]
async fn invariant_10_no_path_that_is_written_otherwise_gets_around_the_table() {
    let shut = Shut::start().await;
    let cases = [
        ("GET", "/api/v1/%74okens"),
        ("GET", "/api/v1/tokens/"),
        ("GET", "//api/v1/tokens"),
        ("GET", "/api/v1/flags/../tokens"),
        ("GET", "/api/v1/flags/%2e%2e/tokens"),
        ("POST", "/api/v1/flags/plain/%64isable"),
        ("POST", "/ofrep/v1/evaluate/flags/../../../../api/v1/apply"),
        ("HEAD", "/api/v1/tokens"),
    ];
    for (method, path) in cases {
        let status = shut.send(Role::Evaluate, method, path, "").await.status;
        assert!(status == 403 || status == 404 || status == 405, "{method} {path}: {status}");
        let status = shut.server.send(method, path, &[], "").await.status;
        assert_eq!(status, 401, "{method} {path}");
    }
}

#[actix_web::test]
async fn who_is_refused_is_told_what_to_do() {
    let shut = Shut::start().await;
    let send = |token| with(&shut.server, token, "GET", "/api/v1/flags", "");
    let text = shut.secret(Role::Viewer);
    shut.server.get("/api/v1/flags").await.expect_problem(401, "unauthorized", "Authorization: Bearer");
    send("zzz").await.expect_problem(401, "unauthorized", "looks like `daybreak_viewer_");
    send(&text[..text.len() - 1]).await.expect_problem(401, "unauthorized", "copied as a whole");
    let detail = "needs the role `viewer` or `operator` or `admin`; the token `sdk` has the role `sdk`";
    shut.send(Role::Sdk, "GET", "/api/v1/flags", "").await.expect_problem(403, "forbidden", detail);
    let twice = [("authorization", "Bearer a"), ("x-api-key", "a")];
    shut.server.send("GET", "/api/v1/flags", &twice, "").await.expect_problem(401, "unauthorized", "more than one");
    shut.server.send("GET", "/api/v1/flags", &[("x-api-key", text)], "").await.expect(200);
    let first = Server::start().await;
    let body = r#"{"name": "app", "role": "sdk"}"#;
    first.post("/api/v1/tokens", body).await.expect_problem(409, "no_admin", "the first token is an admin's");
    for (body, detail) in [
        ("{}", "`role`"),
        (r#"{"role": "root"}"#, "`viewer`"),
        (r#"{"role": "admin"}"#, "token"),
        (r#"{"name": "a", "role": "admin", "expires": "90"}"#, "unit"),
        (r#"{"nme": "a"}"#, "nme"),
    ] {
        first.post("/api/v1/tokens", body).await.expect_problem(400, "bad_request", detail);
    }
}

/// From the first token on everybody is asked; strangers learn nothing but that the server lives.
#[actix_web::test]
async fn invariant_10_the_first_token_shuts_the_server() {
    let server = Server::start().await;
    server.get("/api/v1/flags").await.expect(200);
    let created = server.post("/api/v1/tokens", r#"{"name": "root", "role": "admin"}"#).await.expect(201);
    assert_eq!(created.header("cache-control"), "no-store");
    let (created, before) = (created.json(), server.shared.control().position());
    server.get("/api/v1/flags").await.expect(401);
    assert_eq!(server.get("/readyz").await.expect(200).json(), serde_json::json!({"ready": true}));
    server.get("/healthz").await.expect(200);
    let secret = created["secret"].as_str().unwrap();
    let listed = with(&server, secret, "GET", "/api/v1/tokens", "").await.expect(200);
    assert!(!listed.text.contains("hash") && !listed.text.contains(&secret[secret.len() - 49..]), "{}", listed.text);
    let path = format!("/api/v1/tokens/{}", created["id"].as_str().unwrap());
    with(&server, secret, "DELETE", &path, "").await.expect_problem(409, "no_admin", "last admin");
    assert_eq!(server.shared.control().position(), before);
}

/// A token that ends takes its streams along; others stay.
#[actix_web::test]
async fn invariant_10_streams_end_with_their_token() {
    let shut = Shut::start().await;
    let (_, brief) = make(&shut.server, "brief", Role::Sdk, Some("1h")).await;
    let service = init_service(app(&shut.server.shared)).await;
    let mut bodies = Vec::new();
    for token in [shut.secret(Role::Sdk), brief.reveal(), shut.secret(Role::Viewer)] {
        let bearer = ("authorization", format!("Bearer {token}"));
        let request = TestRequest::get().uri("/api/v1/stream").insert_header(bearer).to_request();
        let response = call_service(&service, request).await;
        assert_eq!(response.status(), 200);
        let mut body = Box::pin(response.into_body());
        assert!(next(&mut body).await.is_some(), "the snapshot");
        bodies.push(body);
    }
    let control = shut.server.shared.control();
    assert_eq!(control.tokens().iter().map(|token| token.streams).sum::<usize>(), 3);
    control.revoke_token(shut.tokens[&Role::Sdk].0, false, Actor::default()).await.unwrap();
    while next(&mut bodies[0]).await.is_some() {}
    shut.server.clock.advance(Duration::from_secs(3_600));
    control.tick().await;
    while next(&mut bodies[1]).await.is_some() {}
    control.halt(Actor::default()).await.unwrap();
    assert!(next(&mut bodies[2]).await.is_some(), "the viewer's goes on");
}

/// So do all events as lines: what breaks off is not taken for the whole.
#[actix_web::test]
async fn invariant_10_lines_end_with_their_token() {
    let shut = Shut::start().await;
    let control = shut.server.shared.control();
    let event = |number: usize| daybreak_control::Event {
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        kind: "e".to_owned(),
        subject: Some(format!("n/{number}")),
        actor: None,
        reason: None,
        data: serde_json::Value::Null,
    };
    for number in 0..EVENTS_PAGE_MAX {
        control.note_event(event(number)).await.unwrap();
    }
    let service = init_service(app(&shut.server.shared)).await;
    let bearer = ("authorization", format!("Bearer {}", shut.secret(Role::Viewer)));
    let request = TestRequest::get().uri("/api/v1/events?format=jsonl").insert_header(bearer).to_request();
    let mut body = Box::pin(call_service(&service, request).await.into_body());
    assert!(next(&mut body).await.is_some_and(|page| page.lines().count() == EVENTS_PAGE_MAX));
    control.revoke_token(shut.tokens[&Role::Viewer].0, false, Actor::default()).await.unwrap();
    let rest = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await;
    let why: Box<dyn std::error::Error> = rest.expect("there is more").expect_err("it breaks off").into();
    assert!(why.to_string().contains("revoked"), "{why}");
}

async fn next(body: &mut std::pin::Pin<Box<impl MessageBody>>) -> Option<String> {
    let bytes = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await?;
    Some(String::from_utf8_lossy(&bytes.ok()?).into_owned())
}

/// The role `evaluate` sees the flags for clients, without their rules.
#[actix_web::test]
async fn evaluate_sees_the_flags_for_clients() {
    let shut = Shut::start().await;
    let apply = "flags:
  public: { default: off, client: true, rules: [ { name: secret-rule, when: { plan: pro }, serve: on } ] }
  waits: { default: on, client: true, prerequisites: { retired: on } }";
    shut.send(Role::Admin, "POST", "/api/v1/apply", apply).await.expect(200);
    let context = r#"{"context": {"targetingKey": "ada", "plan": "pro"}}"#;
    let own = shut.send(Role::Evaluate, "POST", BULK, context).await.expect(200);
    let all = shut.send(Role::Sdk, "POST", BULK, context).await.expect(200);
    let flags = own.json()["flags"].as_array().unwrap().clone();
    assert_eq!((flags.len(), &flags[0]["key"], &flags[0]["value"]), (2, &"public".into(), &true.into()));
    for secret in ["secret-rule", "retired"] {
        assert!(!own.text.contains(secret) && all.text.contains(secret), "{secret}: {}", own.text);
    }
    assert!(all.json()["flags"].as_array().unwrap().len() > 5);
    assert_ne!(own.header("etag"), all.header("etag"), "each is the tag of what was seen");
    let one = shut.send(Role::Evaluate, "POST", &format!("{BULK}/public"), context).await.expect(200);
    assert!(!one.text.contains("secret-rule"), "{}", one.text);
    let hidden = shut.send(Role::Evaluate, "POST", &format!("{BULK}/plain"), context).await.expect(404).text;
    let absent = shut.send(Role::Evaluate, "POST", &format!("{BULK}/absent"), context).await.expect(404).text;
    assert_eq!(hidden.replace("plain", "absent"), absent, "one that is hidden is not told from one that is not there");
}

/// What takes risk away comes at any rate, and so do reports; the rest is limited by token, and failures by address.
#[actix_web::test]
async fn limits() {
    let mut shut = Shut::start().await;
    let hourly = |burst| Some(Quota::per_hour(NonZeroU32::new(burst).unwrap()));
    let limits = RateLimits { token: hourly(2), address: hourly(3), failures: hourly(1), streams_per_token: 0 };
    shut.server.shared = shut.server.shared.limited(&limits);
    let statuses = async |role, method: &str, path: &str| {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(shut.send(role, method, path, "").await.status.as_u16());
        }
        statuses
    };
    assert_eq!(statuses(Role::Operator, "GET", "/api/v1/flags").await, [200, 200, 429]);
    let limited =
        shut.send(Role::Operator, "GET", "/api/v1/flags", "").await.expect_problem(429, "rate_limited", "token");
    assert!(limited.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(statuses(Role::Operator, "PUT", "/api/v1/halt").await, [200; 3]);
    assert_eq!(statuses(Role::Operator, "POST", "/api/v1/faults/slow/stop").await, [200; 3]);
    assert_eq!(statuses(Role::Sdk, "POST", "/api/v1/reports").await, [400; 3]);
    assert_eq!(statuses(Role::Viewer, "GET", "/api/v1/stream").await, [429; 3], "no stream is allowed");
    let wrong = || with(&shut.server, "zzz", "GET", "/api/v1/flags", "");
    assert_eq!([wrong().await.status.as_u16(), wrong().await.status.as_u16()], [401, 429]);
    assert_eq!(statuses(Role::Admin, "GET", "/api/v1/flags").await, [200, 200, 429], "nobody is shut out by others");
    let stranger = || shut.server.get("/openapi.json");
    let strangers = [stranger().await, stranger().await, stranger().await, stranger().await];
    assert_eq!(strangers.map(|answer| answer.status.as_u16()), [200, 200, 200, 429]);
    for path in ["/healthz", "/readyz"] {
        shut.server.get(path).await.expect(200);
    }
    assert_eq!(rates::per_second(0), None);
}

/// Who did it is the token; an admin's calls are recorded, and no secret ever is.
#[actix_web::test]
async fn who_asks_is_recorded() {
    let shut = Shut::start().await;
    shut.send(Role::Operator, "POST", "/api/v1/flags/plain/disable", "").await.expect(200);
    shut.send(Role::Admin, "GET", "/api/v1/tokens", "").await.expect(200);
    let control = shut.server.shared.control();
    let used = EventFilter { kind: Some("token.used".to_owned()), ..EventFilter::default() };
    while control.events(used.clone(), 10).await.unwrap().events.is_empty() {
        tokio::task::yield_now().await;
    }
    let events = shut.send(Role::Viewer, "GET", "/api/v1/events?limit=1000", "").await.expect(200);
    let event = |kind: &str| {
        let json = events.json();
        json["events"].as_array().unwrap().iter().find(|event| event["kind"] == kind).unwrap().clone()
    };
    assert_eq!(event("flag.disabled")["actor"], "operator");
    assert_eq!(event("token.used")["actor"], "admin");
    assert_eq!(
        event("token.used")["data"],
        serde_json::json!({"method": "GET", "path": "/api/v1/tokens", "status": 200})
    );
    for role in Role::ALL {
        assert!(!events.text.contains(shut.secret(role)));
    }
    // What only reads is recorded once an hour, what hands out secrets or changes something each time.
    let used_after = async |calls: &[(&str, &str)], expected: usize| {
        for (method, path) in calls {
            shut.send(Role::Admin, method, path, "").await;
        }
        loop {
            let count = control.events(used.clone(), 100).await.unwrap().events.len();
            assert!(count <= expected, "{calls:?}");
            if count == expected {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let (tokens, backup) = ("/api/v1/tokens", "/api/v1/backup");
    used_after(&[("GET", tokens), ("GET", backup), ("POST", tokens), ("GET", tokens), ("GET", backup)], 4).await;
    shut.server.clock.advance(Duration::from_secs(3_600));
    used_after(&[("GET", tokens), ("GET", tokens), ("DELETE", "/api/v1/tokens/zzz")], 6).await;
    let debug = format!("{:?}", shut.server.shared);
    assert!(!debug.contains(shut.secret(Role::Admin)));
}

/// An override of what stands against a start is an admin's.
#[actix_web::test]
async fn only_an_admin_may_override() {
    let shut = Shut::start().await;
    for role in Role::ALL {
        let token = shut.server.shared.control().authenticate(shut.secret(role)).unwrap();
        assert_eq!(Caller::Holder(token).may_override(), role == Role::Admin, "{role}");
    }
    assert!(Caller::Local.may_override() && !Caller::Anonymous.may_override());
}
