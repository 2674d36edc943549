//! Counts that are told as they stand, added up so that they only grow: what goes takes nothing of its own away.

use std::collections::BTreeMap;

use daybreak_control::RunView;
use daybreak_model::RunId;
use parking_lot::Mutex;

/// Names that are counted one by one; all beyond are one.
pub(super) const NAMES_MAX: usize = 1_000;
/// The name of those.
pub(super) const OTHER: &str = "other";

/// What a fault injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Injected {
    /// Faults that were injected.
    pub(super) strikes: u64,
    /// Passes that the cap on faults in flight spared.
    pub(super) spared: u64,
}

/// What a run injected so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfRun<'a> {
    id: RunId,
    fault: &'a str,
    injected: Injected,
}

impl<'a> From<&'a RunView> for OfRun<'a> {
    fn from(run: &'a RunView) -> Self {
        let injected = Injected { strikes: run.counts.strikes, spared: run.counts.spared };
        Self { id: run.id, fault: run.fault.as_str(), injected }
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
    /// What these runs injected counts nothing: a server before has told of it.
    pub(super) fn begin<'a>(&self, runs: impl Iterator<Item = OfRun<'a>>) {
        self.0.lock().told.extend(runs.map(|run| (run.id, run.injected)));
    }

    /// Injections by fault, with what these runs, all that are known, injected since they were last told of.
    pub(super) fn injected<'a>(&self, runs: impl Iterator<Item = OfRun<'a>>) -> BTreeMap<String, Injected> {
        let inner = &mut *self.0.lock();
        let mut told = BTreeMap::new();
        for OfRun { id, fault, injected } in runs {
            let before = inner.told.get(&id).copied().unwrap_or_default();
            let name = bounded(&inner.faults, fault);
            let kept = inner.faults.entry(name).or_default();
            kept.strikes += injected.strikes.saturating_sub(before.strikes);
            kept.spared += injected.spared.saturating_sub(before.spared);
            // A count that comes back smaller adds nothing until it is beyond what it was.
            let seen =
                Injected { strikes: injected.strikes.max(before.strikes), spared: injected.spared.max(before.spared) };
            told.insert(id, seen);
        }
        inner.told = told;
        inner.faults.clone()
    }
}

/// The name by which something is counted.
fn bounded<T>(counted: &BTreeMap<String, T>, name: &str) -> String {
    let fits = counted.contains_key(name) || counted.len() < NAMES_MAX;
    if fits { name } else { OTHER }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs as they stand, and what was counted by fault.
    type Case = (&'static [(u64, &'static str, u64)], &'static [(&'static str, u64)]);

    fn of(id: u64, fault: &str, strikes: u64) -> OfRun<'_> {
        OfRun { id: RunId::new(id), fault, injected: Injected { strikes, spared: strikes / 10 } }
    }

    #[test]
    fn injections_only_grow() {
        let totals = Totals::default();
        totals.begin([of(1, "slow", 500)].into_iter());
        let cases: [Case; 6] = [
            (&[(1, "slow", 500)], &[("slow", 0)]),
            (&[(1, "slow", 500), (2, "slow", 7)], &[("slow", 7)]),
            (&[(2, "slow", 9), (3, "down", 1)], &[("down", 1), ("slow", 9)]),
            // What is forgotten takes nothing away; what shrinks neither.
            (&[(3, "down", 1)], &[("down", 1), ("slow", 9)]),
            (&[(3, "down", 0)], &[("down", 1), ("slow", 9)]),
            (&[(3, "down", 2)], &[("down", 2), ("slow", 9)]),
        ];
        for (runs, expected) in cases {
            let counted = totals.injected(runs.iter().map(|(id, fault, strikes)| of(*id, fault, *strikes)));
            let counted: Vec<_> = counted.iter().map(|(fault, of)| (fault.as_str(), of.strikes)).collect();
            assert_eq!(counted, expected, "{runs:?}");
        }
    }

    #[test]
    fn names_are_bounded() {
        let totals = Totals::default();
        let faults: Vec<String> = (0..2 * NAMES_MAX).map(|number| format!("f{number}")).collect();
        let runs = faults.iter().enumerate().map(|(id, fault)| of(id as u64, fault, 1));
        let counted = totals.injected(runs);
        assert_eq!(counted.len(), NAMES_MAX + 1);
        assert_eq!(counted[OTHER].strikes, NAMES_MAX as u64);
        assert_eq!(counted.values().map(|of| of.strikes).sum::<u64>(), 2 * NAMES_MAX as u64);
    }
}
