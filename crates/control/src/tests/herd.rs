//! Many that come at once share what they are sent, and a change is sent as what it is, however much stays.

use std::fmt::Write as _;
use std::io::Read as _;

use bytes::Bytes;
use daybreak_document::Source;
use daybreak_model::Kind;
use daybreak_model::wire::{Message, Snapshot};
use flate2::read::GzDecoder;

use crate::testing::{Bench, TestClient, read};
use crate::{Actor, ApplyOptions, Control, Options, Packing, Precondition, Subscription};

const MANY: usize = 10_000;

async fn toggle(control: &Control, flag: &str, on: bool) {
    let (none, actor) = (Precondition::None, Actor::default());
    let toggled = match on {
        true => control.enable(Kind::Flag, flag, none, actor).await,
        false => control.disable(Kind::Flag, flag, none, actor).await,
    };
    assert!(toggled.unwrap().changed);
}

/// All that a stream was sent so far.
fn sent(stream: &mut Subscription) -> Vec<u8> {
    let live: Vec<_> = std::iter::from_fn(|| stream.live.try_recv().ok()).collect();
    let live = live.into_iter().flat_map(|message| stream.packing.pack(message));
    stream.backlog.iter().cloned().chain(live).collect::<Vec<Bytes>>().concat()
}

/// The same, unpacked. The stream goes on, so it has no end.
fn unpacked(packed: &[u8]) -> Vec<u8> {
    let (mut text, mut decoder) = (Vec::new(), GzDecoder::new(packed));
    let error = decoder.read_to_end(&mut text).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    text
}

#[tokio::test]
async fn a_packed_stream_says_the_same() {
    let Bench { control, .. } = Bench::new().await;
    let last = control.position();
    toggle(&control, "new-checkout", false).await;
    for last in [None, Some(last), Some(control.position())] {
        let mut plain = control.subscribe(last).await;
        let mut packed = control.subscribe_packed(last, Packing::Gzip).await;
        toggle(&control, "new-checkout", true).await;
        toggle(&control, "new-checkout", false).await;
        let (plain, packed) = (sent(&mut plain), sent(&mut packed));
        assert_eq!(String::from_utf8(unpacked(&packed)).unwrap(), String::from_utf8(plain).unwrap(), "{last:?}");
    }
}

#[tokio::test]
async fn who_comes_later_shares_the_snapshot_that_others_were_sent() {
    let Bench { control, .. } = Bench::new().await;
    let first = control.subscribe(None).await;
    toggle(&control, "new-checkout", false).await;
    let mut later = control.subscribe(None).await;
    assert_eq!(first.backlog[0].as_ptr(), later.backlog[0].as_ptr(), "nothing is encoded anew");
    let Message::Change(change) = read(&later.backlog[1]) else { panic!("what has changed since then follows") };
    assert_eq!(change.position, control.position());
    assert_eq!(later.backlog.len(), 2);
    toggle(&control, "new-checkout", true).await;
    assert!(matches!(read(&later.live.try_recv().unwrap()), Message::Change(_)));

    // Not without end: a short snapshot is sooner sent than a long story.
    let mut changes = 0;
    while control.subscribe(None).await.backlog[0].as_ptr() == first.backlog[0].as_ptr() {
        toggle(&control, "new-checkout", changes % 2 == 1).await;
        changes += 1;
        assert!(changes < 1_000, "everybody would be told all of it");
    }
    assert!(changes > 20, "{changes}");
    let anew = control.subscribe(None).await;
    let Message::Snapshot(snapshot) = read(&anew.backlog[0]) else { panic!("a snapshot comes first") };
    assert_eq!((snapshot.position, anew.backlog.len()), (control.position(), 1));
}

#[tokio::test]
async fn a_snapshot_is_encoded_once_and_packed_once() {
    let Bench { control, .. } = Bench::new().await;
    let state = control.state();
    let (line, packed) = (state.encoded().await, state.packed().await);
    let mut text = Vec::new();
    GzDecoder::new(&packed.whole()[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, line);
    assert_eq!(line, state.wire_snapshot());
    let snapshot: Snapshot = serde_json::from_slice(&line).unwrap();
    assert_eq!(snapshot.position, control.position());
    assert_eq!(packed.whole().as_ptr(), state.packed().await.whole().as_ptr(), "it is packed once");
}

/// A document of many flags, and a segment that some of them use.
fn many() -> String {
    let mut text = "segments: { beta: { when: { plan: pro } } }\nflags:\n".to_owned();
    for flag in 0..MANY {
        let rules =
            if flag % 100 == 0 { ", rules: [ { name: some, when: { segment: beta }, serve: on } ]" } else { "" };
        writeln!(text, "  flag-{flag}: {{ default: off{rules} }}").unwrap();
    }
    text + "hours: { always: { time_zone: UTC, weekdays: mon..sun, times: [\"00:00-24:00\"] } }\n\
            faults: { slow: { point: payment.gateway, percentage: 1%, effect: { latency: 1ms }, hours: always, \
            guard: none, max_duration: 5m } }\n"
}

#[tokio::test]
async fn a_change_among_ten_thousand_flags_is_sent_as_bytes() {
    let bench = Bench::empty(Options::new("test")).await;
    let control = &bench.control;
    control.apply(vec![Source::new("many.yaml", many())], ApplyOptions::default(), Actor::default()).await.unwrap();
    TestClient::new(1).report(control);
    let whole = control.state().encoded().await.len();
    assert!(whole > 80 * MANY, "{whole}");
    let packed = control.state().packed().await.whole().len();
    assert!(packed * 10 < whole, "{packed} of {whole}");

    let mut stream = control.subscribe(Some(control.position())).await;
    assert!(stream.backlog.is_empty());
    toggle(control, "flag-77", false).await;
    let source = Source::new("body", "{ when: { plan: free } }");
    control.put(Kind::Segment, "beta", source, Precondition::None, Actor::default()).await.unwrap();
    bench.start("slow").await.unwrap();
    control.halt(Actor::default()).await.unwrap();
    let messages: Vec<_> = std::iter::from_fn(|| stream.live.try_recv().ok()).collect();
    assert!(messages.len() >= 4, "{}", messages.len());
    for message in messages {
        assert!(message.len() < 512, "{} bytes: {}", message.len(), String::from_utf8_lossy(&message));
    }
}
