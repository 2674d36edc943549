//! Changes that come at once are committed together, and each is a revision of its own.

use daybreak_document::Source;
use daybreak_model::Kind;
use tokio::task::JoinHandle;

use crate::testing::{Bench, read};
use crate::turn::WAITING_MAX;
use crate::{Actor, Changed, Control, Precondition, Refusal};

type Answer = JoinHandle<Result<Changed, Refusal>>;

fn put(control: &Control, key: &str, text: &str, precondition: Precondition) -> Answer {
    let (control, key, source) = (control.clone(), key.to_owned(), Source::new("body", text));
    tokio::spawn(async move { control.put(Kind::Flag, &key, source, precondition, Actor::named("ada")).await })
}

fn enable(control: &Control, key: &str) -> Answer {
    let (control, key) = (control.clone(), key.to_owned());
    tokio::spawn(async move { control.enable(Kind::Flag, &key, Precondition::None, Actor::default()).await })
}

/// Has the store hang over a first change; what comes then waits for its turn.
async fn hang(bench: &Bench) -> Answer {
    bench.store.hang();
    let first = put(&bench.control, "first", "default: off", Precondition::None);
    let before = bench.store.commits();
    while bench.store.commits() == before {
        tokio::task::yield_now().await;
    }
    first
}

async fn queued(bench: &Bench, changes: usize) {
    while bench.control.inner.queue.lock().len() < changes {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn changes_that_wait_are_committed_together() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let at = control.position().revision;
    let mut stream = control.subscribe(Some(control.position())).await;
    let first = hang(&bench).await;
    let commits = bench.store.commits();
    let wait: Vec<_> = (0..5).map(|n| put(control, &format!("f{n}"), "default: off", Precondition::None)).collect();
    queued(&bench, 5).await;
    assert_eq!(control.position().revision, at, "nothing is published before it is committed");
    bench.store.release();
    assert_eq!(first.await.unwrap().unwrap().position.revision, at + 1);
    for (n, answer) in wait.into_iter().enumerate() {
        let changed = answer.await.unwrap().unwrap();
        assert_eq!((changed.position.revision, changed.changed), (at + 2 + n as u64, true));
        let key = format!("f{n}");
        assert_eq!(control.state().revision(Kind::Flag, &key), Some(changed.position.revision));
    }
    assert_eq!(bench.store.commits(), commits + 1);
    for revision in at + 1..=at + 6 {
        let message = read(&stream.live.try_recv().unwrap());
        assert_eq!(message.position().map(|position| position.revision), Some(revision));
    }
    let events = control.history(Kind::Flag, "f3", None, 10).await.unwrap().events;
    assert_eq!(events.iter().map(|event| event.revision).collect::<Vec<_>>(), [Some(at + 5)]);
}

/// Each sees what those before it did, though that is not on disk yet.
#[tokio::test]
async fn each_is_checked_against_those_before_it() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let at = control.position().revision;
    let first = hang(&bench).await;
    let one = put(control, "one", "default: off", Precondition::Absent);
    let two = put(control, "one", "default: on", Precondition::Absent);
    let three = put(control, "one", "default: on", Precondition::Revision(at + 2));
    let same = enable(control, "one");
    let wrong = put(control, "one", "default: nothing", Precondition::None);
    queued(&bench, 5).await;
    bench.store.release();
    first.await.unwrap().unwrap();
    assert_eq!(one.await.unwrap().unwrap().position.revision, at + 2);
    assert!(
        matches!(two.await.unwrap(), Err(Refusal::PreconditionFailed { at: Some(seen) }) if seen.revision == at + 2)
    );
    assert_eq!(three.await.unwrap().unwrap().position.revision, at + 3);
    let same = same.await.unwrap().unwrap();
    assert_eq!((same.position.revision, same.changed), (at + 3, false));
    assert!(matches!(wrong.await.unwrap(), Err(Refusal::Invalid(_))));
    assert_eq!(control.position().revision, at + 3);
}

