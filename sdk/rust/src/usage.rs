//! How often each variant was served.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_engine::{FlagInfo, Snapshot};
use daybreak_model::Key;
use daybreak_model::wire::Evaluations;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::at_hand::AtHand;
use crate::counters::Counters;
use crate::unknown::UnknownFlags;

/// Changes of variants whose earlier counts are kept.
const REPLACED_MAX: usize = 1_000;

/// The counters of one client.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    names: Mutex<Names>,
    counters: Counters,
    /// What was asked for and is not there.
    pub(crate) unknown: UnknownFlags,
}

/// Which counter is whose. A counter belongs to one flag and variant for the client's life.
#[derive(Debug, Default)]
struct Names {
    /// By flag: its first counter, which counts errors, and the variants of those after it.
    flags: FxHashMap<Key, (u32, Vec<Key>)>,
    next: u32,
    /// Counters of flags whose variants changed since: their counts still count.
    replaced: Vec<(Key, u32, Vec<Key>)>,
}

impl Usage {
    /// What is at hand of each flag of a snapshot, by the flag's index.
    pub(crate) fn at_hand(&self, snapshot: &Snapshot) -> Vec<AtHand> {
        let mut names = self.names.lock();
        snapshot.flags().map(|flag| names.at_hand(snapshot, &flag)).collect()
    }

    /// The same, over that of an earlier snapshot: of flags that did not change it stays. None of it is of rules, so no segment moves it.
    pub(crate) fn at_hand_over(
        &self,
        at_hand: &[AtHand],
        before: &Snapshot,
        snapshot: &Snapshot,
        revised: &BTreeSet<Key>,
    ) -> Vec<AtHand> {
        if !snapshot.same_index(before) {
            return self.at_hand(snapshot);
        }
        let mut at_hand = at_hand.to_vec();
        let mut names = self.names.lock();
        for flag in revised.iter().filter_map(|key| snapshot.info(snapshot.index(key.as_str())?)) {
            if let Some(own) = at_hand.get_mut(flag.index.position()) {
                *own = names.at_hand(snapshot, &flag);
            }
        }
        at_hand
    }

    /// Counts one evaluation.
    #[inline]
    pub(crate) fn count(&self, counter: u32) {
        self.counters.add(counter);
    }

    /// The sums over all threads since the client began.
    pub(crate) fn sums(&self) -> BTreeMap<Key, Evaluations> {
        let counted = self.counters.sums();
        let sum = |counter: u32| counted.of(counter);
        let names = self.names.lock();
        let current = names.flags.iter().map(|(key, (first, variants))| (key, *first, variants));
        let replaced = names.replaced.iter().map(|(key, first, variants)| (key, *first, variants));
        let mut sums: BTreeMap<Key, Evaluations> = BTreeMap::new();
        for (key, first, variants) in current.chain(replaced) {
            let counted = (first + 1..).zip(variants).map(|(counter, name)| (name, sum(counter)));
            let counted: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
            let errors = sum(first);
            if errors == 0 && counted.is_empty() {
                continue;
            }
            let evaluations = sums.entry(key.clone()).or_default();
            evaluations.errors += errors;
            for (name, count) in counted {
                *evaluations.variants.entry(name.clone()).or_default() += count;
            }
        }
        sums
    }
}

impl Names {
    fn at_hand(&mut self, snapshot: &Snapshot, flag: &FlagInfo<'_>) -> AtHand {
        AtHand::of(snapshot, flag.index, self.of(flag.key, flag.variants.iter().map(|(name, _)| name)))
    }

    fn of<'k>(&mut self, key: &Key, variants: impl Iterator<Item = &'k Key> + Clone) -> u32 {
        if let Some((first, known)) = self.flags.get(key)
            && known.iter().eq(variants.clone())
        {
            return *first;
        }
        let variants: Vec<Key> = variants.cloned().collect();
        let first = self.next;
        self.next = self.next.saturating_add(1).saturating_add(u32::try_from(variants.len()).unwrap_or(u32::MAX));
        if let Some((before, known)) = self.flags.insert(key.clone(), (first, variants)) {
            if self.replaced.len() >= REPLACED_MAX {
                self.replaced.remove(0);
            }
            self.replaced.push((key.clone(), before, known));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn counts_are_by_flag_and_variant_and_of_all_threads() {
        let usage = Arc::new(Usage::default());
        let key = Key::new("flag").unwrap();
        let on = Key::new("on").unwrap();
        let first = usage.names.lock().of(&key, std::iter::once(&on));
        usage.count(first + 1);
        let other = Arc::clone(&usage);
        std::thread::spawn(move || (0..10).for_each(|_| other.count(first + 1))).join().unwrap();
        usage.count(first);
        let sums = usage.sums();
        assert_eq!((sums[&key].variants[&on], sums[&key].errors), (11, 1));
    }
}
