//! Fault points, for every benchmark that passes them.

use std::hint::black_box;

use daybreak_model::wire::{Enveloped, Position, Reply, RunGrant, RunSpec, StoreId};
use daybreak_model::{Context, DrawBy, Effect, Key, Millis, Percentage, RunId};
use daybreak_sdk::Point;
use daybreak_sdk::faults::Faults;
use daybreak_sdk::scope::{OpenScope, RootRequest};
use jiff::SignedDuration;

pub(crate) const POINT: &str = "payment.gateway";

/// Passes this often, as a task does that is running. Nothing waits here, so no runtime is needed.
pub(crate) fn pass(point: &Point, times: u64) {
    let passing = async {
        for _ in 0..times {
            let _ = black_box(black_box(point).pass().await);
        }
    };
    let _ = futures_util::FutureExt::now_or_never(passing);
}

/// Grants a run at this point, which treats nobody, and no other.
pub(crate) fn grant(faults: &Faults, run: u64, point: &str) -> Result<(), Box<dyn std::error::Error>> {
    let spec = RunSpec {
        fault: Key::new("slow")?,
        point: Key::new(point)?,
        operation: None,
        host: None,
        when: None,
        segments: Default::default(),
        protect: Vec::new(),
        by: DrawBy::Request,
        salt: "salt".to_owned(),
        effect: Effect { abort: true, ..Effect::default() },
        times: None,
        shadow: false,
        measure: None,
    };
    let now = faults.now();
    let run = RunGrant {
        id: RunId::new(run),
        stage: 0,
        percentage: Percentage::ZERO,
        cap: 64,
        ends_at: now.wall + SignedDuration::from_hours(1),
        spec: Some(Enveloped::new(1, &spec)?),
    };
    let reply = Reply {
        environment: "bench".to_owned(),
        position: Position { store: StoreId::new(1), revision: 1 },
        now: now.wall,
        lease: Millis::from_secs(30),
        interval: Millis::from_secs(2),
        halted: false,
        first: false,
        runs: vec![run],
        stale_after: None,
        measures: Vec::new(),
        sketches: Vec::new(),
    };
    faults.grant(&reply, now);
    Ok(())
}

/// A request of a service.
pub(crate) fn open(faults: &Faults) -> OpenScope {
    faults.open(|| RootRequest::new("POST /checkout", Context::default()))
}
