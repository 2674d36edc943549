//! Passing a fault point.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use daybreak_engine::{Failure, Strike};
use daybreak_model::wire::Metric;
use daybreak_model::{Arm, Key, RunId};
use serde_json::Value;
use tokio::time::Instant;

use super::leases::ActiveRun;
use super::{Faults, InjectedFault, Pass};
use crate::Scope;
use crate::scope::{Draw, Memory};

/// A pass that is to be struck by a run.
struct Hit {
    run: ActiveRun,
    /// Which pass of this request it is, from 0.
    pass: u32,
    permit: Permit,
}

/// One of the faults that may be in flight; given back when dropped, with its future if need be.
struct Permit(Arc<AtomicU32>);

impl Permit {
    /// Takes a permit, if fewer than `cap` are taken: exact, under any concurrency.
    fn take(in_flight: &Arc<AtomicU32>, cap: u32) -> Option<Self> {
        let more = |taken: u32| (taken < cap).then_some(taken + 1);
        in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(Arc::clone(in_flight)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Faults {
    /// Passes a point inside a scope, or outside any, where nothing can strike.
    pub(crate) async fn pass(
        &self,
        point: &Key,
        host: Option<&str>,
        scope: Option<&Scope>,
    ) -> Result<Pass, InjectedFault> {
        let hits = self.hits(point, host, scope);
        let mut passed = Pass::default();
        let Some(scope) = scope else { return Ok(passed) };
        for hit in hits {
            if let Some(strike) = hit.run.run.strike(scope.draw_key(), hit.pass) {
                let data = self.perform(&hit, &strike).await?;
                passed.data = data.or(passed.data);
            }
        }
        Ok(passed)
    }

    /// Counts the pass, makes the draws that are due, and tells which runs strike. Nothing here waits.
    fn hits(&self, point: &Key, host: Option<&str>, scope: Option<&Scope>) -> Vec<Hit> {
        let Some(scope) = scope else {
            self.counts.pass(point, false, None);
            return Vec::new();
        };
        let mut memory = scope.memory().lock();
        let first = !memory.passed.contains(point);
        if first {
            memory.passed.push(point.clone());
        }
        self.counts.pass(point, true, first.then(|| scope.operation()));
        let leases = self.leases.load();
        let may_strike = scope.is_eligible() && self.allowed.load(Ordering::SeqCst) && self.permits(point);
        if !may_strike {
            return Vec::new();
        }
        leases.at(point).filter_map(|run| self.meet(run, host, scope, &mut memory)).collect()
    }

    /// What one run makes of one pass.
    fn meet(&self, run: &ActiveRun, host: Option<&str>, scope: &Scope, memory: &mut Memory) -> Option<Hit> {
        let at = match memory.draws.iter().position(|draw| draw.run == run.id) {
            Some(at) => at,
            None => {
                if !run.run.selects(scope.operation(), host, scope.context()) {
                    return None;
                }
                self.leases.load().valid(run.id, &*self.clock)?;
                let arm = run.run.draw(run.percentage, scope.draw_key(), scope.context());
                if let Some(arm) = arm {
                    self.counts.arm(run.id, run.stage, arm, scope.operation(), &[Metric::Requests]);
                }
                memory.draws.push(Draw { run: run.id, stage: run.stage, arm, passes: 0, struck: false });
                memory.draws.len() - 1
            }
        };
        let draw = &mut memory.draws[at];
        if draw.arm != Some(Arm::Treated) {
            return None;
        }
        // The lease is read at each treated draw, not only by a timer.
        self.leases.load().valid(run.id, &*self.clock)?;
        let pass = draw.passes;
        run.run.strike(scope.draw_key(), pass)?;
        let Some(permit) = Permit::take(&self.in_flight, run.cap) else {
            self.counts.arm(run.id, draw.stage, Arm::Treated, scope.operation(), &[Metric::Spared]);
            return None;
        };
        draw.passes += 1;
        let struck = std::mem::replace(&mut draw.struck, true);
        let metrics: &[Metric] = if struck { &[Metric::Strikes] } else { &[Metric::Struck, Metric::Strikes] };
        self.counts.arm(run.id, draw.stage, Arm::Treated, scope.operation(), metrics);
        Some(Hit { run: run.clone(), pass, permit })
    }

    /// Does what a strike does, in its order; whatever the run's end finds undone stays undone.
    async fn perform(&self, hit: &Hit, strike: &Strike<'_>) -> Result<Option<Value>, InjectedFault> {
        let _permit = &hit.permit;
        let id = hit.run.id;
        for wait in [strike.latency, strike.hang].into_iter().flatten() {
            if !self.wait(id, wait).await {
                return Ok(None);
            }
        }
        if self.leases.load().valid(id, &*self.clock).is_none() {
            return Ok(None);
        }
        let spec = hit.run.run.spec();
        let failed = |abort, error: Option<&daybreak_model::ErrorEffect>| InjectedFault {
            fault: spec.fault.clone(),
            run: id,
            abort,
            status: error.and_then(|error| error.status),
            code: error.and_then(|error| error.code.clone()),
            message: error.and_then(|error| error.message.clone()),
        };
        match strike.then {
            Some(Failure::Error(error)) => Err(failed(false, Some(error))),
            Some(Failure::Abort) => Err(failed(true, None)),
            None => Ok(strike.data.cloned()),
        }
    }

    /// Waits as long as the run may be acted on; whether it may be still.
    async fn wait(&self, run: RunId, length: Duration) -> bool {
        // Without a runtime that keeps time there is no waiting, and so no strike.
        if tokio::runtime::Handle::try_current().is_err() {
            return false;
        }
        let mut changed = self.changed.subscribe();
        let end = Instant::now() + length;
        loop {
            let left = self.may_act_for(run);
            if left.is_zero() {
                return false;
            }
            if Instant::now() >= end {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep_until(end.min(Instant::now() + left)) => {}
                _ = changed.changed() => {}
            }
        }
    }

    fn may_act_for(&self, run: RunId) -> Duration {
        if !self.allowed.load(Ordering::SeqCst) {
            return Duration::ZERO;
        }
        self.leases.load().left(run, &*self.clock)
    }
}
