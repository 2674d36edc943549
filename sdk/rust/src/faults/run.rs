//! One run, as this client acts on it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daybreak_engine::Run;
use daybreak_model::limits::BAD_KEYS_OF_CLIENT_MAX;
use daybreak_model::wire::{ArmCounts, GOOD_DEFAULT, Measure, RunSpec, deadline};
use daybreak_model::{Arm, DrawKey, Good, KeyHash, RunId};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::Notify;

use super::arms::Counts;
use super::clock::Moment;
use super::lease::Lease;
use super::open::Open;
use crate::scope::{Ended, Judgement, Scope};
use crate::telemetry::DrawTold;

/// A run that was granted, until it ends here.
#[derive(Debug)]
pub(crate) struct ActiveRun {
    run: Run,
    lease: Mutex<Lease>,
    ended: AtomicBool,
    /// Wakes those who wait in it.
    pub(crate) wake: Notify,
    counts: Mutex<Arms>,
    /// Requests of other roots that were struck here.
    struck: Mutex<StruckKeys>,
    /// What makes a request good.
    good: Good,
    /// The requests that were drawn, treated or not.
    open: Open,
    /// The keys with a bad outcome, where the run draws by an attribute.
    bad: Mutex<BadKeys>,
}

/// Keys with a bad outcome. Each is told once, in the arm of its first one.
#[derive(Debug, Default)]
struct BadKeys {
    known: FxHashSet<KeyHash>,
    /// There are more than are told.
    full: bool,
}

impl BadKeys {
    /// Whether a key is to be told.
    fn take(&mut self, key: KeyHash) -> bool {
        if self.known.contains(&key) {
            return false;
        }
        self.full = self.known.len() >= BAD_KEYS_OF_CLIENT_MAX;
        !self.full && self.known.insert(key)
    }
}

/// Counters by stage, arm and operation. Operations come from a bounded list, so these are bounded too.
type Arms = FxHashMap<(u32, Arm, Arc<str>), Counts>;

/// The last requests of other roots that were struck.
#[derive(Debug, Default)]
struct StruckKeys {
    known: FxHashSet<DrawKey>,
    by_age: VecDeque<DrawKey>,
}

/// So many are told apart from new ones: retries come soon.
const STRUCK_KEYS_MAX: usize = 10_000;

impl StruckKeys {
    fn is_new(&mut self, key: DrawKey) -> bool {
        if !self.known.insert(key) {
            return false;
        }
        if self.by_age.len() == STRUCK_KEYS_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.by_age.push_back(key);
        true
    }
}

impl ActiveRun {
    pub(crate) fn new(run: Run, lease: Lease) -> Self {
        let (lease, counts) = (Mutex::new(lease), Mutex::new(Arms::default()));
        let good = run.spec().measure.as_ref().map_or(GOOD_DEFAULT, |Measure { good, .. }| *good);
        let (ended, wake, open) = (AtomicBool::new(false), Notify::new(), Open::default());
        let (struck, bad) = (Mutex::default(), Mutex::default());
        Self { run, lease, ended, wake, counts, struck, good, open, bad }
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
    pub(crate) fn draw(self: &Arc<Self>, scope: &Scope, may_inject: impl FnOnce() -> bool) -> Option<u32> {
        let draw = scope.draws().lock().get(self, || {
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
        })?;
        if let (true, Some(arm), None) = (draw.new, draw.arm, scope.upstream()) {
            let key = self.run.key_hash(scope.context());
            self.count(scope, draw.stage, arm, |counts| counts.drew(key));
            self.open.watch(scope.began() + deadline(&self.good).to_duration(), scope);
        }
        if let (true, Some(arm), Some(trace)) = (draw.new, draw.arm, scope.trace()) {
            let RunSpec { fault, point, .. } = self.run.spec();
            let told = DrawTold { run: self.id(), fault: fault.as_str(), point: point.as_str(), arm };
            trace.drawn(&told, scope.upstream().is_none());
        }
        (draw.arm == Some(Arm::Treated)).then_some(draw.stage)
    }

    /// A root request ends that this run drew: what it came to counts in the arm and stage of its draw.
    pub(crate) fn end_request(&self, scope: &Scope, (stage, arm): (u32, Arm), ended: &Ended, overdue: bool) {
        let judgement = ended.judge(&self.good);
        let key = if overdue { None } else { self.first_bad(scope, judgement) };
        self.count(scope, stage, arm, |counts| {
            if !overdue {
                counts.settle(judgement, key);
            }
            if judgement != Judgement::Cancelled {
                counts.took(ended.latency());
            }
        });
    }

    /// Counts the requests that are open beyond their deadline.
    pub(crate) fn count_overdue(&self, now: Duration) {
        for scope in self.open.overdue(now) {
            let overdue = scope.draws().lock().overdue_in(self.id());
            if let Some((stage, arm)) = overdue {
                let key = self.first_bad(&scope, Judgement::Slow);
                self.count(&scope, stage, arm, |counts| counts.settle(Judgement::Slow, key));
            }
        }
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
        self.count(scope, stage, Arm::Treated, Counts::strike);
    }

    /// Whether a request has been open for longer than is good.
    pub(crate) fn is_too_slow(&self, scope: &Scope, now: Duration) -> bool {
        now >= scope.began() + deadline(&self.good).to_duration()
    }

    /// A strike is over.
    pub(crate) fn count_struck(&self, scope: &Scope, stage: u32) {
        let first = scope.draws().lock().strike(self.id());
        // A retry of the root's is a scope of its own here, and the same request.
        let first = first && (scope.upstream().is_none() || self.struck.lock().is_new(scope.draw_key()));
        let key = self.run.key_hash(scope.context());
        self.count(scope, stage, Arm::Treated, |counts| counts.struck(key, first));
    }

    /// The key of a request, where its outcome is the first bad one of that key.
    fn first_bad(&self, scope: &Scope, judgement: Judgement) -> Option<KeyHash> {
        let bad = judgement != Judgement::Good;
        let key = bad.then(|| self.run.key_hash(scope.context())).flatten()?;
        self.bad.lock().take(key).then_some(key)
    }

    fn count(&self, scope: &Scope, stage: u32, arm: Arm, add: impl FnOnce(&mut Counts)) {
        if let Some(operation) = scope.counters() {
            add(self.counts.lock().entry((stage, arm, Arc::clone(operation.name()))).or_default());
        }
    }

    pub(crate) fn arm_counts(&self) -> Vec<ArmCounts> {
        let (counts, full) = (self.counts.lock(), self.bad.lock().full);
        let arm = |((stage, arm, operation), counts): (&(u32, Arm, Arc<str>), &Counts)| ArmCounts {
            run: self.id(),
            stage: *stage,
            arm: *arm,
            operation: operation.to_string(),
            counts: counts.by_metric(),
            latency: counts.latency(),
            keys: counts.keys(full),
        };
        let mut arms: Vec<_> = counts.iter().map(arm).collect();
        arms.sort_by(|a, b| (a.stage, a.arm, &a.operation).cmp(&(b.stage, b.arm, &b.operation)));
        arms
    }
}
