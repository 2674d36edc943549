//! What a store holds, and what a commit does to it.

use std::collections::BTreeMap;

use daybreak_model::wire::Position;
use daybreak_model::{Key, Kind, RunId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Document, Event, Message, StoreError};

/// A document, and the revision that last changed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The revision that last changed it: its ETag.
    pub revision: u64,
    /// The document; the store does not look inside.
    pub document: Document,
}

/// Everything that a store holds at one position, events and outbox aside.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// Where the store stands.
    pub position: Position,
    /// Resources by kind and key.
    pub resources: BTreeMap<(Kind, Key), Stored>,
    /// Runs, also those that ended.
    pub runs: BTreeMap<RunId, Stored>,
    /// Whatever else must last, by name: the `protect` list, the files' last state.
    pub meta: BTreeMap<String, Stored>,
}

/// What one commit does, all of it or nothing. `None` removes; removing what is not there is no error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Resources to put or remove.
    pub resources: BTreeMap<(Kind, Key), Option<Document>>,
    /// Runs to put or remove.
    pub runs: BTreeMap<RunId, Option<Document>>,
    /// Other entries to put or remove.
    pub meta: BTreeMap<String, Option<Document>>,
    /// Events to append, in this order; their revision is the commit's.
    pub events: Vec<Event>,
    /// Messages to deliver at least once.
    pub outbox: Vec<Message>,
}

/// The revision at which a commit applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Only if the store stands exactly here; else [`StoreError::Conflict`](crate::StoreError::Conflict).
    Revision(u64),
    /// Wherever it stands: for what must be recorded in any case, as the end of a run.
    Any,
}

/// A change that was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// Where the store stands after it: the revision before plus one.
    pub position: Position,
    /// What it did.
    pub change: Change,
}

impl Commit {
    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let Change { resources, runs, meta, events, outbox } = &self.change;
        let documents = resources.values().chain(runs.values()).chain(meta.values());
        let texts: usize = documents.flatten().map(|document| document.text().len()).sum();
        let values = events.iter().map(|event| &event.data).chain(outbox.iter().map(|message| &message.body));
        texts + values.map(bytes).sum::<usize>()
    }
}

/// What a value takes, about: its texts, and the same for each of its parts.
fn bytes(value: &Value) -> usize {
    const PART: usize = 64;
    PART + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| PART + name.len() + bytes(value)).sum(),
    }
}

impl Expected {
    /// Whether a store that stands here may commit.
    pub(crate) fn check(self, at: Position) -> Result<(), StoreError> {
        match self {
            Self::Revision(revision) if revision != at.revision => Err(StoreError::Conflict { at }),
            Self::Revision(_) | Self::Any => Ok(()),
        }
    }
}

impl Contents {
    /// Nothing, at this position.
    #[must_use]
    pub fn empty(position: Position) -> Self {
        Self { position, resources: BTreeMap::new(), runs: BTreeMap::new(), meta: BTreeMap::new() }
    }

    /// Takes over a change, and moves to its position. Events and outbox are the store's to keep.
    pub fn apply(&mut self, commit: &Commit) {
        let revision = commit.position.revision;
        put_all(&mut self.resources, &commit.change.resources, revision);
        put_all(&mut self.runs, &commit.change.runs, revision);
        put_all(&mut self.meta, &commit.change.meta, revision);
        self.position = commit.position;
    }
}

fn put_all<K: Ord + Clone>(into: &mut BTreeMap<K, Stored>, puts: &BTreeMap<K, Option<Document>>, revision: u64) {
    for (key, document) in puts {
        match document {
            Some(document) => {
                into.insert(key.clone(), Stored { revision, document: document.clone() });
            }
            None => {
                into.remove(key);
            }
        }
    }
}
