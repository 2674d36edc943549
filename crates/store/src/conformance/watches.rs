//! Watches: every commit, once, in order.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};

use super::{Done, put};
use crate::{Contents, Expected, Store, StoreError};

const COMMITTERS: u64 = 4;
const COMMITS: u64 = 25;

/// Follows the store from what was loaded, up to a revision.
async fn follow(store: Arc<dyn Store>, mut contents: Contents, until: u64) -> Result<Contents, StoreError> {
    let mut watch = store.watch(contents.position.revision).await?;
    while contents.position.revision < until {
        let Some(commit) = watch.next().await else { panic!("the watch ended at {}", contents.position) };
        let commit = commit?;
        assert_eq!(commit.position.revision, contents.position.revision + 1, "a gap, or a repetition");
        contents.apply(&commit);
    }
    Ok(contents)
}

pub(super) async fn a_watch_sees_every_commit_in_order(store: Arc<dyn Store>) -> Done {
    const ALL: u64 = 10 + COMMITTERS * COMMITS;
    let empty = store.load().await?;
    for n in 0..10 {
        store.commit(Expected::Any, put("early", n)).await?;
    }
    let midway = store.load().await?;
    let followers = [empty, midway].map(|from| tokio::spawn(follow(Arc::clone(&store), from, ALL)));
    let committers: Vec<_> = (0..COMMITTERS)
        .map(|committer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..COMMITS {
                    store.commit(Expected::Any, put(&format!("f{}", (committer + n) % 7), n)).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for committer in committers {
        committer.await.unwrap_or_else(|error| panic!("{error}"))?;
    }
    let now = store.load().await?;
    assert_eq!(now.position.revision, ALL);
    for follower in followers {
        assert_eq!(follower.await.unwrap_or_else(|error| panic!("{error}"))?, now);
    }
    Ok(())
}

pub(super) async fn a_watch_waits(store: Arc<dyn Store>) -> Done {
    let mut watch = store.watch(0).await?;
    assert!(watch.next().now_or_never().is_none(), "there is nothing to see yet");
    store.commit(Expected::Revision(0), put("a", 1)).await?;
    let seen = watch.next().await.transpose()?;
    assert_eq!(seen.map(|commit| (commit.position.revision, commit.change)), Some((1, put("a", 1))));
    Ok(())
}

pub(super) async fn a_watch_from_the_future_fails(store: Arc<dyn Store>) -> Done {
    store.commit(Expected::Revision(0), put("a", 1)).await?;
    assert!(store.watch(1).await.is_ok());
    let ahead = store.watch(2).await.err();
    assert!(matches!(ahead, Some(StoreError::Ahead { at }) if at.revision == 1), "{ahead:?}");
    Ok(())
}
