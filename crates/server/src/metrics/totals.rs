//! Counts that are told as they stand, added up so that they only grow: what goes takes nothing of its own away.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_control::RunView;
use daybreak_model::RunId;
use parking_lot::Mutex;

/// Names that are counted one by one; all beyond are one.
pub(super) const NAMES_MAX: usize = 1_000;
/// The name of those.
pub(super) const OTHER: &str = "other";

/// What faults injected since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Injected {
    /// Faults that were injected.
    pub(super) strikes: u64,
    /// Passes that the cap on faults in flight spared.
    pub(super) spared: u64,
}

impl Injected {
    fn of(run: &RunView) -> Self {
        Self { strikes: run.counts.strikes, spared: run.counts.spared }
    }
}

/// What is added up.
#[derive(Debug, Default)]
pub(super) struct Totals(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// What was told of each run so far.
    told: BTreeMap<RunId, Injected>,
    faults: BTreeMap<String, Injected>,
}

impl Totals {
    /// Runs that are over already count nothing: a server before has told of them.
    pub(super) fn begin(&self, runs: &[RunView]) {
        let over = runs.iter().filter(|run| !run.active);
        self.0.lock().told.extend(over.map(|run| (run.id, Injected::of(run))));
    }

    /// Injections by fault.
    pub(super) fn injected(&self, runs: &[RunView]) -> BTreeMap<String, Injected> {
        let inner = &mut *self.0.lock();
        let shown: BTreeSet<RunId> = runs.iter().map(|run| run.id).collect();
        inner.told.retain(|id, _| shown.contains(id));
        for run in runs {
            let now = Injected::of(run);
            let known = inner.told.insert(run.id, now).unwrap_or_default();
            let more = Injected {
                strikes: now.strikes.saturating_sub(known.strikes),
                spared: now.spared.saturating_sub(known.spared),
            };
            let name = bounded(&inner.faults, run.fault.as_str());
            let kept = inner.faults.entry(name).or_default();
            kept.strikes += more.strikes;
            kept.spared += more.spared;
        }
        inner.faults.clone()
    }
}

/// The name by which something is counted.
fn bounded<T>(counted: &BTreeMap<String, T>, name: &str) -> String {
    let fits = counted.contains_key(name) || counted.len() < NAMES_MAX;
    if fits { name } else { OTHER }.to_owned()
}
