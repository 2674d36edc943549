//! One run, as this client acts on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daybreak_engine::Run;
use daybreak_model::wire::{ArmCounts, Metric};
use daybreak_model::{Arm, RunId};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use super::clock::Moment;
use super::lease::Lease;
use crate::scope::Scope;

/// A run that was granted, until it ends here.
#[derive(Debug)]
pub(crate) struct ActiveRun {
    run: Run,
    lease: Mutex<Lease>,
    ended: AtomicBool,
    /// Wakes those who wait in it.
    pub(crate) wake: Notify,
    counts: Mutex<Arms>,
}

/// Counters by stage, arm and operation. Operations come from a bounded list, so these are bounded too.
type Arms = FxHashMap<(u32, Arm, Arc<str>), Counts>;

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    struck: u64,
    strikes: u64,
    spared: u64,
}

impl ActiveRun {
    pub(crate) fn new(run: Run, lease: Lease) -> Self {
        let (lease, counts) = (Mutex::new(lease), Mutex::new(Arms::default()));
        Self { run, lease, ended: AtomicBool::new(false), wake: Notify::new(), counts }
    }

    pub(crate) fn id(&self) -> RunId {
        self.run.id()
    }

    pub(crate) const fn compiled(&self) -> &Run {
        &self.run
    }

    pub(crate) fn lease(&self) -> Lease {
        *self.lease.lock()
    }

    pub(crate) fn renew(&self, lease: Lease) {
        *self.lease.lock() = lease;
    }

    /// How much longer it may inject; `None` where it may not.
    pub(crate) fn left(&self, now: Moment) -> Option<Duration> {
        if self.ended.load(Ordering::Acquire) { None } else { self.lease.lock().left(now) }
    }

    /// A later reply lists it again.
    pub(crate) fn revive(&self, lease: Lease) {
        self.renew(lease);
        self.ended.store(false, Ordering::Release);
    }

    /// It ends here: who waits in it is woken.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.wake.notify_waiters();
    }

    /// The draw of this request: made once, before any effect, and counted in its arm. Returns the stage for a
    /// treated one.
    pub(crate) fn draw(&self, scope: &Scope, may_inject: impl FnOnce() -> bool) -> Option<u32> {
        let (draw, new) = scope.draws().lock().get(self.id(), || {
            let lease = self.lease();
            let selected = || may_inject() && self.run.selects(scope.operation(), self.own_host(), scope.context());
            let arm = selected().then(|| self.run.draw(lease.percentage, scope.draw_key(), scope.context())).flatten();
            match scope.upstream() {
                None => (lease.stage, arm),
                Some(root) => {
                    // What the root drew can only lower.
                    let same = root.iter().find(|draw| draw.run == self.id() && Some(draw.arm) == arm);
                    same.map_or((lease.stage, None), |draw| (draw.stage, arm))
                }
            }
        });
        if let (true, Some(arm), None) = (new, draw.arm, scope.upstream()) {
            self.count(scope, draw.stage, arm, |counts| counts.requests += 1);
        }
        (draw.arm == Some(Arm::Treated)).then_some(draw.stage)
    }

    /// Hosts are compared at each pass, before the draw; the draw itself is the request's, of whatever host.
    fn own_host(&self) -> Option<&str> {
        self.run.spec().host.as_deref()
    }

    /// Whether a pass to this host is the run's concern.
    pub(crate) fn concerns(&self, host: Option<&str>) -> bool {
        self.own_host().is_none_or(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(host)))
    }

    pub(crate) fn count_spared(&self, scope: &Scope, stage: u32) {
        self.count(scope, stage, Arm::Treated, |counts| counts.spared += 1);
    }

    pub(crate) fn count_strike(&self, scope: &Scope, stage: u32) {
        let first = u64::from(scope.draws().lock().strike(self.id()));
        self.count(scope, stage, Arm::Treated, |counts| {
            counts.strikes += 1;
            counts.struck += first;
        });
    }

    fn count(&self, scope: &Scope, stage: u32, arm: Arm, add: impl FnOnce(&mut Counts)) {
        if let Some(operation) = scope.counters() {
            add(self.counts.lock().entry((stage, arm, Arc::clone(operation.name()))).or_default());
        }
    }

    pub(crate) fn arm_counts(&self) -> Vec<ArmCounts> {
        let counts = self.counts.lock();
        let arm = |((stage, arm, operation), counts): (&(u32, Arm, Arc<str>), &Counts)| {
            let metrics = [
                (Metric::Requests, counts.requests),
                (Metric::Struck, counts.struck),
                (Metric::Strikes, counts.strikes),
                (Metric::Spared, counts.spared),
            ];
            let counts: BTreeMap<_, _> = metrics.into_iter().filter(|(_, count)| *count > 0).collect();
            ArmCounts { run: self.id(), stage: *stage, arm: *arm, operation: operation.to_string(), counts }
        };
        let mut arms: Vec<_> = counts.iter().map(arm).collect();
        arms.sort_by(|a, b| (a.stage, a.arm, &a.operation).cmp(&(b.stage, b.arm, &b.operation)));
        arms
    }
}
