//! Reports of clients that have much to say, and of those that are asked for more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daybreak_model::wire::Report;
use daybreak_model::{Context, Key};

use super::fake::{Fake, Request, eventually};
use super::{
    LONG, Pace, REPORTS, SNAPSHOT, STREAM, change, client, event, f, otherwise, position, quick, reply, snapshot,
};

const FLAGS: usize = 5_000;
/// What the server, or something on the way to it, takes.
const TAKEN: usize = 100 * 1024;

/// A client that has evaluated many flags stays live, and all counts arrive in the end.
#[test]
fn what_is_too_long_for_one_report_comes_in_several() {
    let flag = r#"{"variants":{"off":false,"on":true},"default":"on"}"#;
    let flags: Vec<String> = (0..FLAGS)
        .map(|number| format!(r#""flag-number-{number}":{{"level":1,"revision":1,"resource":{flag}}}"#))
        .collect();
    let snapshot = format!(r#"{{"position":"{}","environment":"test","flags":{{{}}}}}"#, position(1), flags.join(","));
    let fake = Fake::start(move |request, mut connection| match request.path.as_str() {
        SNAPSHOT => connection.answer("200 OK", "", &snapshot),
        REPORTS if request.body.len() > TAKEN => connection.answer("413 Content Too Large", "", ""),
        REPORTS => connection.answer("200 OK", "", &reply("test")),
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, Pace { snapshot_bytes: 4 * 1024 * 1024, ..quick() });
    let context = Context::default();
    eventually("flags", || client.bool("flag-number-0", &context, false));
    (1..FLAGS).for_each(|number| assert!(client.bool(&format!("flag-number-{number}"), &context, false)));
    let mut counted: BTreeMap<Key, u64> = BTreeMap::new();
    let mut number = 0;
    while counted.len() < FLAGS {
        let request = fake.wait_for("a report", |request| request.path == REPORTS && request.number == number);
        number += 1;
        if request.body.len() <= TAKEN {
            let report: Report = serde_json::from_slice(&request.body).unwrap();
            counted.extend(report.evaluations.into_iter().map(|(flag, counts)| (flag, counts.variants.values().sum())));
        }
    }
    assert!(counted.values().all(|count| *count >= 1));
}

/// A report that only tells where the client stands is answered with a run, perhaps: then the others come as often as
/// that answer asks for, and not as often as the one before it did.
#[test]
fn invariant_5_whoever_is_granted_a_run_by_a_short_report_sends_a_long_one_soon() {
    let asked = Arc::new(AtomicBool::new(false));
    let (told, hurried) = (Arc::clone(&asked), reply("test"));
    let idle = hurried.replace("\"interval\":100", "\"interval\":3600000");
    assert_ne!(idle, hurried);
    let fake = Fake::start(move |request, mut connection| match request.path.as_str() {
        STREAM => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(7, "test", "on")));
            eventually("the client is idle", || told.load(Ordering::SeqCst));
            // Whoever waits for a change hurries nothing else.
            connection.send(&change(8, "off").replace("\"flags\"", "\"ack\":true,\"flags\""));
            connection.hold();
        }
        REPORTS if is_at(&request, 8) => connection.answer("200 OK", "", &hurried),
        REPORTS => connection.answer("200 OK", "", &idle),
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, Pace { report_at_least_every: LONG, ..quick() });
    fake.wait_for("a report", |request| request.path == REPORTS && is_at(request, 7));
    assert_eq!(f(&client), Some(true));
    asked.store(true, Ordering::SeqCst);
    let is_long = |request: &Request| String::from_utf8_lossy(&request.body).contains("\"evaluations\"");
    let short = fake.wait_for("its acknowledgement", |request| request.path == REPORTS && is_at(request, 8));
    assert!(!is_long(&short));
    fake.wait_for("a long report", |request| request.path == REPORTS && is_at(request, 8) && is_long(request));
}

/// Whether a report tells that the client has this revision.
fn is_at(request: &Request, revision: u64) -> bool {
    String::from_utf8_lossy(&request.body).contains(&format!("\"position\":\"{}\"", position(revision)))
}
