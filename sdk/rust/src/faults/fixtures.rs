//! What the tests of faults are made of.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use daybreak_model::wire::{Enveloped, Position, Reply, Report, RunGrant, RunSpec, StoreId};
use daybreak_model::{Distribution, DrawBy, Effect, ErrorEffect, Key, Latency, Millis, Percentage, RunId};
use jiff::SignedDuration;

use super::Faults;

/// A run of the fault `fault`, of everyone, at this point.
pub(crate) fn spec(point: &str, effect: Effect) -> RunSpec {
    RunSpec {
        fault: Key::new("fault").unwrap(),
        point: Key::new(point).unwrap(),
        operation: None,
        host: None,
        when: None,
        segments: Default::default(),
        protect: Vec::new(),
        by: DrawBy::Request,
        salt: "salt".to_owned(),
        effect,
        times: None,
        shadow: false,
        measure: None,
    }
}

pub(crate) fn error(status: u16) -> Effect {
    let error = ErrorEffect { status: Some(status), code: None, message: None };
    Effect { error: Some(error), ..Effect::default() }
}

pub(crate) fn latency(length: Millis) -> Effect {
    let latency = Latency { distribution: Distribution::Fixed(length), max: length };
    Effect { latency: Some(latency), ..Effect::default() }
}

/// Leave for a run of everybody, for an hour from now.
pub(crate) fn run_grant(faults: &Faults, id: u64, spec: &RunSpec) -> RunGrant {
    RunGrant {
        id: RunId::new(id),
        stage: 0,
        percentage: Percentage::FULL,
        cap: 64,
        ends_at: faults.now().wall + SignedDuration::from_hours(1),
        spec: Some(Enveloped::new(1, spec).unwrap()),
    }
}

/// A reply of ten seconds' lease.
pub(crate) fn reply(faults: &Faults, runs: Vec<RunGrant>) -> Reply {
    Reply {
        environment: "test".to_owned(),
        position: Position { store: StoreId::new(1), revision: 1 },
        now: faults.now().wall,
        lease: Millis::from_secs(10),
        interval: Millis::from_secs(2),
        halted: false,
        first: false,
        runs,
        stale_after: None,
        measures: Vec::new(),
        sketches: Vec::new(),
    }
}

/// Grants these runs, and no others.
pub(crate) fn grant_all(faults: &Faults, runs: impl IntoIterator<Item = (u64, RunSpec)>) {
    let runs = runs.into_iter().map(|(id, spec)| run_grant(faults, id, &spec)).collect();
    faults.grant(&reply(faults, runs), faults.now());
}

/// Runs a future on this thread, without any runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// What a report would say now.
pub(crate) fn report(faults: &Faults) -> Report {
    let mut report: Report = serde_json::from_value(serde_json::json!({
        "client": "0".repeat(32), "sequence": 1, "service": "test",
        "sdk": { "name": "test", "version": "0" }, "state": "streaming",
    }))
    .unwrap();
    faults.fill(&mut report);
    report
}
