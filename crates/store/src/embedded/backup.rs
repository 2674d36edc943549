//! Writing a backup out of the tables, at one moment, beside whatever else happens.

use redb::ReadTransaction;

use super::failure::{Failure, Work};
use super::read::contents;
use super::tables::{EVENTS, NOTES, NUMBERS, Numbers, OUTBOX, REPORTS, decode};
use crate::backup::{Head, Line, Pieces};
use crate::{Halt, Stored};

/// Hands everything on, in pieces.
pub(super) fn write(
    transaction: &ReadTransaction,
    halt: Option<Halt>,
    hand_on: impl FnMut(Vec<u8>) -> Work<()>,
) -> Work<()> {
    let numbers = Numbers::read(&transaction.open_table(NUMBERS)?)?;
    let mut pieces = Pieces::new(hand_on);
    pieces.push(&Line::DaybreakBackup(Head::new(numbers.position, numbers.next_event, numbers.next_message)))?;
    let contents = contents(transaction)?;
    for ((kind, key), Stored { revision, document }) in contents.resources {
        pieces.push(&Line::Resource { kind, key, revision, document })?;
    }
    for (id, Stored { revision, document }) in contents.runs {
        pieces.push(&Line::Run { id, revision, document })?;
    }
    for (name, Stored { revision, document }) in contents.meta {
        pieces.push(&Line::Meta { name, revision, document })?;
    }
    for entry in transaction.open_table(NOTES)?.range::<&str>(..)? {
        let (name, json) = entry?;
        let (name, note) = (name.value().to_owned(), decode(name.value(), json.value())?);
        pieces.push(&Line::Note { name, note })?;
    }
    for entry in transaction.open_table(EVENTS)?.range::<u64>(..)? {
        pieces.push(&Line::Event(decode("an event", entry?.1.value().1)?))?;
    }
    for entry in transaction.open_table(REPORTS)?.range::<(&str, i128)>(..)? {
        pieces.push(&Line::Report(decode("a report bucket", entry?.1.value())?))?;
    }
    for entry in transaction.open_table(OUTBOX)?.range::<u64>(..)? {
        pieces.push(&Line::Message(decode("a message", entry?.1.value())?))?;
    }
    halt.map_or(Ok(()), |halt| pieces.push(&Line::Halt(halt)))?;
    pieces.finish()
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}
