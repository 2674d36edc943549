//! The tables of a store's file, and how things are written in them: keys in an order that is read in ranges, values
//! as JSON.

use daybreak_model::wire::{Position, StoreId};
use daybreak_model::{Key, Kind, RunId};
use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::{Failure, Work};
use crate::{Document, Stored};

/// The schema that this version writes. What changes a table's meaning adds one, and a migration.
pub(super) const SCHEMA: u64 = 1;

/// Values of a table: JSON.
pub(super) type Json = &'static [u8];

/// The store's numbers by name: [`Numbers`], and the schema.
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
/// Resources by kind and key, each a [`Stored`](crate::Stored).
pub(super) const RESOURCES: TableDefinition<'_, (&str, &str), Json> = TableDefinition::new("resources");
/// Runs by id, each a [`Stored`](crate::Stored).
pub(super) const RUNS: TableDefinition<'_, &str, Json> = TableDefinition::new("runs");
/// Other entries by name, each a [`Stored`](crate::Stored).
pub(super) const META: TableDefinition<'_, &str, Json> = TableDefinition::new("meta");
/// Notes by name.
pub(super) const NOTES: TableDefinition<'_, &str, Json> = TableDefinition::new("notes");
/// Events by number, each with its time in milliseconds beside it, so that those of other times need not be decoded.
pub(super) const EVENTS: TableDefinition<'_, u64, (i64, Json)> = TableDefinition::new("events");
/// Which events have a term (see `events::terms`): so the events of one flag are found without reading the others.
pub(super) const EVENTS_BY_TERM: TableDefinition<'_, (&str, u64), ()> = TableDefinition::new("events_by_term");
/// Report buckets by series and start, in nanoseconds.
pub(super) const REPORTS: TableDefinition<'_, (&str, i128), Json> = TableDefinition::new("reports");
/// Messages by number, each a [`Delivery`](crate::Delivery).
pub(super) const OUTBOX: TableDefinition<'_, u64, Json> = TableDefinition::new("outbox");

/// The names in [`NUMBERS`].
const STORE: &str = "store";
const REVISION: &str = "revision";
const NEXT_EVENT: &str = "next_event";
const NEXT_MESSAGE: &str = "next_message";
const TRANSACTIONS: &str = "transactions";
pub(super) const SCHEMA_NAME: &str = "schema";

/// Where a store stands. In memory it is what has been committed, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) position: Position,
    pub(crate) next_event: u64,
    pub(crate) next_message: u64,
    /// How many transactions have been committed: tells after a failure whether the last one was.
    pub(crate) transactions: u64,
}

impl Numbers {
    /// Those of a fresh store.
    pub(crate) fn new(store: StoreId) -> Self {
        Self { position: Position { store, revision: 0 }, next_event: 1, next_message: 1, transactions: 0 }
    }

    pub(super) fn read(table: &impl ReadableTable<&'static str, u64>) -> Work<Self> {
        let number = |name: &str| -> Work<u64> {
            let found = table.get(name)?.map(|number| number.value());
            found.ok_or_else(|| Failure::Unreadable(format!("it lacks its number `{name}`")))
        };
        Ok(Self {
            position: Position { store: StoreId::new(number(STORE)?), revision: number(REVISION)? },
            next_event: number(NEXT_EVENT)?,
            next_message: number(NEXT_MESSAGE)?,
            transactions: number(TRANSACTIONS)?,
        })
    }

    pub(super) fn write(&self, transaction: &WriteTransaction) -> Work<()> {
        let mut table = transaction.open_table(NUMBERS)?;
        table.insert(STORE, bits(self.position.store)?)?;
        table.insert(REVISION, self.position.revision)?;
        table.insert(NEXT_EVENT, self.next_event)?;
        table.insert(NEXT_MESSAGE, self.next_message)?;
        table.insert(TRANSACTIONS, self.transactions)?;
        Ok(())
    }
}

/// Makes all tables, so that reading finds them, and writes the schema's number.
pub(super) fn make(transaction: &WriteTransaction) -> Work<()> {
    transaction.open_table(NUMBERS)?.insert(SCHEMA_NAME, SCHEMA)?;
    transaction.open_table(RESOURCES)?;
    transaction.open_table(RUNS)?;
    transaction.open_table(META)?;
    transaction.open_table(NOTES)?;
    transaction.open_table(EVENTS)?;
    transaction.open_table(EVENTS_BY_TERM)?;
    transaction.open_table(REPORTS)?;
    transaction.open_table(OUTBOX)?;
    Ok(())
}

/// A store's id is written as its digits; a table of numbers takes its bits.
fn bits(store: StoreId) -> Work<u64> {
    u64::from_str_radix(&store.to_string(), 16).map_err(|error| Failure::Unreadable(error.to_string()))
}

pub(super) fn encode(value: &impl Serialize) -> Work<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Failure::Unreadable(error.to_string()))
}

/// A document with the revision that changed it, as a [`Stored`](crate::Stored) is written.
pub(super) fn stored(revision: u64, document: &Document) -> Work<Vec<u8>> {
    encode(&Stored { revision, document: document.clone() })
}

pub(super) fn decode<T: DeserializeOwned>(what: &str, json: &[u8]) -> Work<T> {
    serde_json::from_slice(json).map_err(|error| Failure::Unreadable(format!("{what} cannot be read: {error}")))
}

pub(super) fn kind(section: &str) -> Work<Kind> {
    let found = Kind::ALL.into_iter().find(|kind| kind.section() == section);
    found.ok_or_else(|| Failure::Unreadable(format!("`{section}` is no kind of resource")))
}

pub(super) fn key(text: &str) -> Work<Key> {
    Key::new(text).map_err(|error| Failure::Unreadable(format!("`{text}` is no key: {error}")))
}

pub(super) fn run_id(text: &str) -> Work<RunId> {
    text.parse().map_err(|error| Failure::Unreadable(format!("`{text}` names no run: {error}")))
}

/// The end of a range of moments.
pub(super) fn nanoseconds(moment: Timestamp) -> i128 {
    moment.as_nanosecond()
}
