//! What this thread knows of the scope that it is in: enough for a pass to touch nothing else.
//!
//! A pass only sets a bit of its thread. When the thread leaves the scope, at the latest when the task yields, the
//! new bits go to the scope, and are counted there: once for each request and point, whatever the number of threads.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Scope;

/// Set while the thread is in a scope. The other bits are the points that were passed there.
const SCOPED: u64 = 1 << 63;
/// The points that have a bit here; passes of further ones ask the scope.
const NEAR: u32 = 63;

thread_local! {
    static HERE: Cell<u64> = const { Cell::new(0) };
}

/// The bit of the point of this index; none where it is not near.
pub(crate) const fn near(point: u32) -> u64 {
    if point < NEAR { 1 << point } else { 0 }
}

/// Whether this thread knows that the request which it serves has passed the point of this bit.
#[inline]
pub(crate) fn knows_near_pass(near: u64) -> bool {
    HERE.get() & near != 0
}

/// Notes a request's first pass of the point of this bit. `false` where the scope must be asked: the point is not
/// near, or this thread knows of none.
pub(crate) fn note_first_near_pass(near: u64) -> bool {
    let here = HERE.get();
    let known = here & SCOPED != 0 && near != 0;
    if known {
        HERE.set(here | near);
    }
    known
}

/// This thread is in a scope, until this is dropped.
struct Entered<'s> {
    scope: &'s Scope,
    known: u64,
    outer: u64,
}

impl<'s> Entered<'s> {
    #[inline]
    fn new(scope: &'s Scope) -> Self {
        let known = scope.passed() | SCOPED;
        Self { scope, known, outer: HERE.replace(known) }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        let new = HERE.replace(self.outer) & !self.known;
        if new != 0 {
            self.scope.note_near_passes(new);
        }
    }
}

/// Runs a closure on a thread that is in the scope.
pub(super) fn enter<T>(scope: &Scope, f: impl FnOnce() -> T) -> T {
    let _entered = Entered::new(scope);
    f()
}

pin_project! {
    /// A future whose thread is in the scope at each poll.
    pub(super) struct Here<F> {
        scope: Scope,
        #[pin]
        future: F,
    }
}

impl<F> Here<F> {
    pub(super) const fn new(scope: Scope, future: F) -> Self {
        Self { scope, future }
    }
}

impl<F: Future> Future for Here<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, poller: &mut Context<'_>) -> Poll<F::Output> {
        let here = self.project();
        let _entered = Entered::new(here.scope);
        here.future.poll(poller)
    }
}