/// Invariant 8: where the store fails, nobody is told of what it does not have, nor of what was seen on top of that.
#[tokio::test]
async fn invariant_8_together_they_fail() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let (position, bytes) = (control.position(), control.state().wire_snapshot());
    let mut stream = control.subscribe(Some(position)).await;
    let first = hang(&bench).await;
    let before = enable(control, "new-checkout");
    let wait = vec![
        put(control, "one", "default: off", Precondition::Absent),
        enable(control, "one"),
        put(control, "one", "default: on", Precondition::Absent),
    ];
    queued(&bench, 4).await;
    bench.store.fail(true);
    bench.store.release();
    assert!(matches!(first.await.unwrap(), Err(Refusal::Store(_))));
    // It saw only what is on disk.
    assert!(!before.await.unwrap().unwrap().changed);
    for answer in wait {
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Err(Refusal::Store(_))), "{answer:?}");
    }
    assert_eq!((control.position(), control.state().wire_snapshot()), (position, bytes));
    assert!(stream.live.try_recv().is_err());
    bench.store.fail(false);
    put(control, "one", "default: off", Precondition::Absent).await.unwrap().unwrap();
    assert_eq!(control.position().revision, position.revision + 1);
}

/// A fault that is disabled while others wait ends its run at once, and is recorded once.
#[tokio::test]
async fn invariant_3_what_ends_a_run_does_not_wait_for_its_turn() {
    let bench = Bench::new().await;
    let control = &bench.control;
    crate::testing::TestClient::new(1).report(control);
    let run = bench.start("gateway-slow").await.unwrap().run.id;
    let first = hang(&bench).await;
    let disable = |key: &'static str| {
        let control = control.clone();
        tokio::spawn(async move { control.disable(Kind::Fault, key, Precondition::None, Actor::named("ada")).await })
    };
    let wait = [disable("gateway-slow"), disable("gateway-down"), disable("stock-slow")];
    queued(&bench, 3).await;
    assert!(!control.run(run).unwrap().active);
    bench.store.release();
    first.await.unwrap().unwrap();
    for answer in wait {
        assert!(answer.await.unwrap().unwrap().changed);
    }
    let filter = daybreak_store::EventFilter { kind: Some("run.ended".to_owned()), ..Default::default() };
    assert_eq!(control.events(filter, 10).await.unwrap().events.len(), 1);
}

/// More than go together: all of them are made, by whoever's turn it is.
#[tokio::test]
async fn however_many_wait_all_are_made() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let at = control.position().revision;
    let first = hang(&bench).await;
    let wait: Vec<_> = (0..700).map(|n| put(control, &format!("f{n}"), "default: off", Precondition::None)).collect();
    queued(&bench, 700).await;
    let commits = bench.store.commits();
    bench.store.release();
    first.await.unwrap().unwrap();
    for answer in wait {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(
        (control.position().revision, bench.store.commits()),
        (at + 701, commits + 700_usize.div_ceil(crate::turn::TOGETHER_MAX))
    );
}

/// What waits is bounded; what turns something off may still wait where others are told to come again.
#[tokio::test]
async fn so_many_changes_wait_and_no_more() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let first = hang(&bench).await;
    let waiting: Vec<_> = (0..WAITING_MAX).map(|_| enable(control, "new-checkout")).collect();
    queued(&bench, WAITING_MAX).await;
    let refused = enable(control, "new-checkout").await.unwrap();
    assert!(matches!(refused, Err(Refusal::TooManyChanges { waiting }) if waiting == WAITING_MAX), "{refused:?}");
    let off = {
        let control = control.clone();
        tokio::spawn(
            async move { control.disable(Kind::Flag, "new-checkout", Precondition::None, Actor::default()).await },
        )
    };
    queued(&bench, WAITING_MAX + 1).await;
    bench.store.release();
    first.await.unwrap().unwrap();
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
    assert!(off.await.unwrap().unwrap().changed);
    assert!(enable(control, "new-checkout").await.unwrap().unwrap().changed, "there is room again");
}
