//! The stream: a snapshot or what was missed, then each change once.

use daybreak_document::Source;
use daybreak_model::wire::{Message, Position, Snapshot, StoreId};
use daybreak_model::{Flag, Kind, Millis};

use crate::testing::{Bench, TestClient, read};
use crate::{Actor, Control, Precondition, Subscription};

async fn toggle(control: &Control, on: bool) {
    let (none, actor) = (Precondition::None, Actor::default());
    let toggled = if on {
        control.enable(Kind::Flag, "new-checkout", none, actor).await
    } else {
        control.disable(Kind::Flag, "new-checkout", none, actor).await
    };
    assert!(toggled.unwrap().changed);
}

/// The positions that a stream leads through, backlog first.
fn positions(stream: &mut Subscription) -> Vec<u64> {
    let live: Vec<_> = std::iter::from_fn(|| stream.live.try_recv().ok()).collect();
    let frames = stream.backlog.iter().chain(&live);
    frames.filter_map(|frame| read(frame).position()).map(|position| position.revision).collect()
}

#[tokio::test]
async fn a_snapshot_first_and_then_changes() {
    let Bench { control, .. } = Bench::new().await;
    let mut stream = control.subscribe(None).await;
    let Message::Snapshot(snapshot) = read(&stream.backlog[0]) else { panic!("a snapshot comes first") };
    assert_eq!((snapshot.position, snapshot.environment.as_str()), (control.position(), "test"));
    assert!(snapshot.segments["eu"].decode::<daybreak_model::Segment>().is_ok());
    toggle(&control, false).await;
    let Message::Change(change) = read(&stream.live.try_recv().unwrap()) else { panic!("a change comes next") };
    let flag: Flag = change.flags["new-checkout"].as_ref().unwrap().decode().unwrap();
    assert!(!flag.enabled && change.segments.is_empty());
    control.delete(Kind::Flag, "new-checkout", Precondition::None, Actor::default()).await.unwrap();
    let Message::Change(change) = read(&stream.live.try_recv().unwrap()) else { panic!("a change comes next") };
    assert!(change.flags["new-checkout"].is_none());
    assert_eq!(control.open_streams(), 1);
    drop(stream);
    assert_eq!(control.open_streams(), 0);
}

#[tokio::test]
async fn resuming_has_no_gap_and_no_duplicate() {
    let Bench { control, .. } = Bench::new().await;
    let start = control.position();
    for step in 0..10 {
        toggle(&control, step % 2 == 1).await;
    }
    for missed in 0..=10 {
        let last = Position { revision: start.revision + missed, ..start };
        let mut stream = control.subscribe(Some(last)).await;
        assert_eq!(positions(&mut stream), (last.revision + 1..=start.revision + 10).collect::<Vec<_>>());
    }
    let elsewhere = Position { store: StoreId::new(99), ..start };
    for last in [None, Some(elsewhere), Some(Position { revision: start.revision + 11, ..start })] {
        let stream = control.subscribe(last).await;
        assert!(matches!(read(&stream.backlog[0]), Message::Snapshot(_)), "{last:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribing_amid_changes_misses_nothing() {
    let Bench { control, .. } = Bench::new().await;
    let writer = control.clone();
    let writing = tokio::spawn(async move {
        for step in 0..200 {
            toggle(&writer, step % 2 == 1).await;
        }
    });
    let mut streams = Vec::new();
    while !writing.is_finished() && streams.len() < 100 {
        let last = control.position();
        streams.push(control.subscribe(None).await);
        streams.push(control.subscribe(Some(last)).await);
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
    let end = control.position().revision;
    for mut stream in streams {
        let seen = positions(&mut stream);
        let whole = seen.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(whole && seen.last().is_none_or(|last| *last == end), "{seen:?}");
    }
}

#[tokio::test]
async fn who_connects_learns_of_runs_and_of_a_halt() {
    let bench = Bench::new().await;
    TestClient::new(1).report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    let stream = bench.control.subscribe(None).await;
    let Message::Runs(runs) = read(stream.backlog.last().unwrap()) else { panic!("the runs come last") };
    assert_eq!((runs.started, runs.halted), (vec![id], false));
    bench.control.halt(Actor::default()).await.unwrap();
    let stream = bench.control.subscribe(Some(bench.control.position())).await;
    let Message::Runs(runs) = read(stream.backlog.last().unwrap()) else { panic!("the halt comes last") };
    assert_eq!((runs.started.len(), runs.halted), (0, true));
}

#[tokio::test]
async fn a_goodbye_with_jitter_and_a_heartbeat() {
    let Bench { control, .. } = Bench::new().await;
    let mut stream = control.subscribe(None).await;
    assert!(matches!(read(&control.heartbeat()), Message::Heartbeat));
    assert!(control.health().ready);
    control.shut_down(Millis::from_secs(5));
    let said = read(&stream.live.try_recv().unwrap());
    assert!(matches!(said, Message::Goodbye(goodbye) if goodbye.jitter == Millis::from_secs(5)));
    assert!(!control.health().ready);
    let source = Source::new("body", "default: off");
    assert!(control.put(Kind::Flag, "dark", source, Precondition::None, Actor::default()).await.is_err());
}

#[tokio::test]
async fn the_polled_snapshot_is_encoded_once_and_holds_no_runs() {
    let bench = Bench::new().await;
    TestClient::new(1).report(&bench.control);
    bench.start("gateway-slow").await.unwrap();
    let state = bench.control.state();
    let (first, second) = (state.wire_snapshot(), state.wire_snapshot());
    assert_eq!(first.as_ptr(), second.as_ptr());
    let snapshot: Snapshot = serde_json::from_slice(&first).unwrap();
    assert_eq!(snapshot.flags.len(), 1);
    assert!(!String::from_utf8_lossy(&first).contains("gateway"));
}
