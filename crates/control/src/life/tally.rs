//! Evaluations that this server makes itself, for OFREP: counted without a lock that others want.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use daybreak_engine::{Detail, FlagIndex};
use daybreak_model::Key;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::State;

/// Threads that count apart from each other.
const SHARDS: usize = 16;

/// What somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// One flag, by its name.
    Flag,
    /// All flags at once: that says of none of them that anybody uses it.
    All,
}

/// How often this server itself evaluated a flag for somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Times that a variant was served.
    pub served: u64,
    /// Times that there was none, and the caller's default was taken.
    pub errors: u64,
}

/// Counts by thread.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    shards: [Mutex<Shard>; SHARDS],
    /// All since the start: of flags that were asked for alone, and of all at once.
    flag: Total,
    all: Total,
}

#[derive(Debug, Default)]
struct Total {
    served: AtomicU64,
    errors: AtomicU64,
}

/// The counts of one thread, by place in the snapshot of one state.
#[derive(Debug, Default)]
struct Shard {
    state: Option<Arc<State>>,
    counts: FxHashMap<(Asked, Place), u64>,
    /// What was counted by other states, by name.
    named: FxHashMap<Named, u64>,
}

/// A flag, and the variant that it served, by place.
type Place = (u32, Option<u16>);
/// The same by name, and what was asked for.
type Named = (Asked, Key, Option<Key>);

/// Counts the evaluations of one answer: by itself, and once it is dropped with the others.
#[derive(Debug)]
pub struct Tally<'t> {
    tallies: &'t Tallies,
    state: Arc<State>,
    asked: Asked,
    counted: Vec<Place>,
}

impl Tallies {
    /// Counts evaluations by the snapshot of this state.
    pub(super) fn begin(&self, state: &Arc<State>, asked: Asked) -> Tally<'_> {
        Tally { tallies: self, state: Arc::clone(state), asked, counted: Vec::new() }
    }

    /// Takes what was counted.
    pub(super) fn take(&self) -> Vec<(Named, u64)> {
        let take = |shard: &Mutex<Shard>| {
            let mut shard = shard.lock();
            shard.name();
            std::mem::take(&mut shard.named)
        };
        self.shards.iter().flat_map(take).collect()
    }

    /// All since the start.
    pub(super) fn answered(&self, asked: Asked) -> Answered {
        let Total { served, errors } = self.total(asked);
        Answered { served: served.load(Ordering::Relaxed), errors: errors.load(Ordering::Relaxed) }
    }

    const fn total(&self, asked: Asked) -> &Total {
        match asked {
            Asked::Flag => &self.flag,
            Asked::All => &self.all,
        }
    }
}

impl Shard {
    /// Writes what is counted by place under its names, and lets go of the state.
    fn name(&mut self) {
        let Some(state) = self.state.take() else { return };
        for ((asked, (flag, variant)), count) in self.counts.drain() {
            let Some(flag) = state.snapshot().info(FlagIndex::at(flag)) else { continue };
            let variant = variant.and_then(|variant| flag.variants.get(usize::from(variant)));
            let name = (asked, flag.key.clone(), variant.map(|(name, _)| name.clone()));
            *self.named.entry(name).or_default() += count;
        }
    }
}

impl Tally<'_> {
    /// Counts one answer. One of no flag counts for nothing.
    pub fn count(&mut self, answer: &Detail<'_>) {
        let Some(place) = answer.flag().and_then(|flag| u32::try_from(flag.position()).ok()) else { return };
        self.counted.push((place, answer.variant_index().filter(|_| answer.error().is_none())));
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        let total = self.tallies.total(self.asked);
        let errors = self.counted.iter().filter(|(_, variant)| variant.is_none()).count();
        total.errors.fetch_add(errors as u64, Ordering::Relaxed);
        total.served.fetch_add((self.counted.len() - errors) as u64, Ordering::Relaxed);
        let mut shard = self.tallies.shards[shard()].lock();
        if shard.state.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &self.state)) {
            shard.name();
            shard.state = Some(Arc::clone(&self.state));
        }
        for place in self.counted.drain(..) {
            *shard.counts.entry((self.asked, place)).or_default() += 1;
        }
    }
}

/// This thread's.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! { static OWN: Cell<Option<usize>> = const { Cell::new(None) }; }
    let own = OWN.get().unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    OWN.set(Some(own));
    own
}
