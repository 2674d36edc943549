//! Runs without harm, whose fault holds each request for a while, and of whose processes one falls silent now and then: what
//! it has open then is rather treated than not.

use std::collections::VecDeque;

use daybreak_model::wire::{ArmCounts, Metric};
use daybreak_model::{Arm, DrawBy};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

use crate::capped::Seen;
use crate::scenario::{binomial, percent};
use crate::told::{PROCESSES, SECONDS, Server, is_resilient, misses, row};

/// Requests of one process in a second.
const TRAFFIC: u64 = 33;
/// What is treated, in thousandths of a percent.
const TREATED: u32 = 5_000;
/// For how long the fault holds a request, in seconds.
const HELD: i64 = 2;
/// Seconds between two reports of a process.
const REPORTS: i64 = 2;
/// For how long a process is silent, and how often one falls silent, in seconds.
const SILENT: i64 = 6;
const SILENT_EVERY: f64 = 60.0;
/// Seconds between two looks at what is shown. The guard looks each second.
const FINDINGS: i64 = 10;

/// One process: its cumulative counters, and the treated requests that the fault holds.
#[derive(Clone, Debug, Default)]
struct Process {
    treated: Counts,
    control: Counts,
    /// By when they began: how many, and how many of them will be bad.
    held: VecDeque<(i64, u64, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    settled: u64,
    error: u64,
}

/// Runs one, of whose requests so many are bad, and tells what the server made of it.
pub(crate) fn run(base: f64, tolerated: f64, seed: u64) -> Seen {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut server = Server::new(&[TREATED], DrawBy::Request, tolerated, 1);
    let mut processes: [Process; PROCESSES] = std::array::from_fn(|_| Process::default());
    let (mut silent, mut until) = (0, 0);
    let mut seen = Seen { struck: 1.0, ..Seen::default() };
    for second in 0..SECONDS {
        if second >= until && rng.random_bool(1.0 / SILENT_EVERY) {
            (silent, until) = (rng.random_range(0..PROCESSES), second + SILENT);
        }
        for (number, process) in processes.iter_mut().enumerate() {
            process.serve(second, base, &mut rng);
            let speaks = number != silent || second >= until;
            if speaks && (second + number as i64) % REPORTS == 0 {
                server.hear(number, &process.rows(), &mut rng);
            }
        }
        seen.aborted |= server.see();
        if second % FINDINGS == 0 {
            let finding = server.finding();
            seen.missed |= misses(&finding, 0.0);
            seen.resilient |= is_resilient(&finding);
        }
        if seen.aborted {
            break;
        }
    }
    processes.iter_mut().for_each(|process| process.settle(i64::MAX));
    let finding = server.conclude(&processes.map(|process| process.rows()));
    seen.missed_in_the_end = misses(&finding, 0.0);
    seen.resilient_in_the_end = is_resilient(&finding);
    seen
}

impl Process {
    /// Serves for a second.
    fn serve(&mut self, second: i64, base: f64, rng: &mut impl Rng) {
        let treated = binomial(TRAFFIC, percent(TREATED).ratio(), rng);
        let control = TRAFFIC - treated;
        self.treated.requests += treated;
        self.held.push_back((second, treated, binomial(treated, base, rng)));
        self.control.requests += control;
        self.control.settled += control;
        self.control.error += binomial(control, base, rng);
        self.settle(second);
    }

    /// What is held no longer by this time.
    fn settle(&mut self, now: i64) {
        while let Some((_, requests, bad)) = self.held.pop_front_if(|(begun, ..)| *begun <= now - HELD) {
            self.treated.settled += requests;
            self.treated.error += bad;
        }
    }

    fn rows(&self) -> Vec<ArmCounts> {
        let arm = |arm: Arm, counts: Counts, struck: u64| {
            let counts = [
                (Metric::Requests, counts.requests),
                (Metric::Struck, struck),
                (Metric::Strikes, struck),
                (Metric::Settled, counts.settled),
                (Metric::Error, counts.error),
            ];
            row(0, arm, counts.into(), None)
        };
        vec![arm(Arm::Treated, self.treated, self.treated.requests), arm(Arm::Control, self.control, 0)]
    }
}
