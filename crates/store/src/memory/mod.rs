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
use tokio::sync::watch;

use crate::{
    BoxFuture, Change, Contents, Delivery, Event, EventFilter, EventPage, Expected, Halt, HaltFile, Leadership,
    LeadershipRequest, ReportBucket, Retention, Store, StoreError, Watch,
};
use state::State;

/// How a [`MemoryStore`] is made.
#[derive(Clone, Copy, Debug)]
pub struct MemoryOptions<'a> {
    /// The store's id: random, and fresh at each start.
    pub id: StoreId,
    /// How long events are kept.
    pub retention: Retention,
    /// How many commits are kept for watches.
    pub commits: usize,
    /// The folder where the halt is kept; without one it is forgotten at the end.
    pub data: Option<&'a Path>,
}

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    /// Tells watches of the latest revision; they end when the store is dropped.
    latest: watch::Sender<u64>,
    /// The lock keeps a halt and a lift apart, also on disk.
    halt: Arc<Mutex<HaltState>>,
}

#[derive(Debug)]
struct HaltState {
    file: Option<HaltFile>,
    now: Option<Halt>,
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
        let now = file.as_ref().and_then(HaltFile::read);
        let state = State::new(Position { store: options.id, revision: 0 }, options.retention, options.commits);
        Ok(Self {
            state: Arc::new(Mutex::new(state)),
            latest: watch::Sender::new(0),
            halt: Arc::new(Mutex::new(HaltState { file, now })),
        })
    }

    /// Does something with the state, at once.
    fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut State) -> Result<T, StoreError>) -> BoxFuture<'_, T> {
        let done = act(&mut self.state.lock());
        Box::pin(std::future::ready(done))
    }

    /// Does something with the halt, away from the runtime: the disk may be slow.
    fn with_halt(
        &self,
        act: impl FnOnce(&mut HaltState) -> Result<(), StoreError> + Send + 'static,
    ) -> BoxFuture<'_, ()> {
        let halt = Arc::clone(&self.halt);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || act(&mut halt.lock())).await;
            done.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
        })
    }
}

impl Store for MemoryStore {
    fn load(&self) -> BoxFuture<'_, Contents> {
        self.with(|state| Ok(state.contents()))
    }

    fn commit(&self, expected: Expected, change: Change) -> BoxFuture<'_, Position> {
        self.with(|state| {
            let position = state.commit(expected, change)?;
            // Under the lock, so that the latest revision never goes back.
            self.latest.send_replace(position.revision);
            Ok(position)
        })
    }

    fn watch(&self, after: u64) -> BoxFuture<'_, Watch> {
        let (shared, latest) = (Arc::downgrade(&self.state), self.latest.subscribe());
        self.with(move |state| {
            state.commit_after(after)?;
            let stream = stream::unfold(Some((shared, latest, after)), |reader| async move {
                let (shared, mut latest, after) = reader?;
                latest.wait_for(|latest| *latest > after).await.ok()?;
                let next = shared.upgrade()?.lock().commit_after(after).transpose()?;
                let reader = next.as_ref().ok().map(|commit| (shared, latest, commit.position.revision));
                Some((next, reader))
            });
            Ok(stream.boxed())
        })
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
        self.with(|state| Ok(state.lead(request)))
    }

    fn resign(&self, name: String, holder: String) -> BoxFuture<'_, ()> {
        self.with(|state| {
            state.resign(&name, &holder);
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

    fn halt(&self) -> BoxFuture<'_, Option<Halt>> {
        let now = self.halt.lock().now.clone();
        Box::pin(std::future::ready(Ok(now)))
    }

    fn put_halt(&self, halt: Halt) -> BoxFuture<'_, ()> {
        self.with_halt(move |state| {
            // Memory first: what takes risk away holds even if the disk fails.
            state.now = Some(halt.clone());
            let written = state.file.as_ref().map_or(Ok(()), |file| file.write(&halt));
            written.map_err(|source| StoreError::NotDurable { what: "the halt".to_owned(), source })
        })
    }

    fn clear_halt(&self) -> BoxFuture<'_, ()> {
        self.with_halt(|state| {
            let removed = state.file.as_ref().map_or(Ok(()), HaltFile::remove);
            removed.map_err(|source| StoreError::NotDurable { what: "lifting the halt".to_owned(), source })?;
            state.now = None;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
