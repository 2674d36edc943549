//! Runs without harm that are counted rightly, and as one might count them at first: what each way of counting does
//! to false aborts.

use daybreak_guard::evidence::{Arms, GuardedMetric, Stage, harm};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::scenario::{MINUTES, binomial, percent};

/// Requests a minute.
const TRAFFIC: u64 = 1_000;
/// The rate of bad requests.
const BASE: f64 = 0.001;
/// The percentage treated, in thousandths of a percent.
const TREATED: u32 = 5_000;
/// Keys of a sticky run.
const KEYS: usize = 20_000;

/// Whether a run was aborted, counted rightly and naively.
pub(crate) type Aborted = (bool, bool);

fn arms(percentage: u32) -> Arms {
    Arms {
        stages: vec![Stage::new(percent(percentage))],
        metrics: vec![GuardedMetric::Error],
        sticky: false,
        full: false,
    }
}

/// Counts a bad request, and says whether the e-value has reached its threshold.
fn count(arms: &mut Arms, stage: usize, treated: bool) -> bool {
    let stage = &mut arms.stages[stage];
    *if treated { &mut stage.treated.error } else { &mut stage.control.error } += 1;
    treated && harm::ln_e(arms) >= harm::THRESHOLD.ln()
}

/// A report on its way: its process, cumulative counters by arm, and what is new in them.
type Arriving = (usize, [u64; 2], [u64; 2]);

/// Reports of many processes: cumulative counters, of which the server keeps the greatest. One report in five comes up
/// to five minutes late, three in ten come twice. Naively each report says what is new, and is added as it comes.
pub(crate) fn reports(processes: usize, seed: u64) -> Aborted {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut rightly, mut naively) = (arms(TREATED), arms(TREATED));
    let mut aborted = (false, false);
    let mut sent = vec![[0_u64; 2]; processes];
    let mut kept = sent.clone();
    // By minute of arrival.
    let mut arriving: Vec<Vec<Arriving>> = vec![Vec::new(); MINUTES as usize + 6];
    for minute in 0..MINUTES as usize {
        let mut new = vec![[0_u64; 2]; processes];
        for _ in 0..binomial(TRAFFIC, BASE, &mut rng) {
            let arm = usize::from(rng.random_bool(percent(TREATED).ratio()));
            new[rng.random_range(0..processes)][arm] += 1;
        }
        for (process, new) in new.into_iter().enumerate().filter(|(_, new)| *new != [0, 0]) {
            sent[process] = [sent[process][0] + new[0], sent[process][1] + new[1]];
            for _ in 0..1 + usize::from(rng.random_bool(0.3)) {
                let late = if rng.random_bool(0.2) { rng.random_range(1..=5) } else { 0 };
                arriving[minute + late].push((process, sent[process], new));
            }
        }
        for (process, counters, new) in std::mem::take(&mut arriving[minute]) {
            for (arm, treated) in [(0, false), (1, true)] {
                for _ in kept[process][arm]..counters[arm] {
                    aborted.0 |= count(&mut rightly, 0, treated);
                }
                kept[process][arm] = kept[process][arm].max(counters[arm]);
                for _ in 0..new[arm] {
                    aborted.1 |= count(&mut naively, 0, treated);
                }
            }
        }
    }
    aborted
}

/// How the bad requests of keys are counted, where they are counted naively.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    /// Each bad request.
    Each,
    /// Each key once in each of so many processes.
    Once(usize),
}

/// A sticky run: bad requests come from few keys, as those of a broken client do. Rightly each key counts once. With a
/// ramp, from 1 % over 5 % to 10 %.
pub(crate) fn sticky(keys: Keys, ramped: bool, seed: u64) -> Aborted {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let stages: &[u32] = if ramped { &[1_000, 5_000, 10_000] } else { &[TREATED] };
    let mut rightly = arms(TREATED);
    rightly.sticky = true;
    rightly.stages = stages.iter().map(|stage| Stage::new(percent(*stage))).collect();
    let mut naively = rightly.clone();
    let mut aborted = (false, false);
    let place: Vec<f64> = (0..KEYS).map(|_| rng.random()).collect();
    let processes = if let Keys::Once(processes) = keys { processes } else { 1 };
    let mut seen = vec![false; KEYS];
    let mut seen_by = vec![false; KEYS * processes];
    for minute in 0..MINUTES as usize {
        let stage = minute * stages.len() / MINUTES as usize;
        for _ in 0..binomial(TRAFFIC, BASE, &mut rng) {
            // So few keys have most of the bad requests.
            let skewed: f64 = rng.random::<f64>().powi(12);
            let key = ((skewed * KEYS as f64) as usize).min(KEYS - 1);
            let treated = place[key] < percent(stages[stage]).ratio();
            let by = key * processes + rng.random_range(0..processes);
            let counts = matches!(keys, Keys::Each) || !seen_by[by];
            seen_by[by] = true;
            if counts {
                aborted.1 |= count(&mut naively, stage, treated);
            }
            if !std::mem::replace(&mut seen[key], true) {
                aborted.0 |= count(&mut rightly, stage, treated);
            }
        }
    }
    aborted
}

/// Beside another run, which treats 5 % too, and makes its requests bad twenty times as often. Rightly control is
/// whatever this run did not draw; naively what no run drew, and what both drew is treated.
pub(crate) fn beside_harm(seed: u64) -> Aborted {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rho = percent(TREATED).ratio();
    // What the naive count believes of its arms: among its requests, so many are treated.
    let among = rho / (rho + (1.0 - rho) * (1.0 - rho));
    let (mut rightly, mut naively) = (arms(TREATED), arms((among * 100_000.0).ceil() as u32));
    let mut aborted = (false, false);
    for _ in 0..MINUTES {
        let others = binomial(TRAFFIC, rho, &mut rng);
        let harmed = binomial(others, BASE * 20.0, &mut rng);
        let bad = binomial(TRAFFIC - others, BASE, &mut rng);
        for number in 0..harmed + bad {
            let treated = rng.random_bool(rho);
            aborted.0 |= count(&mut rightly, 0, treated);
            if treated || number >= harmed {
                aborted.1 |= count(&mut naively, 0, treated);
            }
        }
    }
    aborted
}
