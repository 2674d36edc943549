//! Streams that break, lie, or say more than is known.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use daybreak_model::Key;
use daybreak_model::wire::ClientState;
use parking_lot::Mutex;

use super::fake::{Connection, Fake, eventually};
use super::{
    LONG, REPORTS, SNAPSHOT, STREAM, change, client, client_with_flags, event, f, otherwise, position, quick, reply,
    snapshot,
};
use crate::worker::pace::Pace;

/// A good stream whose second part goes wrong: the client keeps its flags, comes back with where it stood, and
/// takes up what follows.
#[track_caller]
fn check_broken(what: &'static str, breaks: impl Fn(&mut Connection) + Send + Sync + 'static) {
    let fake = Fake::start(move |request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "test", "on")));
            breaks(&mut connection);
        }
        (STREAM, _) => {
            connection.begin_stream();
            connection.send(&change(6, "off"));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, quick());
    let again = fake.wait_for(what, |request| request.path == STREAM && request.number == 1);
    assert_eq!(again.header("last-event-id"), Some(position(5).as_str()), "{what}");
    eventually(what, || f(&client) == Some(false) && client.status().state == ClientState::Streaming);
    assert_eq!(client.status().position.unwrap().to_string(), position(6), "{what}");
}

#[test]
fn invariant_6_a_stream_that_breaks_is_taken_up_where_it_broke() {
    check_broken("closed between events", |_| {});
    check_broken("closed within an event", |connection| connection.send("event: change\ndata: {\"posi"));
    check_broken("closed within a character", |connection| {
        connection.send_bytes(b"data: \xf0\x9f");
    });
    check_broken("no text", |connection| {
        connection.send_bytes(b"event: change\ndata: \xff\xfe\n\n");
    });
    check_broken("no JSON", |connection| connection.send(&event("change", "{")));
    check_broken("another form", |connection| connection.send(&event("change", "[1, 2]")));
    check_broken("a position that is none", |connection| connection.send(&event("change", r#"{"position":"7"}"#)));
    check_broken("deep JSON", |connection| connection.send(&event("change", &"[".repeat(10_000))));
}

/// Sends a piece until nobody takes it any more.
fn endless(piece: &[u8]) -> impl Fn(&mut Connection) + Send + Sync + 'static {
    let piece = piece.repeat(1_024);
    move |connection| while connection.send_bytes(&piece) {}
}

/// Invariant 6: the client hangs up on whoever goes on for ever; that its memory is bounded meanwhile is the
/// reader's own test.
#[test]
fn invariant_6_a_stream_without_end_is_left() {
    check_broken("garbage without a line", endless(b"\x00\xff"));
    check_broken("garbage in lines", endless(b"garbage\n"));
    check_broken("one event for ever", endless(b"data: a\n"));
    check_broken("one line for ever", |connection| {
        connection.send("event: snapshot\ndata: ");
        endless(b"{")(connection);
    });
    check_broken("a comment for ever", |connection| {
        connection.send(": ");
        endless(b"a")(connection);
    });
}

#[test]
fn garbage_that_looks_like_a_stream_is_silence() {
    let fake = Fake::start(|request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            connection.begin_stream();
            endless(b"garbage: a\n\n")(&mut connection);
        }
        (STREAM, _) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "test", "off")));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    });
    let pace = super::Pace { silent_after: Duration::from_millis(100), ..quick() };
    let client = client_with_flags(&fake, pace);
    eventually("the next stream", || f(&client) == Some(false));
}

#[test]
fn what_is_not_known_is_ignored() {
    let fake = Fake::start(|request, mut connection| {
        if request.path != STREAM {
            return otherwise(&request, &mut connection);
        }
        connection.begin_stream();
        connection.send("\u{feff}: welcome\r\nretry: 9\r\n\r\n");
        connection.send(&event("later", "{\"what\": \"nobody knows\"}"));
        connection.send("data: no name\n\nid: 7\nother: field\n\n");
        connection.send(&format!("data: {}\rid: x\revent: snapshot\r\r", snapshot(5, "test", "on")));
        connection.send(&event("later", "no JSON"));
        connection.send(&event("heartbeat", "{}"));
        connection.send(&change(6, "off"));
        connection.hold();
    });
    let client = client(&fake, quick());
    eventually("flags", || f(&client) == Some(false) && client.status().state == ClientState::Streaming);
    assert_eq!(fake.count(STREAM), 1, "and the stream goes on");
}

#[test]
fn who_says_only_what_is_not_known_is_no_server() {
    let fake = Fake::start(|request, mut connection| match request.path.as_str() {
        STREAM => {
            connection.begin_stream();
            while connection.send_bytes(event("later", "{}").as_bytes()) {
                std::thread::yield_now();
            }
        }
        SNAPSHOT => connection.answer("200 OK", "", &snapshot(5, "test", "off")),
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, quick());
    eventually("it polls", || client.status().state == ClientState::Polling && f(&client) == Some(false));
}

#[test]
fn another_environment_is_refused() {
    let fake = Fake::start(|request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "staging", "on")));
        }
        (STREAM, _) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(9, "production", "off")));
            connection.hold();
        }
        (SNAPSHOT, _) => connection.answer("200 OK", "", &snapshot(9, "production", "off")),
        _ => otherwise(&request, &mut connection),
    });
    // The stream comes first: whoever is first heard decides.
    let client = client(&fake, super::Pace { poll_after: LONG, ..quick() });
    fake.wait_for("a third try", |request| request.path == STREAM && request.number == 2);
    eventually("it is no contact", || client.status().state == ClientState::Disconnected);
    assert_eq!((f(&client), client.status().environment.as_deref()), (Some(true), Some("staging")));
}

