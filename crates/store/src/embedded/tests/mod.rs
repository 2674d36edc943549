//! The store in a file: what it keeps, and what shares a transaction.

mod backups;
mod events;
mod failing;
mod opening;
mod power_loss;

use std::sync::mpsc;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::conformance::{at, event};
use crate::{Message, conformance};

fn options(folder: &Path) -> EmbeddedOptions<'_> {
    EmbeddedOptions::new(folder, StoreId::new(1))
}

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(options(folder)).unwrap()
}

/// A change that puts one entry.
fn put(name: &str, value: u64) -> Change {
    Change { meta: [(name.to_owned(), Some(json!(value).into()))].into(), ..Change::default() }
}

/// Keeps the writing thread busy until what is returned is dropped, so that everything else waits for one transaction.
fn hold(store: &EmbeddedStore) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    drop(store.write(move |_| {
        let _ = begun.send(());
        let _ = released.recv();
        Ok(Ok(()))
    }));
    begins.recv().unwrap();
    release
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms() {
    let folders = parking_lot::Mutex::new(Vec::new());
    conformance::run(|| async {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path());
        folders.lock().push(folder);
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn invariant_8_what_was_acknowledged_is_there_after_opening_again() {
    let folder = TempDir::new().unwrap();
    let key = "dark".parse().unwrap();
    let message = Message { to: "hook".to_owned(), at: at(0), body: json!(1) };
    let bucket = crate::ReportBucket { series: "slos/a".to_owned(), start: at(0), counts: json!(1.000_000_1) };
    let halt = Halt { at: Some(at(0)), actor: None, reason: Some("pager".to_owned()) };
    let change = Change {
        resources: [((daybreak_model::Kind::Flag, key), Some(json!({"share": 0.1}).into()))].into(),
        runs: [(daybreak_model::RunId::new(7), Some(json!("active").into()))].into(),
        events: vec![event("flag.changed", "flags/dark", 1)],
        outbox: vec![message.clone()],
        ..put("protect", 1)
    };
    let before = {
        let store = open(folder.path());
        store.commit(Expected::Revision(0), change).await.unwrap();
        store.append(vec![event("halt", "halt", 2)]).await.unwrap();
        store.put_notes([("tokens/a".to_owned(), Some(json!(2)))].into()).await.unwrap();
        store.put_reports(vec![bucket.clone()], at(-1)).await.unwrap();
        store.put_halt(halt.clone()).await.unwrap();
        store.load().await.unwrap()
    };
    let store = EmbeddedStore::open(EmbeddedOptions { new_id: StoreId::new(2), ..options(folder.path()) }).unwrap();
    assert_eq!(store.load().await.unwrap(), before);
    assert_eq!(before.position, Position { store: StoreId::new(1), revision: 1 });
    let kinds: Vec<_> = store.events(EventFilter::default(), 10).await.unwrap().events;
    assert_eq!(kinds.iter().map(|event| (event.id, event.revision)).collect::<Vec<_>>(), [(2, None), (1, Some(1))]);
    assert_eq!(store.notes(String::new()).await.unwrap(), [("tokens/a".to_owned(), json!(2))].into());
    assert_eq!(store.reports("slos/a".to_owned(), at(0), at(1)).await.unwrap(), [bucket]);
    assert_eq!(store.halt().await.unwrap(), Some(halt));
    let taken = store.take(10, at(0), Millis::ZERO).await.unwrap();
    assert_eq!(taken.iter().map(|delivery| (delivery.id, &delivery.message)).collect::<Vec<_>>(), [(1, &message)]);
    assert_eq!(store.commit(Expected::Revision(1), Change::default()).await.unwrap().revision, 2);
}

#[tokio::test]
async fn what_waits_shares_a_transaction_and_each_is_answered_for_itself() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let before = store.stats();
    let held = hold(&store);
    // One after the other, each at the revision that the one before makes; and one that comes too late.
    let commits: Vec<_> = (0..50).map(|n| store.commit(Expected::Revision(n), put("n", n))).collect();
    let late = store.commit(Expected::Revision(0), put("n", 99));
    let noted = store.put_notes([("a".to_owned(), Some(json!(1)))].into());
    drop(held);
    for (n, commit) in commits.into_iter().enumerate() {
        assert_eq!(commit.await.unwrap().revision, n as u64 + 1);
    }
    assert!(matches!(late.await, Err(StoreError::Conflict { at }) if at.revision == 50));
    noted.await.unwrap();
    let after = store.stats();
    assert_eq!((after.changes - before.changes, after.transactions - before.transactions), (50, 1));
    assert_eq!(after.syncs - before.syncs, 1, "one transaction waits for the disk once");
    assert_eq!(store.load().await.unwrap().meta["n"].document, json!(49).into());
    // What changes nothing does not wait for the disk.
    store.take(10, at(0), Millis::ZERO).await.unwrap();
    store.acknowledge(vec![7]).await.unwrap();
    assert_eq!(store.stats(), after);
}

#[tokio::test]
async fn a_store_that_is_dropped_has_done_what_it_was_asked_for() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    (0..20).for_each(|n| drop(store.commit(Expected::Any, put("n", n))));
    drop(store);
    assert_eq!(open(folder.path()).load().await.unwrap().position.revision, 20);
}
