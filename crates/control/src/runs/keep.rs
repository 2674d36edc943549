//! What runs show, kept in between: a server that dies takes no more of it along than the last seconds.
//!
//! It is a note of the store beside the run, so it makes no revision. It goes once the run's own record has what the run
//! showed in the end. At most [`ENDED_MAX`](super::ENDED_MAX) runs are kept, and each note is bounded as its timeline is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daybreak_guard::run::Run;
use daybreak_model::RunId;
use daybreak_store::{Store, StoreError};
use serde_json::Value;

use super::conclude::Conclusion;
use crate::Control;

/// What the names of the notes begin with.
const NOTES: &str = "evidence/";
/// How often the store is given what a run shows; also at once when a stage begins, or when it ends.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// What the store knows of which run.
#[derive(Debug, Default)]
pub(crate) struct Keeping(BTreeMap<RunId, Kept>);

/// When a run was kept, and how far it was then.
#[derive(Clone, Copy, Debug)]
struct Kept {
    at: Duration,
    stage: u32,
    ended: bool,
    /// Whether the store may have a note of it.
    noted: bool,
}

impl Kept {
    fn of(run: &Run, at: Duration, noted: bool) -> Self {
        Self { at, stage: run.stage, ended: !run.is_active(), noted }
    }
}

impl Keeping {
    /// For the runs of which a store has notes.
    pub(crate) fn new(kept: impl IntoIterator<Item = RunId>, at: Duration) -> Self {
        let one = Kept { at, stage: 0, ended: true, noted: true };
        Self(kept.into_iter().map(|id| (id, one)).collect())
    }

    /// Whether a run is to be kept now: it is new, or comes to something new, or that was long ago.
    fn is_due(&mut self, run: &Run, elapsed: Duration) -> bool {
        let is = Kept::of(run, elapsed, false);
        // A run that has just begun has shown nothing yet.
        let known = match self.0.get(&run.id) {
            Some(known) => *known,
            None => *self.0.entry(run.id).or_insert(Kept { ended: false, stage: 0, ..is }),
        };
        (known.stage, known.ended) != (is.stage, is.ended) || elapsed.saturating_sub(known.at) >= KEEP_EVERY
    }
}

/// What a store keeps of runs.
pub(crate) async fn load(store: &dyn Store) -> Result<BTreeMap<RunId, Value>, StoreError> {
    let notes = store.notes(NOTES.to_owned()).await?;
    // What says nothing of any run is of no use to anybody.
    let run = |(name, note): (String, Value)| Some((name.strip_prefix(NOTES)?.parse().ok()?, note));
    Ok(notes.into_iter().filter_map(run).collect())
}

fn name(id: RunId) -> String {
    format!("{NOTES}{id}")
}

/// What the store is to be told.
#[derive(Default)]
struct Due {
    runs: Vec<Arc<Run>>,
    gone: Vec<RunId>,
}

impl Control {
    /// Gives the store what runs show by now, where that is due. To be called once a second.
    pub(crate) async fn tend_evidence(&self) {
        if self.inner.evidence_keeper.try_lock().is_err() {
            return;
        }
        let due = self.evidence_due(false);
        if !(due.runs.is_empty() && due.gone.is_empty()) {
            let control = self.clone();
            let _ = tokio::spawn(async move { control.keep_shown(due).await }).await;
        }
    }

    /// Gives the store what all runs show by now.
    pub(crate) async fn keep_evidence(&self) {
        let due = self.evidence_due(true);
        self.keep_shown(due).await;
    }

    fn evidence_due(&self, all: bool) -> Due {
        let (counting, recorded) = {
            let runs = self.inner.runs.lock();
            let recording = runs.pending.values().filter_map(|pending| pending.run.as_ref()).map(|run| run.id);
            (runs.counting().cloned().collect::<Vec<_>>(), recording.collect::<Vec<_>>())
        };
        let elapsed = self.inner.clock.elapsed();
        let mut keeping = self.inner.keeping.lock();
        let over = |id: &RunId| !recorded.contains(id) && !counting.iter().any(|run| run.id == *id);
        let gone = keeping.0.keys().copied().filter(over).collect();
        let due = counting.iter().filter(|run| keeping.is_due(run, elapsed) || all);
        Due { runs: due.cloned().collect(), gone }
    }

    async fn keep_shown(&self, due: Due) {
        let _alone = self.inner.evidence_keeper.lock().await;
        let elapsed = self.inner.clock.elapsed();
        let mut notes: BTreeMap<String, Option<Value>> = BTreeMap::new();
        let mut kept = Vec::new();
        for run in &due.runs {
            // One that was concluded meanwhile has its own record.
            if let Some(shown) = self.shown_so_far(run) {
                notes.insert(name(run.id), Some(shown));
                kept.push((run.id, Kept::of(run, elapsed, true)));
            }
        }
        {
            let keeping = self.inner.keeping.lock();
            let noted = |id: &&RunId| keeping.0.get(id).is_some_and(|kept| kept.noted);
            notes.extend(due.gone.iter().filter(noted).map(|id| (name(*id), None)));
        }
        let stored = if notes.is_empty() { Ok(()) } else { self.inner.store.put_notes(notes).await };
        let mut keeping = self.inner.keeping.lock();
        match stored {
            Ok(()) => {
                keeping.0.extend(kept);
                keeping.0.retain(|id, _| !due.gone.contains(id));
            }
            Err(error) => tracing::warn!(%error, "what runs show could not be kept; it is tried on"),
        }
    }

    /// What a run that is still counted shows by now.
    fn shown_so_far(&self, run: &Run) -> Option<Value> {
        let clients = self.inner.clients.lock();
        let watches = self.inner.watches.lock();
        let conclusion = Conclusion::kept(run, watches.get(&run.id)?, &clients, self.inner.clock.now());
        drop((watches, clients));
        // None of a conclusion's parts lacks a JSON form.
        serde_json::to_value(conclusion).ok()
    }
}
