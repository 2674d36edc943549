//! Evaluations that this server makes itself, for OFREP: counted without a lock that others want.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daybreak_engine::{Detail, FlagIndex};
use daybreak_model::Key;
use parking_lot::{Mutex, MutexGuard};

use crate::State;

/// Threads that count apart from each other.
const SHARDS: usize = 16;

/// Counts by thread.
#[derive(Debug, Default)]
pub(crate) struct Tallies([Mutex<Shard>; SHARDS]);

/// The counts of one thread, by place in the snapshot of one state.
#[derive(Debug, Default)]
struct Shard {
    state: Option<Arc<State>>,
    counts: HashMap<(u32, Option<u16>), u64>,
    /// What was counted by other states, by name.
    named: HashMap<(Key, Option<Key>), u64>,
}

/// Counts the evaluations of one answer. It holds up nobody as long as it is not kept across a wait.
#[derive(Debug)]
pub struct Tally<'t>(MutexGuard<'t, Shard>);

impl Tallies {
    /// Counts evaluations by the snapshot of this state.
    pub(super) fn begin(&self, state: &Arc<State>) -> Tally<'_> {
        let mut shard = self.0[shard()].lock();
        if shard.state.as_ref().is_none_or(|known| !Arc::ptr_eq(known, state)) {
            shard.name();
            shard.state = Some(Arc::clone(state));
        }
        Tally(shard)
    }

    /// Takes what was counted.
    pub(super) fn take(&self) -> Vec<((Key, Option<Key>), u64)> {
        let take = |shard: &Mutex<Shard>| {
            let mut shard = shard.lock();
            shard.name();
            std::mem::take(&mut shard.named)
        };
        self.0.iter().flat_map(take).collect()
    }
}

impl Shard {
    /// Writes what is counted by place under its names, and lets go of the state.
    fn name(&mut self) {
        let Some(state) = self.state.take() else { return };
        for ((flag, variant), count) in self.counts.drain() {
            let Some(flag) = state.snapshot().info(FlagIndex::at(flag)) else { continue };
            let variant = variant.and_then(|variant| flag.variants.get(usize::from(variant)));
            let name = (flag.key.clone(), variant.map(|(name, _)| name.clone()));
            *self.named.entry(name).or_default() += count;
        }
    }
}

impl Tally<'_> {
    /// Counts one answer. One of no flag counts for nothing.
    pub fn count(&mut self, answer: &Detail<'_>) {
        let Some(place) = answer.flag().and_then(|flag| u32::try_from(flag.position()).ok()) else { return };
        let variant = answer.variant_index().filter(|_| answer.error().is_none());
        *self.0.counts.entry((place, variant)).or_default() += 1;
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
