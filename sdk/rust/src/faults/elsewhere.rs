//! Runs whose fault point is in another service: the root draws for them too, since outcomes are counted there.
//!
//! Where the root has the point, a request is drawn at its first pass; where it does not, when its scope opens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;

use super::Faults;
use super::run::ActiveRun;
use crate::scope::Scope;

/// The runs whose point this process does not have.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    any: AtomicBool,
    /// By the operation of their SLO: a request meets only those that may concern it.
    runs: ArcSwap<FxHashMap<Box<str>, Vec<Arc<ActiveRun>>>>,
}

impl Elsewhere {
    /// Takes over those of the runs whose point is not here, and whose SLO says which requests are concerned.
    pub(super) fn set<'r>(&self, runs: impl Iterator<Item = &'r Arc<ActiveRun>>, here: impl Fn(&str) -> bool) {
        let mut elsewhere: FxHashMap<Box<str>, Vec<Arc<ActiveRun>>> = FxHashMap::default();
        for run in runs {
            let spec = run.compiled().spec();
            if let Some(measure) = spec.measure.as_ref().filter(|_| !here(spec.point.as_str())) {
                elsewhere.entry(measure.operation.as_str().into()).or_default().push(Arc::clone(run));
            }
        }
        let any = !elsewhere.is_empty();
        self.runs.store(Arc::new(elsewhere));
        self.any.store(any, Ordering::Release);
    }

    /// How many runs a request of this operation meets.
    #[cfg(test)]
    pub(super) fn met_by(&self, operation: &str) -> usize {
        self.runs.load().get(operation).map_or(0, Vec::len)
    }
}

impl Faults {
    /// Draws a root request for the runs whose point is elsewhere.
    #[inline]
    pub(crate) fn draw_elsewhere(&self, scope: &Scope) {
        if self.0.elsewhere.any.load(Ordering::Relaxed) && scope.eligible() && scope.upstream().is_none() {
            self.draw_all_elsewhere(scope);
        }
    }

    #[cold]
    fn draw_all_elsewhere(&self, scope: &Scope) {
        for run in self.0.elsewhere.runs.load().get(scope.operation()).into_iter().flatten() {
            // Whether it is struck is for the service to say that has the point.
            let _ = run.draw(scope, || self.left(run).is_some());
        }
    }
}
