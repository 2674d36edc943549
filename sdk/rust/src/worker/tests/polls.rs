//! Where no stream gets through; and servers that refuse, or say nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daybreak_model::Context;
use daybreak_model::wire::ClientState;

use super::fake::{Fake, eventually};
use super::{Pace, REPORTS, SNAPSHOT, STREAM, begin, client, client_with_flags, event, f, otherwise, quick, snapshot};
use crate::Reason;

/// A poll that knows where the server stands is answered with 304, at the price of a head.
#[test]
fn a_stream_that_says_nothing_is_polled_until_it_speaks() {
    let speak = Arc::new(AtomicBool::new(false));
    let spoken = Arc::clone(&speak);
    let fake = Fake::start(move |request, mut connection| match request.path.as_str() {
        STREAM => {
            // As a proxy that lets the head through, and keeps the rest.
            connection.begin_stream();
            eventually("the test has seen enough", || spoken.load(Ordering::SeqCst));
            connection.send(&event("snapshot", &snapshot(7, "test", "off")));
            connection.hold();
        }
        SNAPSHOT => {
            let tag = format!("\"{}\"", super::position(5));
            match request.header("if-none-match") {
                Some(known) if known == tag => connection.answer("304 Not Modified", "", ""),
                _ => connection.answer("200 OK", &format!("etag: {tag}\r\n"), &snapshot(5, "test", "on")),
            }
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, quick());
    eventually("flags", || f(&client) == Some(true) && client.status().state == ClientState::Polling);
    let later = fake.wait_for("another poll", |request| request.path == SNAPSHOT && request.number == 2);
    assert_eq!(later.header("if-none-match"), Some(format!("\"{}\"", super::position(5)).as_str()));
    assert_eq!((f(&client), fake.count(STREAM)), (Some(true), 1), "the stream is given its time");
    speak.store(true, Ordering::SeqCst);
    eventually("it speaks", || f(&client) == Some(false) && client.status().state == ClientState::Streaming);
    let report = fake.wait_for("a report", |request| {
        request.path == REPORTS && String::from_utf8_lossy(&request.body).contains("\"streaming\"")
    });
    assert!(!report.body.is_empty());
}

#[test]
fn polling_follows_changes_and_keeps_them_for_the_next_start() {
    let fake = Fake::start(move |request, mut connection| match request.path.as_str() {
        SNAPSHOT if request.number == 0 => connection.answer("200 OK", "", &snapshot(5, "test", "on")),
        SNAPSHOT => connection.answer("200 OK", "", &snapshot(6, "test", "off")),
        _ => otherwise(&request, &mut connection),
    });
    let folder = tempfile::tempdir().unwrap();
    let client = begin(&fake, quick(), None, Some(folder.path()));
    eventually("the change", || f(&client) == Some(false) && client.status().state == ClientState::Polling);
    drop(client);
    let nobody = Fake::start(|_, _| {});
    let core = super::core(&fake.url(), None);
    drop(nobody);
    let cache = super::super::cache::Cache::new(folder.path(), &core.settings);
    eventually("the cache is written", || {
        let Some(kept) = cache.read() else { return false };
        let crate::served::Begin::Cache(kept) = kept else { return false };
        kept.position.revision == 6
    });
}

#[test]
fn a_client_that_begins_with_its_cache_belongs_to_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start(move |request, mut connection| match request.path.as_str() {
        STREAM => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(9, "production", "off")));
            connection.hold();
        }
        SNAPSHOT => connection.answer("200 OK", "", &snapshot(9, "production", "off")),
        _ => otherwise(&request, &mut connection),
    });
    let core = super::core(&fake.url(), None);
    let cache = super::super::cache::Cache::new(folder.path(), &core.settings);
    cache.write(&serde_json::from_str(&snapshot(3, "staging", "on")).unwrap());
    let client = begin(&fake, quick(), None, Some(folder.path()));
    assert_eq!(f(&client), Some(true));
    fake.wait_for("a second try", |request| request.path == STREAM && request.number == 1);
    let detail = client.bool_detail("f", &Context::default(), false);
    assert_eq!((detail.value, detail.reason), (true, Reason::Cached), "another environment is no contact");
    assert_eq!(client.status().environment.as_deref(), Some("staging"));
}

