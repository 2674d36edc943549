//! The fault points of this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};
use daybreak_model::Key;
use daybreak_model::limits::FAULT_POINTS_MAX;
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use super::clock::Moment;
use super::run::ActiveRun;
use super::settings::Settings;
use crate::scope::near;

/// Every point that was named so far.
#[derive(Debug, Default)]
pub(crate) struct Points {
    known: ArcSwap<FxHashMap<Key, Arc<PointState>>>,
    refused: Mutex<FxHashSet<Box<str>>>,
}

/// One point.
#[derive(Debug)]
pub(crate) struct PointState {
    pub(crate) key: Key,
    pub(crate) index: u32,
    /// Its bit among the passes that a thread knows of.
    pub(crate) near: u64,
    pub(crate) permitted: bool,
    armed: AtomicBool,
    runs: ArcSwap<Vec<Arc<ActiveRun>>>,
}

impl PointState {
    /// Whether a run is active here: all that a pass reads while none is.
    #[inline]
    pub(crate) fn armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    pub(crate) fn runs(&self) -> Guard<Arc<Vec<Arc<ActiveRun>>>> {
        self.runs.load()
    }

    /// Arms the point with those of the runs that are its own and hold a lease.
    pub(crate) fn arm<'r>(&self, runs: impl Iterator<Item = &'r Arc<ActiveRun>>, now: Moment) {
        let own = runs.filter(|run| self.permitted && run.compiled().spec().point == self.key);
        let own: Vec<_> = own.filter(|run| run.left(now).is_some()).cloned().collect();
        let armed = !own.is_empty();
        self.runs.store(Arc::new(own));
        self.armed.store(armed, Ordering::Release);
    }
}

impl Points {
    /// The points that are known already, by name.
    #[inline]
    pub(crate) fn known(&self) -> Guard<Arc<FxHashMap<Key, Arc<PointState>>>> {
        self.known.load()
    }

    /// Adds a point, under the caller's lock. `None` where the name is no key, or where there are too many:
    /// what cannot be reported is not struck.
    pub(crate) fn add(&self, name: &str, settings: &Settings) -> Option<Arc<PointState>> {
        let known = self.known.load_full();
        if let Some(point) = known.get(name) {
            return Some(Arc::clone(point));
        }
        let key = match Key::new(name) {
            Ok(key) if known.len() < FAULT_POINTS_MAX => key,
            Ok(_) => return self.refuse(name, "this process has too many fault points already"),
            Err(why) => return self.refuse(name, &why.to_string()),
        };
        let (permitted, index) = (settings.permits(name), u32::try_from(known.len()).ok()?);
        let (armed, runs) = (AtomicBool::new(false), ArcSwap::default());
        let point = Arc::new(PointState { key: key.clone(), index, near: near(index), permitted, armed, runs });
        let mut more = FxHashMap::clone(&known);
        more.insert(key, Arc::clone(&point));
        self.known.store(Arc::new(more));
        Some(point)
    }

    /// Says once for each of the first names that nothing can strike there.
    fn refuse(&self, name: &str, why: &str) -> Option<Arc<PointState>> {
        let mut refused = self.refused.lock();
        if refused.len() < FAULT_POINTS_MAX && refused.insert(name.into()) {
            tracing::warn!(point = name, why, "no fault can strike at this point");
        }
        None
    }

    pub(crate) fn all(&self) -> Vec<Arc<PointState>> {
        self.known.load().values().cloned().collect()
    }
}
