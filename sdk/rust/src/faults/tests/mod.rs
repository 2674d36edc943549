//! What must always hold, with time moved by hand.

mod hosts;
mod leases;
mod outcomes;
mod sticky;
mod strikes;
mod traffic;
mod waits;

use std::sync::Arc;

use daybreak_model::wire::{Metric, RunSpec};
use daybreak_model::{Arm, Context, RunId};

use super::fixtures::{grant_all, report};
use super::{Faults, InjectedFault, Pass, Settings, TestClock};
use crate::scope::Outcome;

const POINT: &str = "payment.gateway";
const OPERATION: &str = "POST /checkout";

/// Faults and the clock that they live by.
fn faults(settings: Settings) -> (Faults, Arc<TestClock>) {
    let clock = Arc::new(TestClock::new());
    (Faults::with_clock(settings, Arc::clone(&clock) as _), clock)
}

/// Faults with this run granted.
fn with_run(spec: RunSpec) -> (Faults, Arc<TestClock>) {
    let (faults, clock) = faults(Settings::default());
    grant_all(&faults, [(1, spec)]);
    (faults, clock)
}

/// One request that passes the point once.
async fn request(faults: &Faults) -> Result<Pass, InjectedFault> {
    faults.request(OPERATION, Context::default(), faults.fault_point(POINT)).await
}

/// A request that was done, whatever came of it.
fn done<T>(_: &T) -> Outcome {
    Outcome::Success
}

async fn is_struck(faults: &Faults) -> bool {
    request(faults).await.is_err()
}

/// What is reported of one arm of a run, summed over stages and operations.
fn counted(faults: &Faults, run: u64, arm: Arm, metric: Metric) -> u64 {
    let arms = report(faults).arms.into_iter().filter(|counts| counts.run == RunId::new(run) && counts.arm == arm);
    arms.filter_map(|counts| counts.counts.get(&metric).copied()).sum()
}
