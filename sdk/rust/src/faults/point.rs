//! Fault points: the named places in an application where faults may strike.

use std::sync::Arc;

use super::points::PointState;
use super::{Faults, InjectedFault, Pass};
use crate::scope::{Scope, note_near_pass};

/// A handle on one fault point: a pass by it costs a few nanoseconds while nothing runs there.
#[derive(Clone, Debug)]
pub struct Point {
    faults: Faults,
    /// `None` where nothing can ever strike: the name is no key, or there are too many points.
    state: Option<Arc<PointState>>,
}

impl Faults {
    /// The point of this name: `payment.gateway`. A name that is no key gives a point where nothing strikes,
    /// and a line in the log.
    #[must_use]
    pub fn point(&self, name: &str) -> Point {
        let known = self.0.points.known().get(name).cloned();
        Point { faults: self.clone(), state: known.or_else(|| self.add_point(name)) }
    }

    #[cold]
    fn add_point(&self, name: &str) -> Option<Arc<PointState>> {
        // A run may have been granted before its point is passed for the first time.
        let grants = self.0.grants.lock();
        let point = self.0.points.add(name, &self.0.settings)?;
        point.arm(grants.active(), self.now());
        drop(grants);
        self.0.wish.within(std::time::Duration::from_millis(100));
        Some(point)
    }

    /// A pass of the point of this name, inside the scope of the running task.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes: an injected error, or a broken connection.
    pub async fn fault_point(&self, name: &str) -> Result<Pass, InjectedFault> {
        match self.armed(name) {
            None => Ok(Pass::CLEAR),
            Some((state, scope)) => self.meet(&state, &scope, None).await,
        }
    }

    /// A pass inside the given scope: for spawned tasks.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub async fn fault_point_in(&self, name: &str, scope: &Scope) -> Result<Pass, InjectedFault> {
        self.point(name).pass_in(scope).await
    }

    /// A pass of a thread, which it blocks while a fault waits. Not for async tasks.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn fault_point_blocking(&self, name: &str) -> Result<Pass, InjectedFault> {
        match self.armed(name) {
            None => Ok(Pass::CLEAR),
            Some((state, scope)) => self.strike_blocking(&state, &scope, None),
        }
    }

    /// A pass of a thread inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn fault_point_blocking_in(&self, name: &str, scope: &Scope) -> Result<Pass, InjectedFault> {
        self.point(name).pass_blocking_in(scope)
    }

    /// Counts a pass of the point of this name; the point and the scope where a run is active there.
    fn armed(&self, name: &str) -> Option<(Arc<PointState>, Scope)> {
        let enter = |state: &Arc<PointState>| Some((Arc::clone(state), self.enter_current(state)?));
        if let Some(state) = self.0.points.known().get(name) {
            return enter(state);
        }
        enter(&self.add_point(name)?)
    }

    /// Counts the pass; the scope of the running task, where there is one and a run is active at the point.
    #[inline]
    fn enter_current(&self, state: &PointState) -> Option<Scope> {
        let scoped = note_near_pass(state.near) || Scope::note_pass_of_current(state.index);
        self.0.tally.count(state.index, scoped);
        if state.armed() { Scope::current() } else { None }
    }

    /// Counts the pass inside the given scope. Whether a run is active at the point.
    fn enter(&self, state: &PointState, scope: &Scope) -> bool {
        scope.note_pass(state.index);
        self.0.tally.count(state.index, true);
        state.armed()
    }
}

impl Point {
    /// A pass, inside the scope of the running task.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    #[inline]
    pub async fn pass(&self) -> Result<Pass, InjectedFault> {
        match self.armed() {
            None => Ok(Pass::CLEAR),
            Some((state, scope)) => self.faults.meet(state, &scope, None).await,
        }
    }

    /// A pass towards this host, inside the scope of the running task: for points that call others.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub async fn pass_to(&self, host: &str) -> Result<Pass, InjectedFault> {
        match self.armed() {
            None => Ok(Pass::CLEAR),
            Some((state, scope)) => self.faults.meet(state, &scope, Some(host)).await,
        }
    }

    /// A pass inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub async fn pass_in(&self, scope: &Scope) -> Result<Pass, InjectedFault> {
        match self.armed_in(scope) {
            None => Ok(Pass::CLEAR),
            Some(state) => self.faults.meet(state, scope, None).await,
        }
    }

    /// A pass of a thread, which it blocks while a fault waits. Not for async tasks.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    #[inline]
    pub fn pass_blocking(&self) -> Result<Pass, InjectedFault> {
        match self.armed() {
            None => Ok(Pass::CLEAR),
            Some((state, scope)) => self.faults.strike_blocking(state, &scope, None),
        }
    }

    /// A pass of a thread inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn pass_blocking_in(&self, scope: &Scope) -> Result<Pass, InjectedFault> {
        match self.armed_in(scope) {
            None => Ok(Pass::CLEAR),
            Some(state) => self.faults.strike_blocking(state, scope, None),
        }
    }

    #[inline]
    fn armed(&self) -> Option<(&PointState, Scope)> {
        let state = self.state.as_deref()?;
        Some((state, self.faults.enter_current(state)?))
    }

    fn armed_in(&self, scope: &Scope) -> Option<&PointState> {
        self.state.as_deref().filter(|state| self.faults.enter(state, scope))
    }
}
