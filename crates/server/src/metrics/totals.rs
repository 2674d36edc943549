//! Counts that are told as they stand, added up so that they only grow: what goes takes nothing of its own away.

use std::collections::BTreeMap;

use daybreak_control::{Evaluated, RunView};
use daybreak_model::{Key, RunId};
use parking_lot::Mutex;

/// Names that are counted one by one; all beyond are one.
pub(super) const NAMES_MAX: usize = 1_000;
/// The name of those, which is no key.
pub(super) const OTHER: &str = "_other";

/// What a fault injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Injected {
    /// Faults that were injected.
    pub(super) strikes: u64,
    /// Passes that the cap on faults in flight spared.
    pub(super) spared: u64,
}

/// What a run injected so far.
#[derive(Clone, Debug)]
pub(super) struct OfRun {
    id: RunId,
    fault: String,
    injected: Injected,
}

impl From<&RunView> for OfRun {
    fn from(run: &RunView) -> Self {
        let injected = Injected { strikes: run.counts.strikes, spared: run.counts.spared };
        Self { id: run.id, fault: run.fault.to_string(), injected }
    }
}

/// What is added up. What it is added up from is read under its lock: of two who scrape at once, one would else undo what the
/// other has seen, and it would be counted again.
#[derive(Debug, Default)]
pub(super) struct Totals(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// What was told of each run so far.
    told: BTreeMap<RunId, Injected>,
    faults: Named<Injected>,
    /// What was told of each flag so far.
    evaluated: BTreeMap<Key, Evaluated>,
    flags: Named<Evaluated>,
}

/// Counts by name, up to [`NAMES_MAX`] names; all beyond have one together. A name that is counted stays.
#[derive(Debug, Default)]
struct Named<T> {
    names: BTreeMap<String, T>,
    other: T,
}

impl<T: Copy + Default> Named<T> {
    /// Makes room for names that there are.
    fn know<'a>(&mut self, names: impl Iterator<Item = &'a Key>) {
        for name in names {
            if self.names.len() >= NAMES_MAX {
                return;
            }
            if !self.names.contains_key(name.as_str()) {
                self.names.insert(name.to_string(), T::default());
            }
        }
    }

    /// The count of a name.
    fn of(&mut self, name: &str) -> &mut T {
        self.names.get_mut(name).unwrap_or(&mut self.other)
    }

    /// The same, with a name of its own as long as there is room.
    fn of_any(&mut self, name: &str) -> &mut T {
        if self.names.len() < NAMES_MAX && !self.names.contains_key(name) {
            self.names.insert(name.to_owned(), T::default());
        }
        self.of(name)
    }

    /// All, that of the others last.
    fn all(&self) -> Vec<(String, T)> {
        let names = self.names.iter().map(|(name, count)| (name.clone(), *count));
        names.chain([(OTHER.to_owned(), self.other)]).collect()
    }
}

impl Totals {
    /// What these runs injected counts nothing: a server before has told of it.
    pub(super) fn begin(&self, runs: impl Iterator<Item = OfRun>) {
        self.0.lock().told.extend(runs.map(|run| (run.id, run.injected)));
    }

