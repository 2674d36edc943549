//! Lives in the store, as notes: they make no revision.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daybreak_model::Key;
use daybreak_store::{Store, StoreError};

use super::record::Life;
use crate::Control;

/// What the names of the notes begin with.
const NOTES: &str = "life/";
/// How often the store is given what was counted. After a crash the counts since then are gone, and nothing else.
const KEEP_EVERY: Duration = Duration::from_secs(60);
/// Flags that the store is given at once.
const TOGETHER_MAX: usize = 500;

/// The lives that a store keeps. One that cannot be read is let go: it only says how often a flag was asked for.
pub(crate) async fn load(store: &dyn Store) -> Result<BTreeMap<Key, Life>, StoreError> {
    let notes = store.notes(NOTES.to_owned()).await?;
    let read = |(name, note): (String, serde_json::Value)| {
        let key = Key::new(name.strip_prefix(NOTES)?).ok()?;
        let life = serde_json::from_value(note).inspect_err(|why| tracing::warn!(%key, %why, "a flag's life is lost"));
        Some((key, life.ok()?))
    };
    Ok(notes.into_iter().filter_map(read).collect())
}

impl Control {
    /// Has the lives follow the flags that there are, and the store follow the lives.
    pub(crate) async fn tend_lives(&self) {
        self.follow_flags();
        let elapsed = self.inner.clock.elapsed();
        let due = {
            let mut lives = self.inner.lives.lock();
            let due = lives.kept.is_none_or(|kept| elapsed.saturating_sub(kept) >= KEEP_EVERY);
            if due {
                lives.kept = Some(elapsed);
            }
            due
        };
        if due && self.inner.lives_keeper.try_lock().is_ok() {
            let control = self.clone();
            // To its end, however long the store takes.
            let _ = tokio::spawn(async move { control.keep_lives().await }).await;
        }
    }

    /// Gives the store all that it does not know yet. What it refuses it is given the next time.
    pub(crate) async fn keep_lives(&self) {
        let _alone = self.inner.lives_keeper.lock().await;
        self.follow_flags();
        let all = std::mem::take(&mut self.inner.lives.lock().changed);
        let mut all: Vec<Key> = all.into_iter().collect();
        while !all.is_empty() {
            let some = all.split_off(all.len().saturating_sub(TOGETHER_MAX));
            let notes = {
                let lives = self.inner.lives.lock();
                let note = |key: &Key| lives.lives.get(key).and_then(|life| serde_json::to_value(life).ok());
                some.iter().map(|key| (format!("{NOTES}{key}"), note(key))).collect()
            };
            if let Err(error) = self.inner.store.put_notes(notes).await {
                tracing::warn!(%error, "the lives of flags could not be kept; it is tried on");
                let lost: BTreeSet<Key> = all.into_iter().chain(some).collect();
                self.inner.lives.lock().changed.extend(lost);
                return;
            }
        }
    }
}
