use futures_util::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{Commit, conformance};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn options() -> MemoryOptions<'static> {
    MemoryOptions::new(StoreId::new(1))
}

fn halt(reason: &str) -> Halt {
    Halt { at: Some(at(0)), actor: None, reason: Some(reason.to_owned()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms() {
    let folders = parking_lot::Mutex::new(Vec::new());
    conformance::run(|| async {
        let folder = TempDir::new().unwrap();
        let store = MemoryStore::open(MemoryOptions { data: Some(folder.path()), ..options() }).unwrap();
        folders.lock().push(folder);
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn a_watch_that_is_too_slow_is_told() {
    let store = MemoryStore::open(MemoryOptions { commits: 2, ..options() }).unwrap();
    let mut slow = store.watch(0).await.unwrap();
    for _ in 0..3 {
        store.commit(Expected::Any, Change::default()).await.unwrap();
    }
    let behind = |next: Option<Result<Commit, StoreError>>| matches!(next, Some(Err(StoreError::Behind { oldest: 2 })));
    assert!(behind(slow.next().await));
    assert!(slow.next().await.is_none());
    assert!(matches!(store.watch(0).await.err(), Some(StoreError::Behind { oldest: 2 })));
    let mut watch = store.watch(1).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().position.revision, 2);
}

/// What fills a store is not held until many others have come, and whoever watches has seen it.
#[tokio::test]
async fn a_large_commit_is_kept_for_who_watches() {
    let store = MemoryStore::open(options()).unwrap();
    let large = || {
        let text = json!("x".repeat(8 << 20));
        Change { meta: [("n".to_owned(), Some(text.into()))].into(), ..Change::default() }
    };
    store.commit(Expected::Any, large()).await.unwrap();
    assert!(matches!(store.watch(0).await.err(), Some(StoreError::Behind { oldest: 2 })));
    let mut watch = store.watch(1).await.unwrap();
    store.commit(Expected::Any, large()).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().change, large());
    store.commit(Expected::Any, Change::default()).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().position.revision, 3);
    assert!(matches!(store.watch(1).await.err(), Some(StoreError::Behind { oldest: 3 })), "the large one is gone");
}

#[tokio::test]
async fn a_watch_ends_with_its_store() {
    let store = MemoryStore::open(options()).unwrap();
    let mut watch = store.watch(0).await.unwrap();
    drop(store);
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn events_are_kept_within_bounds() {
    let event = |seconds| Event {
        at: at(seconds),
        kind: "e".to_owned(),
        subject: None,
        actor: None,
        reason: None,
        data: Value::Null,
    };
    let check = async |retention: Retention, times: &[i64], expected: &[i64]| {
        let store = MemoryStore::open(MemoryOptions { retention, ..options() }).unwrap();
        for time in times {
            store.append(vec![event(*time)]).await.unwrap();
        }
        let page = store.events(EventFilter::default(), 100).await.unwrap();
        let kept: Vec<_> = page.events.iter().rev().map(|recorded| recorded.event.at.as_second()).collect();
        assert_eq!(kept, expected, "{retention:?}");
    };
    let retention = |events, seconds| Retention { events, age: Millis::from_secs(seconds) };
    check(retention(3, 1_000), &[1, 2, 3, 4], &[2, 3, 4]).await;
    check(retention(100, 10), &[1, 2, 11, 12], &[2, 11, 12]).await;
    check(retention(100, 10), &[1, 50, 45], &[50, 45]).await;
    check(retention(0, 10), &[1], &[]).await;
}

#[tokio::test]
async fn only_the_halt_outlives_it() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("made/on/the/way");
    let open =
        |id| MemoryStore::open(MemoryOptions { data: Some(&data), ..MemoryOptions::new(StoreId::new(id)) }).unwrap();
    let first = open(1);
    first.put_halt(halt("pager")).await.unwrap();
    first
        .commit(Expected::Any, Change { meta: [("n".to_owned(), Some(json!(1).into()))].into(), ..Change::default() })
        .await
        .unwrap();
    drop(first);
    let second = open(2);
    assert_eq!(second.halt().await.unwrap(), Some(halt("pager")));
    assert_eq!(second.load().await.unwrap(), Contents::empty(Position { store: StoreId::new(2), revision: 0 }));
    second.clear_halt().await.unwrap();
    assert_eq!(open(3).halt().await.unwrap(), None);
}

/// What takes risk away holds, even where it cannot be kept; what adds risk does not happen then.
#[tokio::test]
async fn invariant_8_a_halt_that_cannot_be_kept_holds_in_memory() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let store = MemoryStore::open(MemoryOptions { data: Some(&data), ..options() }).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    assert!(matches!(store.put_halt(halt("pager")).await, Err(StoreError::NotDurable { .. })));
    assert_eq!(store.halt().await.unwrap(), Some(halt("pager")));
    assert!(matches!(store.clear_halt().await, Err(StoreError::NotDurable { .. })));
    assert_eq!(store.halt().await.unwrap(), Some(halt("pager")));
    // Once the folder is back, so is everything.
    std::fs::create_dir(&data).unwrap();
    store.clear_halt().await.unwrap();
    assert_eq!(store.halt().await.unwrap(), None);
}
