//! OFREP's stream of events: it tells who should ask again, and whoever does gets what it told of.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::test::{TestRequest, call_service, init_service};
use daybreak_control::tokens::{NewToken, Role};
use daybreak_control::{Actor, ApplyOptions, Precondition};
use daybreak_document::Source;
use daybreak_model::Kind;
use daybreak_server::rates::per_second;
use daybreak_server::{RateLimits, app};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use crate::harness::Server;

const BULK: &str = "/ofrep/v1/evaluate/flags";

type Body = Pin<Box<dyn MessageBody<Error = Box<dyn std::error::Error>>>>;

/// Opens a stream, and takes its first frame.
async fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> (Body, String) {
    let service = init_service(app(&server.shared)).await;
    let mut request = TestRequest::get().uri(path).insert_header(("host", "localhost"));
    for (name, value) in headers {
        request = request.insert_header((*name, *value));
    }
    let response = call_service(&service, request.to_request()).await;
    assert_eq!(response.status(), 200, "{path}");
    let mut body: Body = Box::pin(response.into_body().boxed());
    let first = frame(&mut body).await.unwrap();
    (body, first)
}

/// The next frame. The pause is a limit for a test that fails, not one that passes.
async fn frame(body: &mut Body) -> Option<String> {
    let next = poll_fn(|context| body.as_mut().poll_next(context));
    let bytes = tokio::time::timeout(Duration::from_secs(60), next).await.expect("a frame")?.expect("a whole stream");
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

/// Whether nothing is there to be read now.
async fn is_quiet(body: &mut Body) -> bool {
    // Twice, as the first may only find that the server has moved.
    for _ in 0..2 {
        tokio::task::yield_now().await;
        if poll_fn(|context| std::task::Poll::Ready(body.as_mut().poll_next(context).is_ready())).await {
            return false;
        }
    }
    true
}

/// The id and the data of an event.
fn event(frame: &str) -> (&str, Json) {
    let (head, data) = frame.split_once("\nevent: message\ndata: ").unwrap_or_else(|| panic!("no event: {frame}"));
    let data: Json = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
    assert_eq!(data["type"], json!("refetchEvaluation"), "{frame}");
    (head.strip_prefix("id: ").unwrap(), data)
}

/// The URL that a bulk answer names, and its tag.
async fn named(server: &Server, headers: &[(&str, &str)]) -> (String, String) {
    let answer = server.send("POST", BULK, headers, "{}").await.expect(200);
    let bulk = answer.json();
    let stream = &bulk["eventStreams"][0];
    assert_eq!((&stream["type"], &stream["inactivityDelaySec"]), (&json!("sse"), &json!(120)), "{stream}");
    (stream["endpoint"]["requestUri"].as_str().unwrap().to_owned(), answer.header("etag").to_owned())
}

async fn put(server: &Server, flag: &str, document: &str) {
    let answer = server.send("PUT", &format!("/api/v1/flags/{flag}"), &[], document).await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

#[actix_web::test]
async fn an_event_tells_what_the_answer_then_has() {
    let server = Server::start().await;
    let control = server.shared.control().clone();
    let (url, tag) = named(&server, &[]).await;
    let (mut body, first) = open(&server, &url, &[]).await;
    assert!(first.starts_with("id: ") && !first.contains("data"), "no event, but what it has: {first}");
    assert!(is_quiet(&mut body).await);

    control.disable(Kind::Flag, "plain", Precondition::None, Actor::default()).await.unwrap();
    let told = frame(&mut body).await.unwrap();
    let (id, data) = event(&told);
    assert_eq!(data["etag"], json!(control.position().to_string()));
    let path = format!("{BULK}?flagConfigEtag={}", data["etag"].as_str().unwrap());
    let answer = server.send("POST", &path, &[("if-none-match", &tag)], "{}").await.expect(200);
    assert!(answer.text.contains("\"key\":\"plain\",\"reason\":\"DISABLED\""), "{}", answer.text);

    // Neither faults nor hours are told of.
    let hours = "{time_zone: UTC, weekdays: mon..sun, times: [\"00:00-24:00\"], description: x}";
    server.send("PUT", "/api/v1/hours/always", &[], hours).await.expect(200);
    tokio::time::sleep(daybreak_server::limits::EVENTS_APART).await;
    assert!(is_quiet(&mut body).await);

    // Who comes back with what it was told is told of no more; who missed something is, at once.
    let (mut back, greeting) = open(&server, &url, &[("last-event-id", id)]).await;
    assert_eq!(greeting, format!("id: {id}\n\n"));
    assert!(is_quiet(&mut back).await);
    for (path, last) in [(url.as_str(), ""), (url.as_str(), "nonsense"), ("/ofrep/v1/events?since=", "")] {
        let (_, missed) = open(&server, path, &[("last-event-id", last)]).await;
        assert_eq!(event(&missed), (id, data.clone()), "{path} {last}");
    }
    let (_, greeting) = open(&server, "/ofrep/v1/events", &[]).await;
    assert_eq!(greeting, format!("id: {id}\n\n"), "who has nothing misses nothing");

    server.shared.closing().close();
    assert_eq!(frame(&mut body).await, None, "the stream ends");
}

/// Whatever comes meanwhile comes as one, so that a client which waits for a pause gets to ask.
#[actix_web::test]
async fn changes_that_come_quickly_are_told_of_together() {
    let server = Server::start().await;
    let (url, _) = named(&server, &[]).await;
    let (mut body, _) = open(&server, &url, &[]).await;
    put(&server, "plain", "{default: off}").await;
    frame(&mut body).await.unwrap();
    for number in 0..20 {
        put(&server, "plain", &format!("{{default: on, description: '{number}'}}")).await;
    }
    let last = server.shared.control().position().to_string();
    let told = frame(&mut body).await.unwrap();
    assert_eq!(event(&told).1["etag"], json!(last));
    tokio::time::sleep(daybreak_server::limits::EVENTS_APART).await;
    assert!(is_quiet(&mut body).await);
}

/// Those that share a token share its rate: if all asked at once, most would be refused, and have what was before.
#[actix_web::test]
async fn many_with_one_token_are_told_one_by_one() {
    let mut server = Server::start().await;
    change(&server, "first").await;
    token(&server, Role::Admin).await;
    let secret = token(&server, Role::Evaluate).await;
    tokio::time::pause();
    let quota = per_second(10).unwrap().allow_burst(60.try_into().unwrap());
    let limits = RateLimits { token: Some(quota), ..RateLimits::default() };
    // Half of the burst holds 30. At half of the rate 20 ask once each within four seconds, and 50 within ten.
    for (pages, soon, pace) in [(20, 20..=20, Duration::from_secs(4)), (50, 0..=25, Duration::from_secs(10))] {
        server.shared = server.shared.clone().limited(&limits);
        let (url, _) = named(&server, &[("x-api-key", secret.as_str())]).await;
        let mut streams = Vec::new();
        for _ in 0..pages {
            streams.push(open(&server, &url, &[]).await.0);
        }
        let mut told = Vec::new();
        for number in 0..2 {
            let began = Instant::now();
            change(&server, &format!("{pages} {number}")).await;
            let hear = streams.iter_mut().map(async |body| {
                event(&frame(body).await.unwrap());
                began.elapsed()
            });
            told.push((began, futures_util::future::join_all(hear).await));
        }
        let [(first, one), (second, other)] = told.try_into().unwrap();
        let early = one.iter().filter(|after| **after < Duration::from_secs(1)).count();
        assert!(soon.contains(&early) && one.iter().all(|after| *after <= pace), "{pages}: {one:?}");
        let apart = one.iter().zip(&other).map(|(one, other)| (second + *other) - (first + *one));
        assert!(apart.min().unwrap() >= pace, "{pages}: {one:?}, then {other:?}");
    }
}

/// Changes a flag, by nobody whose requests are counted.
async fn change(server: &Server, description: &str) {
    let document = format!("flags: {{ plain: {{ default: on, client: true, description: '{description}' }} }}");
    let source = vec![Source::new("test.yaml", document)];
    server.shared.control().apply(source, ApplyOptions::default(), Actor::named("test")).await.unwrap();
}

/// A token of this role, of a server that asks for tokens from then on.
async fn token(server: &Server, role: Role) -> String {
    let new = NewToken { name: role.to_string(), role, expires: None };
    let (_, secret) = server.shared.control().create_token(new, Actor::named("test")).await.unwrap();
    secret.reveal().to_owned()
}

#[actix_web::test]
async fn invariant_10_who_sees_flags_for_clients_hears_of_them_alone() {
    let server = Server::start().await;
    put(&server, "far", "{default: on}").await;
    put(&server, "behind", "{default: on, prerequisites: {far: on}}").await;
    put(&server, "public", "{default: on, client: true, prerequisites: {behind: on}}").await;
    let admin = token(&server, Role::Admin).await;
    let secret = token(&server, Role::Evaluate).await;
    let page = [("x-api-key", secret.as_str())];
    let change = async |method: &str, path: &str, body: &str| {
        let answer = server.send(method, path, &[("x-api-key", &admin)], body).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    };
    // What is changed, and whether a page is told.
    let cases = [
        ("PUT", "/api/v1/flags/plain", "{default: off}", false),
        ("DELETE", "/api/v1/flags/whole", "", false),
        ("PUT", "/api/v1/flags/hidden", "{default: on}", false),
        ("PUT", "/api/v1/flags/far", "{default: off}", true),
        ("PUT", "/api/v1/flags/behind", "{default: off, prerequisites: {far: on}}", true),
        ("PATCH", "/api/v1/flags/public", "{metadata: {team: web}}", true),
        ("PUT", "/api/v1/segments/vip", "{when: {plan: gold}}", true),
        ("PATCH", "/api/v1/flags/hidden", "{client: true}", true),
        ("PATCH", "/api/v1/flags/public", "{client: false}", true),
        ("DELETE", "/api/v1/flags/hidden", "", true),
    ];
    for (method, path, body, told) in cases {
        let (url, tag) = named(&server, &page).await;
        let (mut events, _) = open(&server, &url, &[]).await;
        let (all, _) = named(&server, &[("x-api-key", &admin)]).await;
        change(method, path, body).await;
        assert_eq!(is_quiet(&mut events).await, !told, "{method} {path} {body}");
        let status = if told { 200 } else { 304 };
        server.send("POST", BULK, &[page[0], ("if-none-match", &tag)], "{}").await.expect(status);
        let (_, missed) = open(&server, &all, &[]).await;
        event(&missed);
    }
}

#[actix_web::test]
async fn a_ticket_takes_the_place_of_the_token() {
    let mut server = Server::start().await;
    let (open_url, _) = named(&server, &[]).await;
    assert!(!open_url.contains("ticket"), "nobody is asked for one");
    token(&server, Role::Admin).await;
    let secret = token(&server, Role::Evaluate).await;
    let page = [("x-api-key", secret.as_str())];
    let (url, tag) = named(&server, &page).await;
    assert!(url.contains("&ticket=") && !url.contains(&secret), "{url}");
    assert_eq!(named(&server, &page).await.0, url, "it stays the same, so that connections do");

    open(&server, &url, &[]).await;
    open(&server, "/ofrep/v1/events", &page).await;
    let (since, ticket) = url.split_once("&ticket=").unwrap();
    for path in [open_url.clone(), since.to_owned(), format!("{since}&ticket="), format!("{url}0")] {
        server.get(&path).await.expect_problem(401, "unauthorized", "");
    }
    // It opens nothing else, and is no token.
    for path in [format!("{BULK}?ticket={ticket}"), format!("{BULK}/plain?ticket={ticket}")] {
        server.post(&path, "{}").await.expect_problem(401, "unauthorized", "");
    }
    server.get(&format!("/api/v1/stream?ticket={ticket}")).await.expect_problem(401, "unauthorized", "");
    server.send("POST", BULK, &[("x-api-key", ticket)], "{}").await.expect_problem(401, "unauthorized", "");

    // Who is told that nothing has changed has a ticket that opens; once it is another, everything is answered anew.
    server.send("POST", BULK, &[page[0], ("if-none-match", &tag)], "{}").await.expect(304);
    server.clock.advance(Duration::from_secs(3_600));
    open(&server, &url, &[]).await;
    let anew = server.send("POST", BULK, &[page[0], ("if-none-match", &tag)], "{}").await.expect(200);
    assert_ne!(anew.header("etag"), tag);
    server.clock.advance(Duration::from_secs(3_600));
    server.get(&url).await.expect_problem(401, "unauthorized", "evaluate all flags again");

    // Its streams are its token's.
    let (url, _) = named(&server, &page).await;
    let (mut body, _) = open(&server, &url, &[]).await;
    server.shared = server.shared.clone().limited(&RateLimits { streams_per_token: 1, ..RateLimits::default() });
    server.get(&url).await.expect_problem(429, "rate_limited", "streams are open with this token");
    let control = server.shared.control();
    let id = control.tokens().iter().find(|token| token.role == Role::Evaluate).unwrap().id;
    control.revoke_token(id, false, Actor::default()).await.unwrap();
    assert_eq!(frame(&mut body).await, None, "it ends with its token");
    server.get(&url).await.expect_problem(401, "unauthorized", "");
}

/// Nobody who was told of something is answered with what was before it.
#[actix_web::test]
async fn a_barrier_holds_until_the_state_is_there() {
    let server = Server::start().await;
    let control = server.shared.control().clone();
    let at = control.position();
    let next = format!("{}:{}", at.store, at.revision + 1);
    let path = format!("{BULK}?flagConfigEtag={next}");
    let waits = server.send("POST", &path, &[], "{}");
    let changes = async {
        tokio::task::yield_now().await;
        control.disable(Kind::Flag, "plain", Precondition::None, Actor::default()).await.unwrap();
    };
    let (answer, ()) = futures_util::future::join(waits, changes).await;
    assert!(answer.expect(200).text.contains("\"key\":\"plain\",\"reason\":\"DISABLED\""));

    // What is known, what is of another store, and what is none of ours hold nobody up.
    let known = control.position();
    for told in [format!("{known}"), format!("W/%22{known}%22"), "0000000000000001:999".to_owned(), "x".to_owned()] {
        server
            .post(&format!("{BULK}?flagConfigEtag={told}&flagConfigLastModified=1771622898&more=x"), "{}")
            .await
            .expect(200);
    }
    tokio::time::pause();
    let far = format!("{BULK}?flagConfigEtag={}:{}", known.store, known.revision + 1);
    let late = server.post(&far, "{}").await.expect_problem(503, "not_ready", "does not have");
    assert_eq!(late.header("retry-after"), "1");
    assert_eq!((&late.json()["errorCode"], &late.json()["errorDetails"]), (&json!("GENERAL"), &late.json()["detail"]));
}

/// What the framework and the front refuse says what OpenFeature's clients look for.
#[actix_web::test]
async fn problems_are_in_openfeatures_words_too() {
    let server = Server::start().await;
    let large = "x".repeat(daybreak_model::limits::CONTEXT_BYTES_MAX + 1);
    let too_large = server.post(BULK, &large).await.expect_problem(413, "too_large", "").json();
    token(&server, Role::Admin).await;
    let stranger = server.post(BULK, "{}").await.expect_problem(401, "unauthorized", "").json();
    for problem in [too_large, stranger] {
        assert_eq!((&problem["errorCode"], &problem["errorDetails"]), (&json!("GENERAL"), &problem["detail"]));
    }
    let elsewhere = server.get("/api/v1/flags").await.expect_problem(401, "unauthorized", "").json();
    assert!(elsewhere.get("errorCode").is_none(), "{elsewhere}");
}

/// The sum of the series of `/metrics` that begin so.
async fn counted(server: &Server, begin: &str) -> u64 {
    let text = server.send("GET", "/metrics", &[], "").await.expect(200).text;
    let series = text.lines().filter(|line| line.starts_with(begin)).filter_map(|line| line.rsplit_once(' '));
    series.map(|(_, value)| value.parse::<f64>().unwrap() as u64).sum()
}

#[actix_web::test]
async fn streams_and_evaluations_are_numbers() {
    let server = Server::start().await;
    let (open_now, ended) = ("daybreak_ofrep_streams ", "daybreak_ofrep_streams_ended_total{reason=\"client_gone\"}");
    let (one, _) = open(&server, "/ofrep/v1/events", &[]).await;
    let (mut other, _) = open(&server, "/ofrep/v1/events", &[]).await;
    assert_eq!((counted(&server, open_now).await, counted(&server, ended).await), (2, 0));
    drop(one);
    assert_eq!((counted(&server, open_now).await, counted(&server, ended).await), (1, 1));
    let bulk = server.send("POST", BULK, &[], "{}").await.expect(200).json();
    let flags = bulk["flags"].as_array().unwrap().len() as u64;
    server.send("POST", &format!("{BULK}/plain"), &[], "{}").await.expect(200);
    let all = "daybreak_ofrep_evaluations_total{asked=\"all\"";
    let flag = "daybreak_ofrep_evaluations_total{asked=\"flag\",outcome=\"served\"}";
    assert_eq!((counted(&server, all).await, counted(&server, flag).await), (flags, 1));
    server.shared.closing().close();
    while frame(&mut other).await.is_some() {}
    drop(other);
    let stopping = "daybreak_ofrep_streams_ended_total{reason=\"stopping\"}";
    assert_eq!((counted(&server, open_now).await, counted(&server, stopping).await), (0, 1));
    assert_eq!(counted(&server, "daybreak_ofrep_streams_opened_total").await, 2);
}
