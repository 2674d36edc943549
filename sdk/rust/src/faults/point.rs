//! Fault points: the named places in an application where faults may strike.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::pass::{Drawn, Strike};
use super::points::PointState;
use super::{Faults, InjectedFault, Pass};
use crate::scope::{Scope, knows_near_pass, note_first_near_pass};

/// A handle on one fault point: a pass by it costs a few nanoseconds while nothing runs there.
#[derive(Clone, Debug)]
pub struct Point {
    faults: Faults,
    /// `None` where nothing can ever strike: the name is no key, or there are too many points.
    state: Option<Arc<PointState>>,
}

/// A pass, begun by `enter` when it is first polled. Written out, since what an async function keeps costs as much as the
/// pass.
struct Passing<'p, E> {
    faults: &'p Faults,
    enter: E,
    strike: Option<Strike<'p>>,
}

impl<E: Fn() -> Option<Drawn> + Unpin> Future for Passing<'_, E> {
    type Output = Result<Pass, InjectedFault>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, poller: &mut Context<'_>) -> Poll<Self::Output> {
        if self.strike.is_none() {
            match (self.enter)() {
                None => return Poll::Ready(Ok(Pass::CLEAR)),
                Some(drawn) => self.strike = Some(self.faults.strike(drawn)),
            }
        }
        self.poll_strike(poller)
    }
}

impl<E: Unpin> Passing<'_, E> {
    #[cold]
    fn poll_strike(&mut self, poller: &mut Context<'_>) -> Poll<Result<Pass, InjectedFault>> {
        match &mut self.strike {
            None => Poll::Ready(Ok(Pass::CLEAR)),
            Some(strike) => strike.as_mut().poll(poller),
        }
    }
}

impl Faults {
    /// The point of this name: `payment.gateway`. A name that is no key gives a point where nothing strikes,
    /// and a line in the log.
    #[must_use]
    pub fn point(&self, name: &str) -> Point {
        Point { faults: self.clone(), state: self.state(name).cloned() }
    }

    #[inline]
    fn state(&self, name: &str) -> Option<&Arc<PointState>> {
        self.0.points.get(name).or_else(|| self.add_point(name))
    }

    #[cold]
    fn add_point(&self, name: &str) -> Option<&Arc<PointState>> {
        // A run may have been granted before its point is passed for the first time.
        let grants = self.0.grants.lock();
        let point = self.0.points.add(name, &self.0.settings)?;
        point.arm(grants.active(), self.now());
        self.set_elsewhere(&grants);
        self.0.operations.sketches().place(|point| Some(self.0.points.get(point.as_str())?.index));
        drop(grants);
        self.0.wish.within(std::time::Duration::from_millis(100));
        Some(point)
    }

    /// A pass of the point of this name, inside the scope of the running task.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes: an injected error, or a broken connection.
    #[inline]
    pub fn fault_point(&self, name: &str) -> impl Future<Output = Result<Pass, InjectedFault>> + Send {
        self.passing(move || self.enter(self.state(name)?, None))
    }

    #[inline]
    fn passing<E: Fn() -> Option<Drawn>>(&self, enter: E) -> Passing<'_, E> {
        Passing { faults: self, enter, strike: None }
    }

    /// A pass inside the given scope: for spawned tasks.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    #[inline]
    pub fn fault_point_in(
        &self,
        name: &str,
        scope: &Scope,
    ) -> impl Future<Output = Result<Pass, InjectedFault>> + Send {
        self.passing(move || self.enter_in(self.state(name)?, scope))
    }

    /// A pass of a thread, which it blocks while a fault waits. Not for async tasks.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn fault_point_blocking(&self, name: &str) -> Result<Pass, InjectedFault> {
        self.pass_blocking(self.state(name).and_then(|state| self.enter(state, None)))
    }

    /// A pass of a thread inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn fault_point_blocking_in(&self, name: &str, scope: &Scope) -> Result<Pass, InjectedFault> {
        self.pass_blocking(self.state(name).and_then(|state| self.enter_in(state, scope)))
    }

    #[inline]
    fn pass_blocking(&self, drawn: Option<Drawn>) -> Result<Pass, InjectedFault> {
        match drawn {
            None => Ok(Pass::CLEAR),
            Some(drawn) => self.strike_blocking(drawn),
        }
    }

    /// Counts a pass inside the scope of the running task, if there is one; the draws, where some strike.
    #[inline]
    fn enter(&self, state: &PointState, host: Option<&str>) -> Option<Drawn> {
        if knows_near_pass(state.near) {
            self.0.tally.count(state.index, true);
        } else {
            self.count_first_or_far(state);
        }
        if state.armed() { self.draw_current(state, host) } else { None }
    }

    /// A pass that this thread does not know yet: the first of its request here, a point that is not near, or one
    /// outside of any scope.
    #[inline(never)]
    fn count_first_or_far(&self, state: &PointState) {
        let scoped = note_first_near_pass(state.near) || Scope::note_pass_of_current(state.index);
        self.0.tally.count(state.index, scoped);
    }

    #[cold]
    fn draw_current(&self, state: &PointState, host: Option<&str>) -> Option<Drawn> {
        if Scope::of_current(|scope| self.spares(state, scope, host))? {
            return None;
        }
        // Whoever is told of a draw may ask for the scope meanwhile: it is not borrowed then.
        self.draw(state, Scope::current()?, host)
    }

    /// Counts a pass inside the given scope; the draws, where some strike.
    fn enter_in(&self, state: &PointState, scope: &Scope) -> Option<Drawn> {
        scope.note_pass(state.index);
        self.0.tally.count(state.index, true);
        if state.armed() && !self.spares(state, scope, None) { self.draw(state, scope.clone(), None) } else { None }
    }
}

impl Point {
    /// A pass, inside the scope of the running task.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    #[inline]
    pub fn pass(&self) -> impl Future<Output = Result<Pass, InjectedFault>> + Send {
        self.faults.passing(|| self.enter(None))
    }

    /// A pass towards this host, inside the scope of the running task: for points that call others.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    #[inline]
    pub fn pass_to(&self, host: &str) -> impl Future<Output = Result<Pass, InjectedFault>> + Send {
        self.faults.passing(move || self.enter(Some(host)))
    }

    /// A pass inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    #[inline]
    pub fn pass_in(&self, scope: &Scope) -> impl Future<Output = Result<Pass, InjectedFault>> + Send {
        self.faults.passing(move || self.enter_in(scope))
    }

    /// A pass of a thread, which it blocks while a fault waits. Not for async tasks.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    #[inline]
    pub fn pass_blocking(&self) -> Result<Pass, InjectedFault> {
        self.faults.pass_blocking(self.enter(None))
    }

    /// A pass of a thread inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn pass_blocking_in(&self, scope: &Scope) -> Result<Pass, InjectedFault> {
        self.faults.pass_blocking(self.enter_in(scope))
    }

    #[inline]
    fn enter(&self, host: Option<&str>) -> Option<Drawn> {
        self.faults.enter(self.state.as_deref()?, host)
    }

    fn enter_in(&self, scope: &Scope) -> Option<Drawn> {
        self.faults.enter_in(self.state.as_deref()?, scope)
    }
}