#[test]
fn a_client_built_for_an_environment_takes_no_other_from_the_first_on() {
    let fake = Fake::start(|request, mut connection| match request.path.as_str() {
        STREAM => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(9, "staging", "off")));
            connection.hold();
        }
        SNAPSHOT => connection.answer("200 OK", "", &snapshot(9, "staging", "off")),
        _ => otherwise(&request, &mut connection),
    });
    let core = super::core(&fake.url(), Some("production"));
    let life = super::start_at(quick(), &core, None, None).unwrap();
    let client = crate::Client::new(core, life);
    fake.wait_for("a second try", |request| request.path == STREAM && request.number == 1);
    fake.wait_for("a second poll", |request| request.path == SNAPSHOT && request.number == 1);
    assert_eq!((f(&client), client.status().state), (None, ClientState::Starting));
}

#[test]
fn a_goodbye_is_followed_by_another_stream_and_no_polling() {
    let fake = Fake::start(|request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "test", "on")));
            connection.send(&event("goodbye", "{\"jitter\": 30}"));
            connection.hold();
        }
        (STREAM, _) => {
            connection.begin_stream();
            connection.send(&change(6, "off"));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, super::Pace { poll_after: LONG, ..quick() });
    eventually("the next stream", || f(&client) == Some(false));
    assert_eq!((client.status().state, fake.count(SNAPSHOT)), (ClientState::Streaming, 0));
}

#[test]
fn listeners_hear_of_every_flag_that_a_segment_touches() {
    let flag = r#"{"variants":{"off":false,"on":true},"default":"off","rules":[{"name":"r","when":{"segment":"s"},"serve":"on"}]}"#;
    let needs = r#"{"variants":{"off":false,"on":true},"default":"on","prerequisites":{"uses":"on"}}"#;
    let segments = |revision: u64, country: &str| {
        let when = format!(r#"{{"attribute":{{"attribute":"country","test":{{"equals":"{country}"}}}}}}"#);
        format!(r#""segments":{{"s":{{"level":1,"revision":{revision},"resource":{{"when":{when}}}}}}}"#)
    };
    let enveloped = |flag: &str| format!(r#"{{"level":1,"revision":5,"resource":{flag}}}"#);
    let first = format!(
        r#"{{"position":"{}","environment":"test","flags":{{"uses":{},"needs":{}}},{}}}"#,
        position(5),
        enveloped(flag),
        enveloped(needs),
        segments(5, "DE"),
    );
    let next = format!(r#"{{"position":"{}",{}}}"#, position(6), segments(6, "FR"));
    let begin = Arc::new(std::sync::Barrier::new(2));
    let listening = Arc::clone(&begin);
    let fake = Fake::start(move |request, mut connection| {
        if request.path != STREAM {
            return otherwise(&request, &mut connection);
        }
        connection.begin_stream();
        connection.send(&event("snapshot", &first));
        listening.wait();
        connection.send(&event("change", &next));
        connection.hold();
    });
    let client = client(&fake, quick());
    eventually("flags", || client.status().state == ClientState::Streaming);
    let heard: Arc<Mutex<BTreeSet<Key>>> = Arc::default();
    let news = Arc::clone(&heard);
    client.on_change(move |keys| news.lock().extend(keys.iter().cloned()));
    begin.wait();
    eventually("both are told", || heard.lock().iter().map(Key::as_str).eq(["needs", "uses"]));
}

/// A server serves streams apart from all others, and tells them by the first request of their connection.
#[test]
fn a_stream_never_goes_on_where_a_report_has_been() {
    let (reported, reports) = mpsc::channel();
    let (reported, reports) = (Mutex::new(reported), Mutex::new(reports));
    let others = Arc::new(Mutex::new(Vec::<String>::new()));
    let own = Arc::clone(&others);
    let fake = Fake::start(move |request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "test", "on")));
            // By the time of the second, the connection of the first is one that could be used again.
            let reports = reports.lock();
            (0..3).for_each(|_| reports.recv().unwrap());
        }
        (STREAM, _) => {
            connection.begin_stream();
            connection.send(&change(6, "off"));
            connection.hold();
        }
        (REPORTS, _) => {
            let next = connection.keep_answering(REPORTS, &reply("test"), || {
                let _ = reported.lock().send(());
            });
            own.lock().extend(next);
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, Pace { poll_after: LONG, poll_after_loss: LONG, ..quick() });
    fake.wait_for("a stream on a connection of its own", |request| request.path == STREAM && request.number == 1);
    eventually("the stream goes on", || f(&client) == Some(false));
    assert!(others.lock().is_empty(), "{:?} came where a report had been", others.lock());
}
