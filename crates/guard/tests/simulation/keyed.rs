//! Runs that draw by an attribute, whose keys come to several processes: each tells of the keys that it met, and the
//! server counts each once.

use std::collections::BTreeMap;

use daybreak_model::wire::{ArmCounts, ArmKeys, Metric};
use daybreak_model::{Arm, DrawBy, KeyHash, KeyHashes, KeySketch};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

use crate::capped::Seen;
use crate::scenario::percent;
use crate::told::{PROCESSES, SECONDS, Server, is_resilient, misses, row};

/// Seconds between two reports of a process, and two looks of the guard.
const STEP: i64 = 60;
/// Requests of one process in a step.
const TRAFFIC: u64 = 500;

/// What a run lives through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    /// How many keys there are.
    pub(crate) keys: usize,
    /// How much of the traffic the busiest have: with 1 all have alike.
    pub(crate) skew: i32,
    /// The rate of bad requests without the fault.
    pub(crate) base: f64,
    /// What is drawn from stage to stage, in thousandths of a percent.
    pub(crate) stages: &'static [u32],
    /// So much more probable a struck key is to be bad, at least.
    pub(crate) harm: f64,
}

/// A key of the population.
#[derive(Clone, Copy, Debug)]
struct Key {
    hash: KeyHash,
    /// Drawn below this share.
    place: f64,
    /// Whether the fault makes its requests bad.
    harmed: bool,
}

/// What one process tells of one arm of a stage.
#[derive(Clone, Debug, Default)]
struct Told {
    requests: u64,
    errors: u64,
    drawn: KeySketch,
    bad: KeyHashes,
}

/// Runs one, and tells what the server made of it.
pub(crate) fn run(keyed: &Keyed, tolerated: f64, seed: u64) -> Seen {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let keys = population(keyed, &mut rng);
    let by = DrawBy::Attribute("tenant".into());
    let mut server = Server::new(keyed.stages, by, tolerated, STEP);
    let mut told = vec![vec![<[Told; 2]>::default(); keyed.stages.len()]; PROCESSES];
    let mut seen = Seen { struck: 1.0, ..Seen::default() };
    for step in 0..SECONDS / STEP {
        let stage = (step * STEP) as usize * keyed.stages.len() / SECONDS as usize;
        let share = percent(keyed.stages[stage]).ratio();
        for process in &mut told {
            for _ in 0..TRAFFIC {
                let at = rng.random::<f64>().powi(keyed.skew) * keyed.keys as f64;
                let key = &keys[(at as usize).min(keyed.keys - 1)];
                let treated = key.place < share;
                let bad = rng.random_bool(keyed.base) || (treated && key.harmed);
                process[stage][usize::from(!treated)].meet(key.hash, bad);
            }
        }
        seen.aborted |= server.look(&rows(&told), &mut rng);
        let finding = server.finding();
        seen.missed |= misses(&finding, keyed.harm);
        seen.resilient |= is_resilient(&finding);
        if seen.aborted {
            break;
        }
    }
    let finding = server.conclude(&rows(&told));
    seen.missed_in_the_end = misses(&finding, keyed.harm);
    seen.resilient_in_the_end = is_resilient(&finding);
    seen
}

/// The keys. Some would be bad without the fault too; so that all of them together are harmed by as much as is said,
/// somewhat more of them are made bad.
fn population(keyed: &Keyed, rng: &mut impl Rng) -> Vec<Key> {
    let requests = (SECONDS / STEP).unsigned_abs() * TRAFFIC * PROCESSES as u64;
    let spared = (1.0 - keyed.base).powf(requests as f64 / keyed.keys as f64);
    let harm = (keyed.harm / spared).min(1.0);
    let key = |_| Key { hash: KeyHash::new(rng.random()), place: rng.random(), harmed: rng.random_bool(harm) };
    (0..keyed.keys).map(key).collect()
}

impl Told {
    fn meet(&mut self, key: KeyHash, bad: bool) {
        self.requests += 1;
        self.drawn.insert(key);
        if bad {
            self.errors += 1;
            self.bad.insert(key);
        }
    }

    fn row(&self, stage: u32, arm: Arm) -> ArmCounts {
        let struck = if arm == Arm::Treated { self.requests } else { 0 };
        let counts = [
            (Metric::Requests, self.requests),
            (Metric::Struck, struck),
            (Metric::Settled, self.requests),
            (Metric::Error, self.errors),
        ];
        let keys = ArmKeys {
            drawn: self.drawn.clone(),
            struck: if arm == Arm::Treated { self.drawn.clone() } else { KeySketch::default() },
            bad: BTreeMap::from([(Metric::Error, self.bad.clone())]),
            full: false,
        };
        row(stage, arm, counts.into(), Some(keys))
    }
}

fn rows(told: &[Vec<[Told; 2]>]) -> [Vec<ArmCounts>; PROCESSES] {
    std::array::from_fn(|process| {
        let both = |(stage, [treated, control]): (usize, &[Told; 2])| {
            let stage = u32::try_from(stage).unwrap_or(u32::MAX);
            [treated.row(stage, Arm::Treated), control.row(stage, Arm::Control)]
        };
        told[process].iter().enumerate().flat_map(both).collect()
    })
}
