//! Commits: all or nothing, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use daybreak_model::RunId;
use futures_util::StreamExt;
use serde_json::json;

use super::{Done, at, event, flag, put};
use crate::{Change, EventFilter, Expected, Message, Store, StoreError, Stored};

pub(super) async fn a_fresh_store_is_empty(store: Arc<dyn Store>) -> Done {
    let contents = store.load().await?;
    assert_eq!(contents.position.revision, 0);
    assert!(contents.resources.is_empty() && contents.runs.is_empty() && contents.meta.is_empty());
    assert!(store.events(EventFilter::default(), 10).await?.events.is_empty());
    assert_eq!(store.halt().await?, None);
    Ok(())
}

pub(super) async fn a_commit_puts_and_removes(store: Arc<dyn Store>) -> Done {
    let run = RunId::new(7);
    let first = Change {
        resources: BTreeMap::from([(flag("a"), Some(json!(1).into())), (flag("b"), Some(json!(1).into()))]),
        runs: BTreeMap::from([(run, Some(json!("active").into()))]),
        meta: BTreeMap::from([("protect".to_owned(), Some(json!(["vip"]).into()))]),
        ..Change::default()
    };
    let one = store.commit(Expected::Revision(0), first).await?;
    let second = Change {
        resources: BTreeMap::from([(flag("b"), Some(json!(2).into())), (flag("a"), None), (flag("never"), None)]),
        meta: BTreeMap::from([("protect".to_owned(), None)]),
        ..Change::default()
    };
    let two = store.commit(Expected::Revision(1), second).await?;
    let three = store.commit(Expected::Revision(2), Change::default()).await?;
    assert_eq!((one.revision, two.revision, three.revision), (1, 2, 3));
    assert_eq!((one.store, two.store), (three.store, three.store));

    let contents = store.load().await?;
    assert_eq!(contents.position, three);
    assert_eq!(contents.resources, BTreeMap::from([(flag("b"), Stored { revision: 2, document: json!(2).into() })]));
    assert_eq!(contents.runs, BTreeMap::from([(run, Stored { revision: 1, document: json!("active").into() })]));
    assert!(contents.meta.is_empty());
    Ok(())
}

pub(super) async fn a_conflict_changes_nothing(store: Arc<dyn Store>) -> Done {
    store.commit(Expected::Revision(0), put("a", 1)).await?;
    let before = store.load().await?;
    let message = Message { to: "hook".to_owned(), at: at(0), body: json!(1) };
    let change = || Change { events: vec![event("a", "a", 0)], outbox: vec![message.clone()], ..put("a", 2) };
    for revision in [0, 2, u64::MAX] {
        let refused = store.commit(Expected::Revision(revision), change()).await;
        assert!(matches!(refused, Err(StoreError::Conflict { at }) if at == before.position), "{refused:?}");
    }
    assert_eq!(store.load().await?, before);
    assert!(store.events(EventFilter::default(), 10).await?.events.is_empty());
    assert!(store.take(10, at(0), daybreak_model::Millis::ZERO).await?.is_empty());
    Ok(())
}

pub(super) async fn several_commits_are_all_or_none(store: Arc<dyn Store>) -> Done {
    let mut watch = store.watch(0).await?;
    let changes = |from: u64| (from..from + 3).map(|n| put("a", n)).collect::<Vec<_>>();
    assert_eq!(store.commit_all(Expected::Revision(0), changes(1)).await?.revision, 3);
    assert!(
        matches!(store.commit_all(Expected::Revision(2), changes(7)).await, Err(StoreError::Conflict { at }) if at.revision == 3)
    );
    assert_eq!(store.commit_all(Expected::Any, changes(4)).await?.revision, 6);
    assert_eq!(store.commit_all(Expected::Revision(6), Vec::new()).await?.revision, 6);
    for n in 1..=6 {
        let seen = watch.next().await.transpose()?;
        assert_eq!(seen.map(|commit| (commit.position.revision, commit.change)), Some((n, put("a", n))));
    }
    let now = store.load().await?;
    assert_eq!(now.resources[&flag("a")], Stored { revision: 6, document: json!({ "value": 6 }).into() });
    Ok(())
}

pub(super) async fn one_commit_wins_at_each_revision(store: Arc<dyn Store>) -> Done {
    for revision in 0..20 {
        let contenders: Vec<_> = (0..8)
            .map(|contender| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let done = store.commit(Expected::Revision(revision), put("a", contender)).await;
                    done.map(|position| (contender, position.revision))
                })
            })
            .collect();
        let mut winners = Vec::new();
        for contender in contenders {
            match contender.await {
                Ok(Ok(winner)) => winners.push(winner),
                Ok(Err(StoreError::Conflict { at })) => assert_eq!(at.revision, revision + 1),
                other => panic!("{other:?}"),
            }
        }
        let [(winner, reached)] = winners[..] else { panic!("at {revision} there won {winners:?}") };
        assert_eq!(reached, revision + 1);
        let contents = store.load().await?;
        assert_eq!(
            contents.resources[&flag("a")],
            Stored { revision: reached, document: json!({ "value": winner }).into() }
        );
    }
    Ok(())
}

pub(super) async fn commits_at_any_revision_all_succeed(store: Arc<dyn Store>) -> Done {
    let committers: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(Expected::Any, put(&format!("f{n}"), n)).await })
        })
        .collect();
    let mut revisions = Vec::new();
    for committer in committers {
        match committer.await {
            Ok(done) => revisions.push(done?.revision),
            Err(error) => panic!("{error}"),
        }
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=8).collect::<Vec<_>>());
    assert_eq!(store.load().await?.resources.len(), 8);
    Ok(())
}

/// Everything that one commit puts has the same number; whoever loads meanwhile never sees two.
pub(super) async fn nothing_is_seen_half_committed(store: Arc<dyn Store>) -> Done {
    let numbered = |n: u64| Change {
        resources: ["a", "b", "c"].map(|key| (flag(key), Some(json!(n).into()))).into(),
        runs: BTreeMap::from([(RunId::new(1), Some(json!(n).into()))]),
        meta: BTreeMap::from([("n".to_owned(), Some(json!(n).into()))]),
        events: vec![event("numbered", "n", 0)],
        ..Change::default()
    };
    store.commit(Expected::Any, numbered(1)).await?;
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for n in 2..=200 {
                store.commit(Expected::Any, numbered(n)).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, StoreError>(())
        }
    });
    loop {
        let contents = store.load().await?;
        let revision = contents.position.revision;
        let all = contents.resources.values().chain(contents.runs.values()).chain(contents.meta.values());
        let whole = Stored { revision, document: json!(revision).into() };
        assert!(all.clone().count() == 5 && all.clone().all(|stored| *stored == whole), "{contents:?}");
        let events = store.events(EventFilter::default(), 1).await?.events;
        assert!(events.first().and_then(|event| event.revision) >= Some(revision));
        if revision == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap_or_else(|error| panic!("{error}"))
}