    /// Injections by fault: of these, which there are, and of all that runs tell of. `read` tells of all runs that are known.
    pub(super) fn injected<'a>(
        &self,
        faults: impl Iterator<Item = &'a Key>,
        read: impl FnOnce() -> Vec<OfRun>,
    ) -> Vec<(String, Injected)> {
        let inner = &mut *self.0.lock();
        inner.faults.know(faults);
        let mut told = BTreeMap::new();
        for OfRun { id, fault, injected } in read() {
            let before = inner.told.get(&id).copied().unwrap_or_default();
            let kept = inner.faults.of_any(&fault);
            kept.strikes += injected.strikes.saturating_sub(before.strikes);
            kept.spared += injected.spared.saturating_sub(before.spared);
            // A count that comes back smaller adds nothing until it is beyond what it was.
            let seen =
                Injected { strikes: injected.strikes.max(before.strikes), spared: injected.spared.max(before.spared) };
            told.insert(id, seen);
        }
        inner.told = told;
        inner.faults.all()
    }

    /// Evaluations by flag: of these, which there are; those of a flag that there was stay with its name. `read` tells how often
    /// each flag was evaluated, which only grows.
    pub(super) fn evaluated<'a>(
        &self,
        flags: impl Iterator<Item = &'a Key>,
        read: impl FnOnce() -> BTreeMap<Key, Evaluated>,
    ) -> Vec<(String, Evaluated)> {
        let inner = &mut *self.0.lock();
        inner.flags.know(flags);
        let evaluated = read();
        for (flag, of) in &evaluated {
            let before = inner.evaluated.get(flag).copied().unwrap_or_default();
            let kept = inner.flags.of(flag.as_str());
            kept.served += of.served.saturating_sub(before.served);
            kept.errors += of.errors.saturating_sub(before.errors);
        }
        inner.evaluated = evaluated;
        inner.flags.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs as they stand, and what was counted by fault.
    type Case = (&'static [(u64, &'static str, u64)], &'static [(&'static str, u64)]);

    fn of(id: u64, fault: &str, strikes: u64) -> OfRun {
        OfRun { id: RunId::new(id), fault: fault.to_owned(), injected: Injected { strikes, spared: strikes / 10 } }
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
            let runs = runs.iter().map(|(id, fault, strikes)| of(*id, fault, *strikes));
            let counted = totals.injected([].iter(), || runs.clone().collect());
            let counted: Vec<_> = counted.iter().map(|(fault, of)| (fault.as_str(), of.strikes)).collect();
            assert_eq!(counted, [expected, &[(OTHER, 0)]].concat(), "{runs:?}");
        }
    }

    #[test]
    fn who_reads_reads_alone() {
        let totals = Totals::default();
        totals.injected([].iter(), || {
            assert!(totals.0.is_locked());
            Vec::new()
        });
        totals.evaluated([].iter(), || {
            assert!(totals.0.is_locked());
            BTreeMap::new()
        });
    }

    #[test]
    fn names_are_bounded() {
        let totals = Totals::default();
        let faults: Vec<String> = (0..2 * NAMES_MAX).map(|number| format!("f{number}")).collect();
        let runs = || faults.iter().enumerate().map(|(id, fault)| of(id as u64, fault, 1)).collect();
        let there_are: Vec<Key> = (0..NAMES_MAX).map(|number| Key::new(&format!("g{number}")).unwrap()).collect();
        let counted = totals.injected(there_are[..10].iter(), runs);
        assert_eq!(totals.injected(there_are.iter(), runs).len(), counted.len(), "those that come later have no room");
        assert_eq!(counted.len(), NAMES_MAX + 1);
        let (other, named) = counted.split_last().unwrap();
        assert_eq!((other.0.as_str(), other.1.strikes), (OTHER, NAMES_MAX as u64 + 10));
        assert_eq!(named.iter().map(|(_, of)| of.strikes).sum::<u64>(), NAMES_MAX as u64 - 10);
        assert!(Key::new(OTHER).is_err(), "nobody else has that name");
    }

    #[test]
    fn evaluations_only_grow() {
        let totals = Totals::default();
        let key = |name: &str| Key::new(name).unwrap();
        // The flags that there are, what was evaluated, and what is told.
        type Counts = &'static [(&'static str, u64)];
        let cases: [(&[&str], Counts, Counts); 5] = [
            (&["a"], &[("b", 5)], &[("a", 0), (OTHER, 5)]),
            (&["a"], &[("a", 3), ("b", 6)], &[("a", 3), (OTHER, 6)]),
            // What comes takes nothing from the others, what goes brings them nothing.
            (&["a", "b"], &[("a", 3), ("b", 6)], &[("a", 3), ("b", 0), (OTHER, 6)]),
            (&["b"], &[("a", 4), ("b", 7)], &[("a", 4), ("b", 1), (OTHER, 6)]),
            (&["a", "b"], &[("a", 5), ("b", 7), ("c", 1)], &[("a", 5), ("b", 1), (OTHER, 7)]),
        ];
        for (flags, evaluated, expected) in cases {
            let flags: Vec<Key> = flags.iter().map(|name| key(name)).collect();
            let of = |served: u64| Evaluated { served, errors: served * 2 };
            let read = || evaluated.iter().map(|(name, served)| (key(name), of(*served))).collect();
            let told = totals.evaluated(flags.iter(), read);
            let expected: Vec<_> = expected.iter().map(|(name, served)| ((*name).to_owned(), of(*served))).collect();
            assert_eq!(told, expected, "{evaluated:?}");
        }
    }
}
