//! Runs that draw by request, whose faults in flight have a cap in each process, and whose outcomes may come late.

use daybreak_model::wire::{ArmCounts, Metric};
use daybreak_model::{Arm, DrawBy};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

use crate::scenario::{binomial, percent};
use crate::told::{PROCESSES, SECONDS, Server, is_resilient, misses, row};

/// Seconds between two reports of a process, and two looks of the guard.
const STEP: i64 = 4;
/// Requests of one process in a second.
const TRAFFIC: u64 = 33;

/// What a run lives through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capped {
    /// The rate of bad requests without the fault.
    pub(crate) base: f64,
    /// Bursts of half a minute, once in five minutes: traffic twice, the rate ten times as high.
    pub(crate) bursty: bool,
    /// What is treated from stage to stage, in thousandths of a percent.
    pub(crate) stages: &'static [u32],
    /// So much more probable a struck request is to be bad.
    pub(crate) harm: f64,
    /// So many faults are in flight in a process at most, each for ten seconds.
    pub(crate) cap: usize,
    /// A request that the fault made bad is known to be so after so many seconds.
    pub(crate) lag: f64,
    /// Whether the run is stopped as soon as it is called resilient.
    pub(crate) stops: bool,
}

/// What was seen of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Its evidence ended it.
    pub(crate) aborted: bool,
    /// The upper bound of harm was wrong at a look, or in the end.
    pub(crate) missed: bool,
    pub(crate) missed_in_the_end: bool,
    /// Called resilient at any look, and in the end.
    pub(crate) resilient: bool,
    pub(crate) resilient_in_the_end: bool,
    /// The share of the treated requests that the cap let through.
    pub(crate) struck: f64,
}

/// How long a fault is in flight, in seconds.
const HELD: f64 = 10.0;

/// One process: its cumulative counters by stage and arm, and what it waits for.
#[derive(Clone, Debug, Default)]
struct Process {
    counts: Vec<[[u64; 4]; 2]>,
    in_flight: Vec<f64>,
    /// When requests turn out bad, and in which stage and arm.
    pending: Vec<(f64, usize, usize)>,
}

/// The counters of an arm.
const REQUESTS: usize = 0;
const STRUCK: usize = 1;
const SETTLED: usize = 2;
const ERROR: usize = 3;

/// Runs one, and tells what the server made of it.
pub(crate) fn run(capped: &Capped, tolerated: f64, seed: u64) -> Seen {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut server = Server::new(capped.stages, DrawBy::Request, tolerated, STEP);
    let mut processes = vec![Process::new(capped.stages.len()); PROCESSES];
    let (mut seen, mut burst) = (Seen::default(), false);
    for step in 0..SECONDS / STEP {
        burst = capped.bursty && rng.random_bool(if burst { 0.87 } else { 1.0 / 75.0 });
        let from = (step * STEP) as f64;
        let stage = (step * STEP) as usize * capped.stages.len() / SECONDS as usize;
        processes.iter_mut().for_each(|process| process.serve(capped, (from, stage, burst), &mut rng));
        seen.aborted |= server.look(&rows(&processes), &mut rng);
        let finding = server.finding();
        seen.missed |= misses(&finding, capped.harm);
        seen.resilient |= is_resilient(&finding);
        if seen.aborted || (capped.stops && seen.resilient) {
            break;
        }
    }
    processes.iter_mut().for_each(|process| process.settle(f64::INFINITY));
    let finding = server.conclude(&rows(&processes));
    seen.missed_in_the_end = misses(&finding, capped.harm);
    seen.resilient_in_the_end = is_resilient(&finding);
    let treated = finding.treated.outcomes;
    seen.struck = treated.struck as f64 / treated.requests.max(1) as f64;
    seen
}

fn rows(processes: &[Process]) -> [Vec<ArmCounts>; PROCESSES] {
    std::array::from_fn(|process| processes[process].rows())
}

impl Process {
    fn new(stages: usize) -> Self {
        Self { counts: vec![[[0; 4]; 2]; stages], ..Self::default() }
    }

    /// Serves for one step.
    fn serve(&mut self, capped: &Capped, (from, stage, burst): (f64, usize, bool), rng: &mut impl Rng) {
        let (requests, base) = if burst { (TRAFFIC * 2, capped.base * 10.0) } else { (TRAFFIC, capped.base) };
        let requests = requests * STEP.unsigned_abs();
        let treated = binomial(requests, percent(capped.stages[stage]).ratio(), rng);
        let control = requests - treated;
        let bad = binomial(control, base, rng);
        let [_, counts] = &mut self.counts[stage];
        counts[REQUESTS] += control;
        counts[SETTLED] += control;
        counts[ERROR] += bad;
        let mut moments: Vec<f64> = (0..treated).map(|_| from + rng.random::<f64>() * STEP as f64).collect();
        moments.sort_by(f64::total_cmp);
        for moment in moments {
            self.in_flight.retain(|end| *end > moment);
            let struck = self.in_flight.len() < capped.cap;
            if struck {
                self.in_flight.push(moment + HELD);
            }
            let [counts, _] = &mut self.counts[stage];
            counts[REQUESTS] += 1;
            counts[STRUCK] += u64::from(struck);
            if struck && rng.random_bool(capped.harm) {
                self.pending.push((moment + capped.lag, stage, 0));
            } else {
                counts[SETTLED] += 1;
                counts[ERROR] += u64::from(rng.random_bool(base));
            }
        }
        self.settle(from + STEP as f64);
    }

    /// What has turned out by this time.
    fn settle(&mut self, now: f64) {
        let counts = &mut self.counts;
        self.pending.retain(|(moment, stage, arm)| {
            let due = *moment <= now;
            if due {
                let counts = &mut counts[*stage][*arm];
                counts[SETTLED] += 1;
                counts[ERROR] += 1;
            }
            !due
        });
    }

    fn rows(&self) -> Vec<ArmCounts> {
        let arm = |stage: usize, arm: Arm, counts: &[u64; 4]| {
            let counts = [
                (Metric::Requests, counts[REQUESTS]),
                (Metric::Struck, counts[STRUCK]),
                (Metric::Strikes, counts[STRUCK]),
                (Metric::Settled, counts[SETTLED]),
                (Metric::Error, counts[ERROR]),
            ];
            row(u32::try_from(stage).unwrap_or(u32::MAX), arm, counts.into(), None)
        };
        let both = |(stage, [treated, control]): (usize, &[[u64; 4]; 2])| {
            [arm(stage, Arm::Treated, treated), arm(stage, Arm::Control, control)]
        };
        self.counts.iter().enumerate().flat_map(both).collect()
    }
}
