//! Bringing a backup back.

use std::io::Cursor;

use daybreak_model::Kind;
use futures_util::StreamExt;

use crate::testing::{Bench, TestClient, is_ready, read};
use crate::{Actor, Control, Precondition, Refusal};

async fn backup(control: &Control) -> Vec<u8> {
    let pieces: Vec<_> = control.backup().await.unwrap().collect().await;
    pieces.into_iter().flat_map(Result::unwrap).collect()
}

async fn toggle(control: &Control) -> Result<crate::Changed, Refusal> {
    control.disable(Kind::Flag, "new-checkout", Precondition::None, Actor::default()).await
}

#[tokio::test]
async fn invariant_9_what_is_no_backup_changes_nothing() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let whole = backup(control).await;
    for bytes in [Vec::new(), b"flags: {}".to_vec(), whole[..whole.len() / 2].to_vec()] {
        let refused = control.restore(Box::new(Cursor::new(bytes)), Actor::default()).await;
        assert!(matches!(refused, Err(Refusal::Backup(_))), "{refused:?}");
    }
    assert!(!control.is_to_restart() && control.health().ready);
    assert!(toggle(control).await.unwrap().changed);
}

/// From the moment that a backup is in place nothing of the store that goes is acknowledged, and nothing injects.
#[tokio::test]
async fn invariant_3_a_restore_ends_every_run() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let mut client = TestClient::new(1);
    client.report(control);
    let run = bench.start("gateway-slow").await.unwrap().run.id;
    let mut stream = control.subscribe(Some(control.position())).await;
    let mut restart = Box::pin(control.restart_asked());
    assert!(!is_ready(&mut restart));
    let whole = Box::new(Cursor::new(backup(control).await));
    let restored = control.restore(whole, Actor::named("ada")).await.unwrap();
    assert_eq!(restored.from.revision, restored.position.revision);
    assert_ne!(restored.from.store, restored.position.store);
    assert!(is_ready(&mut restart) && control.is_to_restart());
    assert!(!control.run(run).unwrap().active && client.report(control).runs.is_empty());
    let told = std::iter::from_fn(|| stream.live.try_recv().ok())
        .any(|frame| matches!(read(&frame), daybreak_model::wire::Message::Runs(runs) if runs.ended.contains(&run)));
    assert!(told);
    assert!(matches!(toggle(control).await, Err(Refusal::ShuttingDown)));
    assert!(matches!(bench.start("stock-slow").await, Err(Refusal::ShuttingDown)));
    assert!(control.restore(Box::new(Cursor::new(Vec::new())), Actor::default()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn one_backup_is_taken_at_a_time() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let first = control.backup().await.unwrap();
    assert!(matches!(control.backup().await, Err(Refusal::BackupUnderWay)));
    // Its end is seen: the next may begin.
    let _: Vec<_> = first.collect().await;
    drop(control.backup().await.unwrap());
    // Given up: the next may begin, once that is noticed.
    tokio::task::yield_now().await;
    let slow = control.backup().await.unwrap();
    assert!(matches!(control.backup().await, Err(Refusal::BackupUnderWay)));
    // Nobody takes it.
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    drop(control.backup().await.unwrap());
    drop(slow);
}
