//! The one trait.

use std::collections::BTreeMap;
use std::fmt;

use daybreak_model::Millis;
use daybreak_model::wire::{Position, StoreId};
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Backup, BackupReader, Change, Commit, Contents, Delivery, Event, EventFilter, EventPage, Expected, Halt,
    Leadership, LeadershipRequest, ReportBucket, Restored, StoreError, Stored,
};

/// What a store's method returns.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, Result<T, StoreError>>;

/// Commits in order, each once, without gaps. After an error it ends.
pub type Watch = BoxStream<'static, Result<Commit, StoreError>>;

/// How much a store has written since it was opened. Changes that came at once share a transaction, and so a wait for
/// the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreStats {
    /// Commits: revisions that were made.
    pub changes: u64,
    /// Transactions, for commits and for whatever else is kept.
    pub transactions: u64,
    /// How often something was forced to disk.
    pub syncs: u64,
    /// How long that took, all in all, in microseconds.
    #[serde(skip)]
    pub sync_micros: u64,
}

/// How a backup takes the place of what is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Restoration {
    /// The store's new id; random.
    pub id: StoreId,
    /// What the log says of it, after the backup's own events.
    pub event: Event,
    /// The number of its first event at least, so that no number is given out twice; 0 where that is not known.
    pub events_from: u64,
    /// What stays as it is here, whatever the backup holds.
    pub keep: Option<Kept>,
}

/// Entries of a store's `meta` that a restore leaves as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What their names begin with; of the backup's no such entry is taken.
    pub prefix: &'static str,
    /// The entries.
    pub entries: BTreeMap<String, Stored>,
}

/// Where Daybreak keeps what must last.
///
/// What a method that succeeded did is there for every later call, and, in a durable store, after a crash. A
/// future that is dropped before it is ready may or may not have done its work, but never half of it.
pub trait Store: fmt::Debug + Send + Sync {
    /// Everything, at one position.
    fn load(&self) -> BoxFuture<'_, Contents>;

    /// Makes a change, all of it or nothing, and answers with the new position: the revision grows by one,
    /// also for an empty change. Of several commits at one revision exactly one succeeds.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the store does not stand where it is expected to.
    fn commit(&self, expected: Expected, change: Change) -> BoxFuture<'_, Position> {
        self.commit_all(expected, vec![change])
    }

    /// Makes changes one after the other, each a commit and a revision of its own, but all of them or none; and answers
    /// with the last position. They wait for the disk together.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the store does not stand where the first is expected to be made.
    fn commit_all(&self, expected: Expected, changes: Vec<Change>) -> BoxFuture<'_, Position>;

    /// Every commit after this revision, those that are still to come included. Contents loaded at a revision
    /// with all commits watched from there are what the store holds.
    ///
    /// # Errors
    /// [`StoreError::Behind`] when some of those commits are no longer kept, [`StoreError::Ahead`] when the
    /// store has never been there. The stream itself fails with `Behind` when its reader is too slow.
    fn watch(&self, after: u64) -> BoxFuture<'_, Watch>;

    /// Appends events that come with no change; the revision stays.
    fn append(&self, events: Vec<Event>) -> BoxFuture<'_, ()>;

    /// Reads events in the order that the filter says, at most `limit` of them.
    fn events(&self, filter: EventFilter, limit: usize) -> BoxFuture<'_, EventPage>;

    /// Keeps buckets of reports, and drops those of the same series that began before `keep_from`.
    fn put_reports(&self, buckets: Vec<ReportBucket>, keep_from: Timestamp) -> BoxFuture<'_, ()>;

    /// The buckets of a series that began at `from` or later and before `until`, in order.
    fn reports(&self, series: String, from: Timestamp, until: Timestamp) -> BoxFuture<'_, Vec<ReportBucket>>;

    /// Leads a name, or goes on leading it: at any time at most one holder does.
    fn lead(&self, request: LeadershipRequest) -> BoxFuture<'_, Leadership>;

    /// Gives a leadership back, so that another need not wait for it to lapse. Nothing happens where another
    /// one leads.
    fn resign(&self, name: String, holder: String) -> BoxFuture<'_, ()>;

    /// Takes messages out that are due, the oldest first, and hides them for `hold`: who does not
    /// [acknowledge](Self::acknowledge) them by then gets them again.
    fn take(&self, limit: usize, now: Timestamp, hold: Millis) -> BoxFuture<'_, Vec<Delivery>>;

    /// Forgets messages that have arrived.
    fn acknowledge(&self, ids: Vec<u64>) -> BoxFuture<'_, ()>;

    /// Keeps notes by name, all of them or none: small facts that must last, but are no change, as when a token was
    /// last used. They make no revision, and no watch tells of them. `None` removes; removing what is not there is no
    /// error.
    fn put_notes(&self, notes: BTreeMap<String, Option<Value>>) -> BoxFuture<'_, ()>;

    /// The notes whose name begins with this; all of them for an empty prefix.
    fn notes(&self, prefix: String) -> BoxFuture<'_, BTreeMap<String, Value>>;

    /// A backup of everything at one moment. Changes go on meanwhile.
    fn backup(&self) -> BoxFuture<'_, Backup>;

    /// Reads a backup to its end, and has it take the place of everything when the store is opened the next time, as
    /// `restoration` says. Until then the store is as it was: have nobody change it any
    /// more. A store in memory, which is empty at the next start, only looks whether the backup is whole.
    ///
    /// # Errors
    /// [`StoreError::Backup`] when it is no backup, or not whole: then nothing happens.
    fn restore(&self, backup: BackupReader, restoration: Restoration) -> BoxFuture<'_, Restored>;

    /// How much was written since it was opened.
    fn stats(&self) -> StoreStats;

    /// Why nothing can be written: what was to be written last failed, and nothing was written since. None where the
    /// store works.
    fn failure(&self) -> Option<String>;

    /// Whether everything is halted, and why. A state that cannot be read is a halt whose reason says so.
    fn halt(&self) -> BoxFuture<'_, Option<Halt>>;

    /// Halts, durably. A second halt replaces the first.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`]: it holds until the server ends, not longer.
    fn put_halt(&self, halt: Halt) -> BoxFuture<'_, ()>;

    /// Lifts the halt, durably. Lifting where nothing is halted is no error.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`]: everything is still halted.
    fn clear_halt(&self) -> BoxFuture<'_, ()>;
}
