//! A store in memory; only the halt may last.

mod state;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use daybreak_model::Millis;
use daybreak_model::wire::{Position, StoreId};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;

use crate::backup;
use crate::commits::Commits;
use crate::halt::KeptHalt;
use crate::{
    Backup, BackupReader, BoxFuture, Change, Contents, Delivery, Event, EventFilter, EventPage, Expected, Halt,
    HaltFile, Leadership, LeadershipRequest, ReportBucket, Restoration, Restored, Retention, Store, StoreError,
    StoreStats, Watch,
};
use state::State;

/// How a [`MemoryStore`] is made.
#[derive(Clone, Copy, Debug)]
pub struct MemoryOptions<'a> {
    /// The store's id: random, and fresh at each start.
    pub id: StoreId,
    /// How long events are kept.
    pub retention: Retention,
    /// How many commits are kept for watches, at most: fewer where they are large.
    pub commits: usize,
    /// The folder where the halt is kept; without one it is forgotten at the end.
    pub data: Option<&'a Path>,
}

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    commits: Arc<Commits>,
    halt: Arc<KeptHalt>,
}

impl MemoryOptions<'_> {
    /// The usual options; nothing lasts.
    #[must_use]
    pub fn new(id: StoreId) -> Self {
        Self { id, retention: Retention::default(), commits: 1024, data: None }
    }
}

impl MemoryStore {
    /// An empty store; halted if the data folder says so, or cannot be read.
    ///
    /// # Errors
    /// When the data folder cannot be made.
    pub fn open(options: MemoryOptions<'_>) -> Result<Self, StoreError> {
        let not_durable = |source| StoreError::NotDurable { what: "the data folder".to_owned(), source };
        let file = options.data.map(HaltFile::open).transpose().map_err(not_durable)?;
        let at = Position { store: options.id, revision: 0 };
        Ok(Self {
            state: Mutex::new(State::new(at, options.retention)),
            commits: Arc::new(Commits::new(at, options.commits)),
            halt: Arc::new(KeptHalt::new(file)),
        })
    }

    /// Does something with the state, at once.
    fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut State) -> Result<T, StoreError>) -> BoxFuture<'_, T> {
        let done = act(&mut self.state.lock());
        Box::pin(std::future::ready(done))
    }
}

impl Store for MemoryStore {
    fn load(&self) -> BoxFuture<'_, Contents> {
        self.with(|state| Ok(state.contents()))
    }

    fn commit_all(&self, expected: Expected, changes: Vec<Change>) -> BoxFuture<'_, Position> {
        self.with(|state| {
            state.expect(expected)?;
            // Under the lock, so that watches see the commits in their order.
            changes.into_iter().for_each(|change| self.commits.push(state.commit(change)));
            Ok(state.position())
        })
    }

    fn watch(&self, after: u64) -> BoxFuture<'_, Watch> {
        Box::pin(std::future::ready(self.commits.watch(after)))
    }

    fn append(&self, events: Vec<Event>) -> BoxFuture<'_, ()> {
        self.with(|state| {
            state.append(events, None);
            Ok(())
        })
    }

    fn events(&self, filter: EventFilter, limit: usize) -> BoxFuture<'_, EventPage> {
        self.with(|state| Ok(state.events(&filter, limit)))
    }

    fn put_reports(&self, buckets: Vec<ReportBucket>, keep_from: Timestamp) -> BoxFuture<'_, ()> {
        self.with(|state| {
            state.put_reports(buckets, keep_from);
            Ok(())
        })
    }

    fn reports(&self, series: String, from: Timestamp, until: Timestamp) -> BoxFuture<'_, Vec<ReportBucket>> {
        self.with(|state| Ok(state.reports(&series, from, until)))
    }

    fn lead(&self, request: LeadershipRequest) -> BoxFuture<'_, Leadership> {
        self.with(|state| Ok(state.leaders.lead(request)))
    }

    fn resign(&self, name: String, holder: String) -> BoxFuture<'_, ()> {
        self.with(|state| {
            state.leaders.resign(&name, &holder);
            Ok(())
        })
    }

    fn take(&self, limit: usize, now: Timestamp, hold: Millis) -> BoxFuture<'_, Vec<Delivery>> {
        self.with(|state| Ok(state.take(limit, now, hold)))
    }

    fn acknowledge(&self, ids: Vec<u64>) -> BoxFuture<'_, ()> {
        self.with(|state| {
            state.acknowledge(&ids);
            Ok(())
        })
    }

    fn put_notes(&self, notes: BTreeMap<String, Option<Value>>) -> BoxFuture<'_, ()> {
        self.with(|state| {
            state.put_notes(notes);
            Ok(())
        })
    }

    fn notes(&self, prefix: String) -> BoxFuture<'_, BTreeMap<String, Value>> {
        self.with(|state| Ok(state.notes(&prefix)))
    }

    fn backup(&self) -> BoxFuture<'_, Backup> {
        let halt = self.halt.now();
        self.with(|state| {
            let pieces = state.backup(halt).map_err(|error| StoreError::Unavailable(error.to_string()))?;
            Ok(stream::iter(pieces.into_iter().map(Ok)).boxed())
        })
    }

    fn restore(&self, mut backup: BackupReader, restoration: Restoration) -> BoxFuture<'_, Restored> {
        Box::pin(async move {
            let count = move || backup::count(&mut backup, restoration.id, |_| Ok(())).map_err(StoreError::Backup);
            let counted = tokio::task::spawn_blocking(count).await;
            Ok(counted.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))?.0)
        })
    }

    fn stats(&self) -> StoreStats {
        StoreStats { changes: self.state.lock().position().revision, ..StoreStats::default() }
    }

    fn failure(&self) -> Option<String> {
        None
    }

    fn halt(&self) -> BoxFuture<'_, Option<Halt>> {
        Box::pin(std::future::ready(Ok(self.halt.now())))
    }

    fn put_halt(&self, halt: Halt) -> BoxFuture<'_, ()> {
        self.halt.put(halt)
    }

    fn clear_halt(&self) -> BoxFuture<'_, ()> {
        self.halt.clear()
    }
}

#[cfg(test)]
mod tests;
