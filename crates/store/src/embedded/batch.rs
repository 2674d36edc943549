//! What the changes of one transaction do to the tables.

use std::collections::BTreeMap;

use daybreak_model::Millis;
use daybreak_model::wire::Position;
use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde_json::Value;

use super::events::EventTables;
use super::failure::Work;
use super::tables::{
    Json, META, NOTES, NUMBERS, Numbers, OUTBOX, REPORTS, RESOURCES, RUNS, decode, encode, nanoseconds, stored,
};
use crate::time::later;
use crate::{Change, Commit, Delivery, Document, Event, Expected, RecordedEvent, ReportBucket, Retention, StoreError};

/// One transaction, and what stands once it is committed. Several changes share it; each sees what those before it did.
pub(super) struct Batch<'t> {
    transaction: &'t WriteTransaction,
    retention: Retention,
    pub(super) numbers: Numbers,
    /// What watches are to see.
    pub(super) commits: Vec<Commit>,
    /// Whether there is anything to commit.
    pub(super) changed: bool,
}

impl<'t> Batch<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction, numbers: Numbers, retention: Retention) -> Self {
        Self { transaction, retention, numbers, commits: Vec::new(), changed: false }
    }

    /// Writes down where the store stands, as the last thing.
    pub(super) fn finish(&mut self) -> Work<()> {
        self.numbers.transactions += 1;
        self.numbers.write(self.transaction)
    }

    /// Makes changes, each a revision of its own; none where the store does not stand where it is expected to.
    pub(super) fn commit_all(
        &mut self,
        expected: Expected,
        changes: Vec<Change>,
    ) -> Work<Result<Position, StoreError>> {
        if let Err(conflict) = expected.check(self.numbers.position) {
            return Ok(Err(conflict));
        }
        for change in changes {
            self.commit(change)?;
        }
        Ok(Ok(self.numbers.position))
    }

    fn commit(&mut self, change: Change) -> Work<()> {
        let at = self.numbers.position;
        let position = Position { revision: at.revision + 1, ..at };
        self.changed = true;
        self.put_resources(&change, position.revision)?;
        let runs = change.runs.iter().map(|(id, run)| (id.to_string(), run));
        self.put_stored(RUNS, runs, position.revision)?;
        let meta = change.meta.iter().map(|(name, entry)| (name.clone(), entry));
        self.put_stored(META, meta, position.revision)?;
        self.append(change.events.iter().cloned(), Some(position.revision))?;
        if !change.outbox.is_empty() {
            let mut outbox = self.transaction.open_table(OUTBOX)?;
            for message in change.outbox.iter().cloned() {
                let id = self.numbers.next_message;
                self.numbers.next_message += 1;
                outbox.insert(id, encode(&Delivery { id, attempts: 0, message })?.as_slice())?;
            }
        }
        self.numbers.position = position;
        self.commits.push(Commit { position, change });
        Ok(())
    }

    fn put_resources(&self, change: &Change, revision: u64) -> Work<()> {
        if change.resources.is_empty() {
            return Ok(());
        }
        let mut table = self.transaction.open_table(RESOURCES)?;
        for ((kind, key), document) in &change.resources {
            let at = (kind.section(), key.as_str());
            match document {
                Some(document) => table.insert(at, stored(revision, document)?.as_slice())?,
                None => table.remove(at)?,
            };
        }
        Ok(())
    }

    fn put_stored<'v>(
        &self,
        table: TableDefinition<'_, &'static str, Json>,
        puts: impl ExactSizeIterator<Item = (String, &'v Option<Document>)>,
        revision: u64,
    ) -> Work<()> {
        if puts.len() == 0 {
            return Ok(());
        }
        let mut table = self.transaction.open_table(table)?;
        for (name, document) in puts {
            match document {
                Some(document) => table.insert(name.as_str(), stored(revision, document)?.as_slice())?,
                None => table.remove(name.as_str())?,
            };
        }
        Ok(())
    }

    pub(super) fn append(&mut self, events: impl ExactSizeIterator<Item = Event>, revision: Option<u64>) -> Work<()> {
        let added = events.len();
        let mut tables = EventTables::open(self.transaction)?;
        let mut last = None;
        for event in events {
            let recorded = RecordedEvent { id: self.numbers.next_event, revision, event };
            self.numbers.next_event += 1;
            tables.put(&recorded)?;
            last = Some(recorded);
        }
        let Some(last) = last else { return Ok(()) };
        self.changed = true;
        tables.drop_oldest(self.retention, added, &last)
    }

    pub(super) fn put_reports(&mut self, buckets: &[ReportBucket], keep_from: Timestamp) -> Work<()> {
        let mut table = self.transaction.open_table(REPORTS)?;
        for bucket in buckets {
            self.changed = true;
            let series = bucket.series.as_str();
            table.insert((series, nanoseconds(bucket.start)), encode(bucket)?.as_slice())?;
            table.retain_in((series, i128::MIN)..(series, nanoseconds(keep_from)), |_, _| false)?;
        }
        Ok(())
    }

    pub(super) fn take(&mut self, limit: usize, now: Timestamp, hold: Millis) -> Work<Vec<Delivery>> {
        let mut table = self.transaction.open_table(OUTBOX)?;
        let mut due = Vec::new();
        for entry in table.iter()? {
            if due.len() >= limit {
                break;
            }
            let delivery: Delivery = decode("a message", entry?.1.value())?;
            due.extend((delivery.message.at <= now).then_some(delivery));
        }
        for delivery in &due {
            self.changed = true;
            let mut held = delivery.clone();
            held.attempts += 1;
            held.message.at = later(now, hold);
            table.insert(held.id, encode(&held)?.as_slice())?;
        }
        Ok(due)
    }

    pub(super) fn acknowledge(&mut self, ids: &[u64]) -> Work<()> {
        let mut table = self.transaction.open_table(OUTBOX)?;
        for id in ids {
            self.changed |= table.remove(id)?.is_some();
        }
        Ok(())
    }

    pub(super) fn put_notes(&mut self, notes: &BTreeMap<String, Option<Value>>) -> Work<()> {
        let mut table = self.transaction.open_table(NOTES)?;
        for (name, note) in notes {
            self.changed |= match note {
                Some(note) => {
                    table.insert(name.as_str(), encode(note)?.as_slice())?;
                    true
                }
                None => table.remove(name.as_str())?.is_some(),
            };
        }
        Ok(())
    }

    /// Looks at the file, so that who asks knows that it can be worked on.
    pub(super) fn look(&self) -> Work<()> {
        Numbers::read(&self.transaction.open_table(NUMBERS)?).map(drop)
    }
}
