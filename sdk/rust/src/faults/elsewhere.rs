//! Runs whose fault point is in another service: the root draws for them too, since outcomes are counted there.
//!
//! Where the root has the point, a request is drawn at its first pass; where it does not, when its scope opens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use super::Faults;
use super::run::ActiveRun;
use crate::scope::Scope;

/// The runs whose point this process does not have.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    any: AtomicBool,
    runs: ArcSwap<Vec<Arc<ActiveRun>>>,
}

impl Elsewhere {
    /// Takes over those of the runs whose point is not here, and whose SLO says which requests are concerned.
    pub(super) fn set<'r>(&self, runs: impl Iterator<Item = &'r Arc<ActiveRun>>, here: impl Fn(&str) -> bool) {
        let elsewhere = runs.filter(|run| {
            let spec = run.compiled().spec();
            spec.measure.is_some() && !here(spec.point.as_str())
        });
        let elsewhere: Vec<_> = elsewhere.cloned().collect();
        let any = !elsewhere.is_empty();
        self.runs.store(Arc::new(elsewhere));
        self.any.store(any, Ordering::Release);
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
        for run in self.0.elsewhere.runs.load().iter() {
            // Whether it is struck is for the service to say that has the point.
            let _ = run.draw(scope, || self.left(run).is_some());
        }
    }
}
