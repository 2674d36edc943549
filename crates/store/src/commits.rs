//! The latest commits, kept for watches.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use daybreak_model::wire::Position;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Commit, StoreError, Watch};

/// Bytes of commits that are kept, about. A store that is filled at once makes a commit as large as all of it, which
/// would be held until many others have come.
const BYTES_MAX: usize = 4 << 20;

/// The latest commits; watches end when this is dropped.
#[derive(Debug)]
pub(crate) struct Commits {
    ring: Mutex<Ring>,
    /// Tells watches of the latest revision.
    latest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    at: Position,
    /// Each with its bytes.
    commits: VecDeque<(Commit, usize)>,
    bytes: usize,
    max: usize,
}

impl Commits {
    /// None so far; at most `max` are kept, and fewer where they are large.
    pub(crate) fn new(at: Position, max: usize) -> Self {
        let ring = Ring { at, commits: VecDeque::new(), bytes: 0, max };
        Self { ring: Mutex::new(ring), latest: watch::Sender::new(at.revision) }
    }

    /// Adds the next commit, and wakes those who watch.
    pub(crate) fn push(&self, commit: Commit) {
        let mut ring = self.ring.lock();
        ring.at = commit.position;
        let bytes = commit.bytes();
        ring.bytes += bytes;
        ring.commits.push_back((commit, bytes));
        // However large the last one is, who watches is to see it.
        let watched = usize::from(self.latest.receiver_count() > 0);
        while ring.commits.len() > ring.max || ring.bytes > BYTES_MAX && ring.commits.len() > watched {
            let dropped = ring.commits.pop_front();
            ring.bytes -= dropped.map_or(0, |(_, bytes)| bytes);
        }
        // Under the lock, so that the latest revision never goes back.
        self.latest.send_replace(ring.at.revision);
    }

    /// Every commit after a revision, those to come included.
    pub(crate) fn watch(self: &Arc<Self>, after: u64) -> Result<Watch, StoreError> {
        self.ring.lock().after(after)?;
        let reader = Some((Arc::downgrade(self), self.latest.subscribe(), after));
        let stream = stream::unfold(reader, |reader| async move {
            let (commits, mut latest, after): (Weak<Self>, watch::Receiver<u64>, u64) = reader?;
            latest.wait_for(|latest| *latest > after).await.ok()?;
            let next = commits.upgrade()?.ring.lock().after(after).transpose()?;
            let reader = next.as_ref().ok().map(|commit| (commits, latest, commit.position.revision));
            Some((next, reader))
        });
        Ok(stream.boxed())
    }
}

impl Ring {
    /// The commit right after a revision; none if it is still to come.
    fn after(&self, revision: u64) -> Result<Option<Commit>, StoreError> {
        if revision > self.at.revision {
            return Err(StoreError::Ahead { at: self.at });
        }
        let oldest = self.at.revision + 1 - self.commits.len() as u64;
        let index = (revision + 1).checked_sub(oldest).ok_or(StoreError::Behind { oldest })?;
        Ok(usize::try_from(index).ok().and_then(|index| self.commits.get(index)).map(|(commit, _)| commit.clone()))
    }
}
