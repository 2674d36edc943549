//! A disk that fails.

use std::sync::atomic::Ordering;

use futures_util::{FutureExt, StreamExt, TryFutureExt};

use super::*;

fn fill_the_disk(store: &EmbeddedStore, full: bool) {
    store.shared.disk().is_full.store(full, Ordering::SeqCst);
}

/// What is not on disk is not acknowledged, not to be read and not to be watched; and nothing needs a restart.
#[tokio::test]
async fn invariant_8_a_full_disk_changes_nothing_and_passes() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    store.commit(Expected::Any, put("n", 1)).await.unwrap();
    let before = store.load().await.unwrap();
    let mut watch = store.watch(1).await.unwrap();

    fill_the_disk(&store, true);
    let held = hold(&store);
    let at_once: Vec<_> = (1..4).map(|n| store.commit(Expected::Revision(n), put("n", n + 1))).collect();
    drop(held);
    for commit in at_once {
        assert!(matches!(commit.await, Err(StoreError::Unavailable(_))));
    }
    for _ in 0..3 {
        assert!(store.commit(Expected::Any, put("n", 9)).await.is_err());
        assert!(store.append(vec![event("e", "a", 1)]).await.is_err());
    }
    assert!(watch.next().now_or_never().is_none());
    assert!(store.failure().is_some());
    let halt = Halt { at: None, actor: None, reason: Some("pager".to_owned()) };
    store.put_halt(halt.clone()).await.unwrap();

    fill_the_disk(&store, false);
    // The file is opened again by whoever writes next.
    let done = store.commit(Expected::Revision(1), put("n", 2)).await;
    assert_eq!(done.unwrap().revision, 2);
    assert_eq!(store.failure(), None);
    assert_eq!(watch.next().await.unwrap().unwrap().change, put("n", 2));
    assert!(store.events(EventFilter::default(), 10).await.unwrap().events.is_empty());
    drop(store);
    let after = open(folder.path()).load().await.unwrap();
    assert_eq!((after.position.revision, after.meta["n"].document.clone()), (2, json!(2).into()));
    assert_eq!(before.meta["n"].document, json!(1).into());
}

/// What the disk failed to take is read back from memory all the same. Nobody knows whether it lasts, so nobody is told
/// that it does, and nothing is built on it.
#[tokio::test]
async fn invariant_8_what_a_failed_sync_left_is_not_known_to_last() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    store.commit(Expected::Any, put("n", 1)).await.unwrap();
    let mut watch = store.watch(1).await.unwrap();
    assert_eq!(store.failure(), None);
    store.shared.disk().sync_fails.store(true, Ordering::SeqCst);
    let held = hold(&store);
    let both = [
        store.commit(Expected::Revision(1), put("n", 2)),
        store.append(vec![event("e", "a", 1)]).map_ok(|()| Position { store: StoreId::new(1), revision: 0 }).boxed(),
    ];
    drop(held);
    for answer in both {
        let error = answer.await.unwrap_err();
        let told = error.to_string();
        assert!(
            matches!(error, StoreError::Unknown(_)) && told.contains("not known") && told.contains("restart"),
            "{told}"
        );
    }
    for revision in [1, 2] {
        let closed = store.commit(Expected::Revision(revision), put("n", 3)).await;
        assert!(matches!(&closed, Err(StoreError::Unavailable(why)) if why.contains("restart")), "{closed:?}");
    }
    assert!(store.failure().is_some());
    assert!(watch.next().now_or_never().is_none(), "nobody is told");
    let halt = Halt { at: None, actor: None, reason: Some("pager".to_owned()) };
    store.put_halt(halt).await.unwrap();
    assert!(store.load().await.is_ok(), "it is read on");
    drop(store);
    // Another start goes on from what the file holds, whichever it is.
    let store = open(folder.path());
    let contents = store.load().await.unwrap();
    assert_eq!(contents.meta["n"].document, json!(contents.position.revision).into());
    let next = store.commit(Expected::Revision(contents.position.revision), put("n", 9)).await.unwrap();
    assert_eq!(next.revision, contents.position.revision + 1);
}

#[tokio::test]
async fn leading_needs_a_store_that_works() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let ask = || {
        store.lead(LeadershipRequest {
            name: "guard".to_owned(),
            holder: "a".to_owned(),
            now: at(0),
            hold: Millis::from_secs(10),
        })
    };
    assert!(ask().await.is_ok());
    let held = hold(&store);
    let mut waiting = ask();
    assert!((&mut waiting).now_or_never().is_none(), "a thread that is stuck confirms nothing");
    drop(held);
    assert!(waiting.await.is_ok());
}
