//! The fault points of this process.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};
use daybreak_model::limits::FAULT_POINTS_MAX;
use daybreak_model::{Key, same_bytes};
use parking_lot::Mutex;
use rustc_hash::{FxBuildHasher, FxHashSet};

use super::clock::Moment;
use super::run::ActiveRun;
use super::settings::Settings;
use crate::scope::near;

/// Every point that was named so far.
///
/// None ever goes, so a look-up takes no lock and keeps nothing alive: a point is in the first slot from the one of its hash
/// that was free when it came.
#[derive(Debug)]
pub(crate) struct Points {
    slots: Box<[OnceLock<Arc<PointState>>; SLOTS]>,
    /// How many there are.
    count: Mutex<u32>,
    refused: Mutex<FxHashSet<Box<str>>>,
}

/// Enough that half of them stay free: so a look-up soon comes to its end.
const SLOTS: usize = (2 * FAULT_POINTS_MAX).next_power_of_two();

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

impl Default for Points {
    fn default() -> Self {
        let slots = Box::new([const { OnceLock::new() }; SLOTS]);
        Self { slots, count: Mutex::default(), refused: Mutex::default() }
    }
}

impl Points {
    /// The point of this name, if it is known already.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<PointState>> {
        let mut points = self.slots_of(name).map_while(OnceLock::get);
        points.find(|point| same_bytes(point.key.as_str().as_bytes(), name.as_bytes()))
    }

    /// The slots in which a name may be, in order.
    #[inline]
    fn slots_of(&self, name: &str) -> impl Iterator<Item = &OnceLock<Arc<PointState>>> {
        #[expect(clippy::cast_possible_truncation, reason = "a hash's lower half is one as well")]
        let first = FxBuildHasher.hash_one(name.as_bytes()) as usize;
        (0..SLOTS).map(move |step| &self.slots[first.wrapping_add(step) % SLOTS])
    }

    /// Adds a point. `None` where the name is no key, or where there are too many: what cannot be reported is not struck.
    pub(crate) fn add(&self, name: &str, settings: &Settings) -> Option<&Arc<PointState>> {
        let mut count = self.count.lock();
        if let Some(point) = self.get(name) {
            return Some(point);
        }
        let key = match Key::new(name) {
            Ok(key) if (*count as usize) < FAULT_POINTS_MAX => key,
            Ok(_) => return self.refuse(name, "this process has too many fault points already"),
            Err(why) => return self.refuse(name, &why.to_string()),
        };
        let (permitted, index) = (settings.permits(name), *count);
        let (armed, runs) = (AtomicBool::new(false), ArcSwap::default());
        let point = Arc::new(PointState { key, index, near: near(index), permitted, armed, runs });
        // Half of the slots are free, and nobody else adds meanwhile.
        let free = self.slots_of(name).find(|slot| slot.get().is_none())?;
        *count += 1;
        Some(free.get_or_init(|| point))
    }

    /// Says once for each of the first names that nothing can strike there.
    fn refuse(&self, name: &str, why: &str) -> Option<&Arc<PointState>> {
        let mut refused = self.refused.lock();
        if refused.len() < FAULT_POINTS_MAX && refused.insert(name.into()) {
            tracing::warn!(point = name, why, "no fault can strike at this point");
        }
        None
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<PointState>> {
        self.slots.iter().filter_map(OnceLock::get)
    }
}
