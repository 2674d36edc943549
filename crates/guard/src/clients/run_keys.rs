//! The keys of a run that draws by an attribute.
//!
//! There a unit is a key: it is bad if any of its requests was, and counts once, by its first bad outcome, whatever
//! the number of clients and ramp stages that meet it. So only the server can count them. At [`BAD_KEYS_MAX`] the
//! counts stand still: what they show so far stays valid, and the caps, which count requests, go on.

use std::collections::BTreeMap;

use daybreak_model::limits::BAD_KEYS_MAX;
use daybreak_model::wire::{ArmCounts, ArmKeys, Metric};
use daybreak_model::{Arm, KeyHash, KeySketch, RAMP_STEPS_MAX, SKETCH_HASHES_MAX};

use super::ArmTotals;

/// The keys of all clients.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RunKeys {
    stages: BTreeMap<(u32, Arm), StageKeys>,
    /// Where each bad key was bad first.
    bad: BTreeMap<KeyHash, (u32, Arm)>,
    full: bool,
}

/// Those of one arm of one stage.
#[derive(Clone, Debug, Default, PartialEq)]
struct StageKeys {
    drawn: KeySketch,
    struck: KeySketch,
    error: u64,
    slow: u64,
    cancelled: u64,
}

impl RunKeys {
    /// Takes in what a client tells of all arms: at the limit all of it, or none, so that no arm is favoured.
    pub(super) fn take_in(&mut self, arms: &[&ArmCounts]) {
        let room = self.bad.len() < BAD_KEYS_MAX;
        arms.iter().for_each(|arm| self.take_in_arm(arm, room));
    }

    fn take_in_arm(&mut self, counts: &ArmCounts, room: bool) {
        let Some(ArmKeys { drawn, struck, bad, full }) = &counts.keys else { return };
        if usize::try_from(counts.stage).is_ok_and(|stage| stage > RAMP_STEPS_MAX) {
            return;
        }
        self.full |= *full;
        let at = (counts.stage, counts.arm);
        let stage = self.stages.entry(at).or_default();
        stage.drawn.merge(drawn);
        stage.struck.merge(struck);
        for (metric, keys) in bad {
            let Some(count) = stage.bad(*metric) else { continue };
            for key in keys.iter() {
                if self.bad.contains_key(&key) {
                    continue;
                }
                if !room {
                    self.full = true;
                    return;
                }
                self.bad.insert(key, at);
                *count += 1;
            }
        }
    }

    /// Whether keys were bad that are not counted.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// Both arms by ramp stage, in keys.
    pub(super) fn totals(&self) -> impl Iterator<Item = ((u32, Arm), ArmTotals)> + '_ {
        self.stages.iter().map(|(at, stage)| (*at, stage.totals()))
    }
}

impl StageKeys {
    fn bad(&mut self, metric: Metric) -> Option<&mut u64> {
        match metric {
            Metric::Error => Some(&mut self.error),
            Metric::Slow => Some(&mut self.slow),
            Metric::Cancelled => Some(&mut self.cancelled),
            _ => None,
        }
    }

    fn totals(&self) -> ArmTotals {
        let Self { error, slow, cancelled, .. } = *self;
        let requests = self.drawn.count().max(error + slow + cancelled);
        let struck = at_least(&self.struck).min(requests);
        ArmTotals { requests, struck, settled: requests, error, slow, cancelled, ..ArmTotals::default() }
    }
}

/// Of how many keys harm is shared out must not be guessed too high: an estimate is taken two standard errors lower.
fn at_least(sketch: &KeySketch) -> u64 {
    let count = sketch.count();
    if count < SKETCH_HASHES_MAX as u64 {
        return count;
    }
    // 2/√1022 is 0.0626.
    count - count / 16
}

#[cfg(test)]
mod tests;
