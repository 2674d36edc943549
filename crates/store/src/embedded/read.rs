//! Reading the tables, each time at one moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use redb::{ReadTransaction, TableDefinition};
use serde_json::Value;

use super::failure::Work;
use super::tables::{
    Json, META, NOTES, NUMBERS, Numbers, REPORTS, RESOURCES, RUNS, decode, key, kind, nanoseconds, run_id,
};
use crate::{Contents, ReportBucket, Stored};

/// Everything, events and outbox aside.
pub(super) fn contents(transaction: &ReadTransaction) -> Work<Contents> {
    let numbers = Numbers::read(&transaction.open_table(NUMBERS)?)?;
    let mut contents = Contents::empty(numbers.position);
    for entry in transaction.open_table(RESOURCES)?.range::<(&str, &str)>(..)? {
        let (at, json) = entry?;
        let (section, name) = at.value();
        let stored = decode(&format!("{section}/{name}"), json.value())?;
        contents.resources.insert((kind(section)?, key(name)?), stored);
    }
    for (id, stored) in all(transaction, RUNS)? {
        contents.runs.insert(run_id(&id)?, stored);
    }
    contents.meta = all(transaction, META)?;
    Ok(contents)
}

fn all(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, &'static str, Json>,
) -> Work<BTreeMap<String, Stored>> {
    let mut all = BTreeMap::new();
    for entry in transaction.open_table(table)?.range::<&str>(..)? {
        let (name, json) = entry?;
        all.insert(name.value().to_owned(), decode(name.value(), json.value())?);
    }
    Ok(all)
}

pub(super) fn reports(
    transaction: &ReadTransaction,
    series: &str,
    from: Timestamp,
    until: Timestamp,
) -> Work<Vec<ReportBucket>> {
    if from >= until {
        return Ok(Vec::new());
    }
    let range = (series, nanoseconds(from))..(series, nanoseconds(until));
    let found = transaction.open_table(REPORTS)?.range(range)?;
    found.map(|entry| decode("a report bucket", entry?.1.value())).collect()
}

pub(super) fn notes(transaction: &ReadTransaction, prefix: &str) -> Work<BTreeMap<String, Value>> {
    let mut notes = BTreeMap::new();
    for entry in transaction.open_table(NOTES)?.range(prefix..)? {
        let (name, json) = entry?;
        if !name.value().starts_with(prefix) {
            break;
        }
        notes.insert(name.value().to_owned(), decode(name.value(), json.value())?);
    }
    Ok(notes)
}
