//! Scopes: one unit of users' work, carried along inside a process.
//!
//! Middleware opens one for each request, or [`Faults::request`](crate::faults::Faults::request) does. It holds
//! the key that the request is drawn by, and the draws made so far: one for each run, whatever the number of
//! passes, retries and branches. **No scope, no injection.**
//!
//! `tokio::spawn` and threads lose the scope; [`Scope::instrument`] and [`Scope::enter`] carry it.

mod draws;
mod eligible;
#[cfg(test)]
pub(crate) mod fixtures;
mod here;
mod outcome;
mod root;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use daybreak_model::limits::FAULT_POINTS_MAX;
use daybreak_model::wire::{Baggage, BaggageDraw};
use daybreak_model::{Context, DrawKey};
use parking_lot::Mutex;

pub(crate) use draws::Draws;
pub use eligible::{EXEMPT_AGENTS, HEALTH_PATHS, OFF_HEADER};
pub(crate) use here::{knows_near_pass, near, note_first_near_pass};
pub(crate) use outcome::{Ended, Judgement};
pub use outcome::{HasOutcome, Outcome};
pub use root::{OpenScope, RootRequest};

use here::Here;

use crate::faults::{Measured, Operation};
use crate::telemetry::RequestTrace;

tokio::task_local! {
    static CURRENT: Scope;
}

/// The scope of one root request. A clone is the same scope.
#[derive(Clone)]
pub struct Scope(Arc<Inner>);

struct Inner {
    key: DrawKey,
    operation: Box<str>,
    context: Context,
    /// Its counters, unless it is not eligible.
    counters: Option<Arc<Operation>>,
    /// What the root drew, where this is not the root.
    upstream: Option<Vec<BaggageDraw>>,
    /// What is to be counted of it at its end, where this is the root.
    measured: Option<Arc<[Arc<Measured>]>>,
    /// On the monotonic clock.
    began: Duration,
    /// What its trace is told through, where it is.
    trace: Option<RequestTrace>,
    passed: [AtomicU64; FAULT_POINTS_MAX.div_ceil(64)],
    draws: Mutex<Draws>,
}

/// A scope, if its request is not over.
#[derive(Clone, Debug)]
pub(crate) struct WeakScope(Weak<Inner>);

impl Scope {
    /// The scope of the running task, if there is one.
    #[must_use]
    pub fn current() -> Option<Self> {
        Self::of_current(Self::clone)
    }

    /// Asks the scope of the running task, if there is one.
    pub(crate) fn of_current<T>(ask: impl FnOnce(&Self) -> T) -> Option<T> {
        CURRENT.try_with(ask).ok()
    }

    /// Notes a pass of the point of this index inside the scope of the running task, if there is one.
    pub(crate) fn note_pass_of_current(point: u32) -> bool {
        Self::of_current(|scope| scope.note_pass(point)).is_some()
    }

    /// Carries the scope into a future: for `tokio::spawn`.
    pub fn instrument<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.clone(), Here::new(self, future))
    }

    /// Runs a closure inside the scope: for threads.
    pub fn enter<T>(&self, f: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), || here::enter(self, f))
    }

    /// What the request is drawn by.
    #[must_use]
    pub fn draw_key(&self) -> DrawKey {
        self.0.key
    }

    /// The root's operation: `POST /checkout`.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What is known of whom the request serves.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// Whether a fault may ever strike the request.
    #[must_use]
    pub fn eligible(&self) -> bool {
        self.0.counters.is_some()
    }

    /// What to send on to services that the request calls. Nothing for one that is not eligible.
    #[must_use]
    pub fn baggage(&self) -> Option<Baggage> {
        let draws = || self.0.upstream.clone().unwrap_or_else(|| self.0.draws.lock().to_baggage());
        let operation = || self.operation().to_owned();
        self.eligible().then(|| Baggage { key: self.0.key, operation: operation(), draws: draws() })
    }

    pub(crate) fn downgrade(&self) -> WeakScope {
        WeakScope(Arc::downgrade(&self.0))
    }

    /// When the request began, on the monotonic clock.
    pub(crate) fn began(&self) -> Duration {
        self.0.began
    }

    /// Notes that the request is too slow for this measure; whether that is new.
    pub(crate) fn is_overdue_by(&self, measured: &Arc<Measured>) -> bool {
        let own = self.0.measured.iter().flat_map(|all| all.iter()).position(|own| Arc::ptr_eq(own, measured));
        own.is_some_and(|index| self.0.draws.lock().overdue_by(index))
    }

    /// Ends the request: what it came to is counted, once, where this is the root.
    fn finish(&self, ended: &Ended) {
        let Some((draws, overdue)) = self.0.draws.lock().finish() else { return };
        if let Some(trace) = self.trace() {
            trace.finish();
        }
        if self.0.upstream.is_some() {
            return;
        }
        for (index, measured) in self.0.measured.iter().flat_map(|all| all.iter()).enumerate() {
            if overdue >> index & 1 == 0 {
                measured.end(ended);
            }
        }
        for draw in draws {
            if let Some(arm) = draw.arm {
                draw.run.end_request(self, (draw.stage, arm), ended, draw.overdue);
            }
        }
    }

    pub(crate) fn draws(&self) -> &Mutex<Draws> {
        &self.0.draws
    }

    /// What its trace is told through.
    pub(crate) fn trace(&self) -> Option<&RequestTrace> {
        self.0.trace.as_ref()
    }

    pub(crate) fn counters(&self) -> Option<&Arc<Operation>> {
        self.0.counters.as_ref()
    }

    pub(crate) fn upstream(&self) -> Option<&[BaggageDraw]> {
        self.0.upstream.as_deref()
    }

    /// Notes a pass of the point of this index, and counts it where it is the request's first there.
    pub(crate) fn note_pass(&self, point: u32) {
        self.note_passes(point / 64, 1 << (point % 64));
    }

    /// As [`Scope::note_pass`], for each of the points of these bits, the first of which is point 0.
    fn note_near_passes(&self, bits: u64) {
        self.note_passes(0, bits);
    }

    /// The bits of the points that are near and were passed.
    fn passed(&self) -> u64 {
        let [near, ..] = &self.0.passed;
        near.load(Ordering::Relaxed)
    }

    fn note_passes(&self, word: u32, bits: u64) {
        let Some(passed) = self.0.passed.get(word as usize) else { return };
        if passed.load(Ordering::Relaxed) & bits == bits {
            return;
        }
        let mut new = bits & !passed.fetch_or(bits, Ordering::Relaxed);
        let Some(counters) = self.counters() else { return };
        while new != 0 {
            counters.count_first_pass(word * 64 + new.trailing_zeros(), &self.0.context);
            new &= new - 1;
        }
    }
}

impl WeakScope {
    /// Whether nothing of the request is left.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.strong_count() == 0
    }

    pub(crate) fn upgrade(&self) -> Option<Scope> {
        self.0.upgrade().map(Scope)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut scope = f.debug_struct("Scope");
        scope.field("key", &self.0.key).field("operation", &self.0.operation).field("eligible", &self.eligible());
        scope.finish_non_exhaustive()
    }
}
