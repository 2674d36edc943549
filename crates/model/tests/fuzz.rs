//! No text that server and SDK could send each other makes a reader panic, and what one takes it reads again, the
//! same, from what it writes.
//!
//! `cargo test` runs it for a second, and the kept corpus first; `BOLERO_RANDOM_TEST_TIME_MS=60000` runs longer.

use std::fmt::Debug;
use std::time::Duration;

use daybreak_model::wire::{Baggage, Message, Position, Reply, Report, RunSpec};
use daybreak_model::{Condition, Context, Flag};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Whole messages, which are edited.
const SEEDS: [&str; 8] = [
    r#"{"client":"00000000000000000000000000000007","sequence":3,"service":"shop","sdk":{"name":"rust","version":"1"},"position":"00c0ffee00c0ffee:42","state":"streaming","faults":{"allowed":true,"in_flight":1},"runs":["0000000000000007"],"unsupported":[],"operations":{"GET /":{"requests":7,"open":1}},"points":{"a.b":{"passes":7,"unscoped":1,"requests":{"GET /":6},"permitted":true}},"arms":[{"run":"0000000000000007","stage":0,"arm":"treated","operation":"GET /","counts":{"requests":7}}],"evaluations":{"a":{"variants":{"on":7},"errors":1}},"goodbye":false}"#,
    r#"{"environment":"test","position":"00c0ffee00c0ffee:42","now":"2026-11-23T10:00:00Z","lease":"10s","interval":"2s","halted":false,"runs":[{"id":"0000000000000007","stage":0,"percentage":"0.001%","cap":64,"ends_at":"2026-11-23T10:10:00Z","spec":{"level":1,"revision":7,"resource":{"fault":"a"}}}]}"#,
    r#"{"position":"00c0ffee00c0ffee:42","environment":"test","flags":{"a":{"level":1,"revision":7,"resource":{"variants":{"on":true},"default":"on"}}},"segments":{}}"#,
    r#"{"position":"00c0ffee00c0ffee:43","flags":{"a":null},"segments":{"b":{"level":9,"revision":8,"resource":[]}},"ack":true}"#,
    r#"{"position":"00c0ffee00c0ffee:43","started":["0000000000000007"],"ended":["0000000000000008"],"halted":true,"jitter":"50ms"}"#,
    r#"{"fault":"a","point":"b.c","operation":"GET /","when":{"not":{"country":{"in":["DE",7]}}},"segments":{"s":{"plan":"vip"}},"protect":["s"],"by":"request","salt":"s","effect":{"latency":{"normal":{"mean":"300ms","sd":"50ms"},"max":"1s"},"error":{"status":503}},"times":1,"shadow":false}"#,
    "daybreak=00000000000000000000000000000abc;op=POST%20/checkout;0000000000000007.0.t;0000000000000008.2.c, a=b;c",
    "00c0ffee00c0ffee:42",
];

/// What an edit writes: what means something to JSON, to a header or to one of our texts.
const FRAGMENTS: [&str; 32] = [
    "",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u00",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "%",
    "%2",
    "120%",
    "5",
    "999999999999h",
    "ms",
    ";",
    "=",
    ".",
    " ",
    "\u{7f}",
    "ß",
    "😀",
    "9999-12-31T23:59:60Z",
    "\"a\":{}",
    "daybreak=",
];

/// The input as a text: as it stands after a space, else as edits of a seed.
fn text(bytes: &[u8]) -> String {
    let Some((&first, rest)) = bytes.split_first() else { return String::new() };
    if first == b' ' {
        return String::from_utf8_lossy(rest).into_owned();
    }
    let mut characters: Vec<char> = SEEDS[usize::from(first) % SEEDS.len()].chars().collect();
    for edit in rest.chunks_exact(4).take(4) {
        let start = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % (characters.len() + 1);
        let end = (start + usize::from(edit[2] % 8)).min(characters.len());
        characters.splice(start..end, FRAGMENTS[usize::from(edit[3]) % FRAGMENTS.len()].chars());
    }
    characters.into_iter().collect()
}

/// Reads JSON; what was taken is written and read again.
fn read<T: Serialize + DeserializeOwned + Debug>(text: &str) {
    if let Ok(taken) = serde_json::from_str::<T>(text) {
        let written = |taken: &T| serde_json::to_string(taken).unwrap_or_else(|why| panic!("{why}: {taken:?}"));
        let first = written(&taken);
        let again = serde_json::from_str(&first).unwrap_or_else(|why| panic!("{why}: {first} of {text}"));
        assert_eq!(written(&again), first, "{text}");
    }
}

#[test]
fn messages_between_server_and_sdk() {
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes: &[u8]| {
        let text = text(bytes);
        read::<Report>(&text);
        read::<Reply>(&text);
        read::<RunSpec>(&text);
        read::<Flag>(&text);
        read::<Condition>(&text);
        for event in ["snapshot", "change", "runs", "heartbeat", "goodbye", "unheard-of"] {
            if let Ok(Some(message)) = Message::read(event, &text) {
                let data = message.data().unwrap_or_else(|why| panic!("{why}: {message:?}"));
                let again = Message::read(event, &data).ok().flatten().and_then(|again| again.data().ok());
                assert_eq!(again, Some(data), "{text}");
            }
        }
        if let Ok(Some(baggage)) = Baggage::from_header(&text) {
            assert_eq!(Baggage::from_header(&baggage.to_string()), Ok(Some(baggage)), "{text}");
        }
        if let Ok(position) = text.parse::<Position>() {
            assert_eq!(position.to_string().parse(), Ok(position), "{text}");
        }
        if let Ok(json) = serde_json::from_str(&text) {
            let _ = Context::from_json(&json);
        }
    });
}
