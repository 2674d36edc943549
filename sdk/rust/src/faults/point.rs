//! InjectedFault points: the named places in an application where faults may strike.

use std::sync::Arc;

use super::points::PointState;
use super::{Faults, InjectedFault, Pass};
use crate::scope::Scope;

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
        let state = self.0.points.get(name).or_else(|| self.add_point(name));
        Point { faults: self.clone(), state }
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
        self.point(name).pass().await
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
        self.point(name).pass_blocking()
    }

    /// A pass of a thread inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn fault_point_blocking_in(&self, name: &str, scope: &Scope) -> Result<Pass, InjectedFault> {
        self.point(name).pass_blocking_in(scope)
    }
}

impl Point {
    /// A pass, inside the scope of the running task.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    #[inline]
    pub async fn pass(&self) -> Result<Pass, InjectedFault> {
        match self.enter_current() {
            None => Ok(Pass::CLEAR),
            Some((state, scope)) => Box::pin(self.faults.strike(&state, &scope, None)).await,
        }
    }

    /// A pass towards this host, inside the scope of the running task: for points that call others.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub async fn pass_to(&self, host: &str) -> Result<Pass, InjectedFault> {
        match self.enter_current() {
            None => Ok(Pass::CLEAR),
            Some((state, scope)) => Box::pin(self.faults.strike(&state, &scope, Some(host))).await,
        }
    }

    /// A pass inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub async fn pass_in(&self, scope: &Scope) -> Result<Pass, InjectedFault> {
        match self.enter(Some(scope)) {
            None => Ok(Pass::CLEAR),
            Some(state) => Box::pin(self.faults.strike(state, scope, None)).await,
        }
    }

    /// A pass of a thread, which it blocks while a fault waits. Not for async tasks.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn pass_blocking(&self) -> Result<Pass, InjectedFault> {
        match self.enter_current() {
            None => Ok(Pass::CLEAR),
            Some((state, scope)) => self.faults.strike_blocking(&state, &scope, None),
        }
    }

    /// A pass of a thread inside the given scope.
    ///
    /// # Errors
    /// With the [`InjectedFault`] that strikes.
    pub fn pass_blocking_in(&self, scope: &Scope) -> Result<Pass, InjectedFault> {
        match self.enter(Some(scope)) {
            None => Ok(Pass::CLEAR),
            Some(state) => self.faults.strike_blocking(state, scope, None),
        }
    }

    /// Counts the pass; the point's state where a run is active there.
    #[inline]
    fn enter(&self, scope: Option<&Scope>) -> Option<&Arc<PointState>> {
        let state = self.state.as_ref()?;
        self.faults.0.tally.count(state.index, scope.is_some());
        if let Some(scope) = scope {
            scope.note_pass(state.index);
        }
        state.armed().then_some(state)
    }

    #[inline]
    fn enter_current(&self) -> Option<(Arc<PointState>, Scope)> {
        Scope::with_current(|scope| Some((Arc::clone(self.enter(scope)?), scope?.clone())))
    }
}
