//! What one client last reported of one run: what grew since is taken from its next report.

use std::collections::BTreeMap;

use daybreak_model::Arm;
use jiff::Timestamp;

use super::counts::{ArmTotals, Latencies};
use super::missing::Told;

/// Arms of one client, by root operation and ramp stage; what is beyond is counted as another one.
pub(super) const ARMS_MAX: usize = 10_000;
/// Arms of one client whose latencies are kept, and steps of each.
const LATENCIES_MAX: usize = 64;
const LATENCY_STEPS_MAX: usize = 2_000;

/// Which requests: of a place, drawn in a ramp stage, on a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ArmKey {
    pub(super) place: usize,
    pub(super) stage: u32,
    pub(super) arm: Arm,
}

/// What one client last reported. There are many, so it is kept tightly: lists in order, not maps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClientPart {
    arms: Vec<ArmPart>,
    /// Arms whose latencies are kept.
    with_latencies: usize,
    /// When requests of it were last struck or treated: who falls silent then may be silent by the fault.
    pub(super) last_at_risk: Option<Timestamp>,
    /// When arms of it last came.
    pub(super) last_told: Option<Timestamp>,
    pub(super) told: Told,
}

#[derive(Clone, Debug, PartialEq)]
struct ArmPart {
    key: ArmKey,
    totals: ArmTotals,
    /// Steps and their counts, in order.
    latencies: Vec<(u64, u64)>,
}

impl ClientPart {
    /// The arms that are known.
    pub(super) fn arms(&self) -> impl Iterator<Item = (ArmKey, ArmTotals)> + '_ {
        self.arms.iter().map(|part| (part.key, part.totals))
    }

    /// Whether all that it counted has come, and nothing of it is open.
    pub(super) fn has_told_all(&self) -> bool {
        !self.told.is_incomplete() && self.arms().all(|(_, totals)| totals.open() == 0)
    }

    pub(super) fn len(&self) -> usize {
        self.arms.len()
    }

    pub(super) fn knows(&self, key: ArmKey) -> bool {
        self.arms.binary_search_by_key(&key, |part| part.key).is_ok()
    }

    /// Makes room for arms, where they are new.
    pub(super) fn know(&mut self, keys: impl Iterator<Item = ArmKey>) {
        let new: Vec<_> = keys.filter(|key| !self.knows(*key)).collect();
        if new.is_empty() {
            return;
        }
        self.arms.reserve_exact(new.len());
        let part = |key| ArmPart { key, totals: ArmTotals::default(), latencies: Vec::new() };
        self.arms.extend(new.into_iter().map(part));
        self.arms.sort_unstable_by_key(|part| part.key);
        self.arms.dedup_by_key(|part| part.key);
    }

    /// Raises the counters of an arm that is known to the latest ones: by how much they grew, and the most that was struck.
    pub(super) fn raise(&mut self, key: ArmKey, latest: ArmTotals) -> (ArmTotals, u64) {
        let Some(part) = self.arm(key) else { return (ArmTotals::default(), 0) };
        let grown = latest.zip(part.totals, u64::saturating_sub);
        part.totals = part.totals.zip(latest, u64::max);
        (grown, part.totals.struck)
    }

    /// Raises the latencies of an arm that is known, and adds to the sums what grew in each step.
    pub(super) fn raise_latencies(&mut self, key: ArmKey, latest: &BTreeMap<u64, u64>, sums: &mut Latencies) {
        let full = self.with_latencies >= LATENCIES_MAX;
        let Some(known) = self.arm(key).map(|part| &mut part.latencies) else { return };
        let begins = known.is_empty();
        if latest.is_empty() || (begins && full) {
            return;
        }
        raise_steps(known, latest, sums);
        let began = begins && !known.is_empty();
        self.with_latencies += usize::from(began);
    }

    fn arm(&mut self, key: ArmKey) -> Option<&mut ArmPart> {
        let at = self.arms.binary_search_by_key(&key, |part| part.key).ok()?;
        self.arms.get_mut(at)
    }
}

/// Both lists are in order, so that one walk over them is enough.
fn raise_steps(known: &mut Vec<(u64, u64)>, latest: &BTreeMap<u64, u64>, sums: &mut Latencies) {
    let (mut at, mut new) = (0, Vec::new());
    for (step, count) in latest {
        while known.get(at).is_some_and(|(known, _)| known < step) {
            at += 1;
        }
        let full = known.len() + new.len() >= LATENCY_STEPS_MAX;
        let before = known.get_mut(at).filter(|(known, _)| known == step).map(|(_, before)| before);
        let grown = count.saturating_sub(before.as_deref().copied().unwrap_or_default());
        if grown == 0 || (sums.len() >= LATENCY_STEPS_MAX && !sums.contains_key(step)) {
            continue;
        }
        match before {
            Some(before) => *before = *count,
            None if full => continue,
            None => new.push((*step, *count)),
        }
        let sum = sums.entry(*step).or_default();
        *sum = sum.saturating_add(grown);
    }
    if !new.is_empty() {
        known.reserve_exact(new.len());
        known.append(&mut new);
        known.sort_unstable();
    }
}
