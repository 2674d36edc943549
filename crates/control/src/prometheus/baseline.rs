//! What was last seen of Prometheus's counters, kept in the store: what they grow by while no server runs counts, too.
//!
//! It is kept before what was counted is, and what cannot be kept is not counted until it is. So a crash in between loses
//! what was not counted yet, and counts none twice.

use std::collections::BTreeMap;

use daybreak_model::{Key, PrometheusQueries};
use daybreak_store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Poller;
use super::counters::{Counted, Seen};
use crate::Control;

/// What the names of the notes begin with.
const NOTES: &str = "prometheus/";
/// The longest note, in bytes. Of queries that select more than fits nothing is kept: after a restart they begin anew.
pub(super) const NOTE_BYTES_MAX: usize = 256 * 1024;

#[derive(Deserialize)]
struct Note {
    queries: PrometheusQueries,
    seen: Seen,
}

#[derive(Serialize)]
struct NoteOf<'a> {
    queries: &'a PrometheusQueries,
    seen: Seen,
}

/// What a store keeps of counters.
async fn load(control: &Control) -> Result<BTreeMap<Key, (PrometheusQueries, Counted)>, StoreError> {
    let notes = control.inner.store.notes(NOTES.to_owned()).await?;
    let read = |(name, note): (String, Value)| {
        let key = Key::new(name.strip_prefix(NOTES)?).ok()?;
        // What cannot be read is what nobody has seen.
        let Note { queries, seen } = serde_json::from_value(note).ok()?;
        Some((key, (queries, Counted::since(seen))))
    };
    Ok(notes.into_iter().filter_map(read).collect())
}

fn note(queries: &PrometheusQueries, counted: &Counted) -> Option<Value> {
    let note = serde_json::to_value(NoteOf { queries, seen: counted.seen() }).ok()?;
    (note.to_string().len() <= NOTE_BYTES_MAX).then_some(note)
}

impl Poller {
    /// Goes on where the server before ended.
    pub(super) async fn resume(&mut self) {
        match load(&self.control).await {
            Ok(counted) => {
                self.kept = counted.iter().map(|(key, (_, counted))| (key.clone(), counted.scraped_at())).collect();
                self.counted = counted;
            }
            Err(error) => tracing::warn!(%error, "what Prometheus told last cannot be read; its counters begin anew"),
        }
    }

    /// Keeps what was seen since it was last kept; whether the store has it all.
    pub(super) async fn keep(&mut self) -> bool {
        let newer = |key: &&Key, counted: &Counted| self.kept.get(*key) != Some(&counted.scraped_at());
        let changed = self.counted.iter().filter(|(key, (_, counted))| newer(key, counted));
        let mut notes: BTreeMap<String, Option<Value>> =
            changed.map(|(key, (queries, counted))| (format!("{NOTES}{key}"), note(queries, counted))).collect();
        let gone = self.kept.keys().filter(|key| !self.counted.contains_key(*key));
        notes.extend(gone.map(|key| (format!("{NOTES}{key}"), None)));
        if notes.is_empty() {
            return true;
        }
        match self.control.inner.store.put_notes(notes).await {
            Ok(()) => {
                let counted = self.counted.iter();
                self.kept = counted.map(|(key, (_, counted))| (key.clone(), counted.scraped_at())).collect();
                true
            }
            Err(error) => {
                tracing::warn!(%error, "what Prometheus told could not be kept, and does not count until it is");
                false
            }
        }
    }
}