/// Each route answers so; then the server recovers.
#[track_caller]
fn check_refusal(what: &'static str, status: &'static str, body: &'static str) {
    let recovered = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&recovered);
    let fake = Fake::start(move |request, mut connection| match request.path.as_str() {
        _ if !well.load(Ordering::SeqCst) => connection.answer(status, "", body),
        STREAM => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "test", "off")));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client_with_flags(&fake, quick());
    for path in [STREAM, SNAPSHOT, REPORTS] {
        fake.wait_for(what, |request| request.path == path && request.number == 2);
    }
    let detail = client.bool_detail("f", &Context::default(), false);
    assert_eq!((detail.value, detail.reason), (true, Reason::Cached), "{what}");
    assert_eq!(client.status().state, ClientState::Starting, "{what}");
    recovered.store(true, Ordering::SeqCst);
    eventually(what, || f(&client) == Some(false) && client.status().state == ClientState::Streaming);
}

#[test]
fn invariant_6_whatever_a_server_answers_flags_stay() {
    check_refusal("unauthorised", "401 Unauthorized", "{}");
    check_refusal("forbidden", "403 Forbidden", "{}");
    check_refusal("not there", "404 Not Found", "");
    check_refusal("too long", "413 Content Too Large", "");
    check_refusal("too many", "429 Too Many Requests", "");
    check_refusal("broken", "500 Internal Server Error", "oh");
    check_refusal("away", "503 Service Unavailable", "");
    check_refusal("something else", "200 OK", "<!DOCTYPE html><title>Sign in</title>");
    check_refusal("nothing", "204 No Content", "");
    check_refusal("a redirect to nowhere", "302 Found", "");
}

#[test]
fn an_answer_without_end_is_left() {
    let fake = Fake::start(move |request, mut connection| match request.path.as_str() {
        STREAM => connection.answer("404 Not Found", "", ""),
        _ => {
            connection.send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
            let piece = b"[".repeat(10_000);
            while connection.send_bytes(&piece) {}
        }
    });
    let client = client_with_flags(&fake, quick());
    fake.wait_for("another poll", |request| request.path == SNAPSHOT && request.number == 2);
    fake.wait_for("another report", |request| request.path == REPORTS && request.number == 1);
    assert_eq!((f(&client), client.status().state), (Some(true), ClientState::Starting));
}

#[test]
fn a_server_that_accepts_and_says_nothing_costs_nothing() {
    let fake = Fake::start(|_, connection| connection.hold());
    let short = Duration::from_millis(30);
    let pace = Pace { silent_after: short, poll_timeout: short, report_timeout: short, ..quick() };
    let client = client_with_flags(&fake, pace);
    for path in [STREAM, SNAPSHOT, REPORTS] {
        fake.wait_for("another try", |request| request.path == path && request.number == 2);
    }
    assert_eq!((f(&client), client.status().state), (Some(true), ClientState::Starting));
}

#[test]
fn a_server_that_hangs_up_costs_nothing() {
    let fake = Fake::start(|_, connection| drop(connection));
    let client = client_with_flags(&fake, quick());
    for path in [STREAM, SNAPSHOT, REPORTS] {
        fake.wait_for("another try", |request| request.path == path && request.number == 2);
    }
    assert_eq!((f(&client), client.status().state), (Some(true), ClientState::Starting));
}

#[test]
fn a_server_that_goes_away_leaves_its_flags() {
    let fake = Fake::start(|request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "test", "on")));
        }
        _ => drop(connection),
    });
    let client = client(&fake, quick());
    eventually("it is lost", || client.status().state == ClientState::Disconnected);
    assert_eq!(f(&client), Some(true));
}
