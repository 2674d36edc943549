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
/// Counts that a flag has a place for where all are asked for: of errors, and of its first variants.
const WIDTH: usize = 4;

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
    /// Those of answers with all flags, [`WIDTH`] of each flag: what is counted a hundred times for an answer is not looked for
    /// each time. What has no place here stands among the others.
    all: Vec<u64>,
    /// What was counted by other states, by name.
    named: FxHashMap<Named, u64>,
}

/// A flag, and the variant that it served, by place.
type Place = (u32, Option<u16>);
/// The same by name, and what was asked for.
type Named = (Asked, Key, Option<Key>);

/// Counts the evaluations of one answer about all flags: by itself, and once it is dropped with the others.
#[derive(Debug)]
pub struct Tally<'t> {
    tallies: &'t Tallies,
    state: &'t Arc<State>,
    counted: Vec<Place>,
}

impl Tallies {
    /// Counts evaluations of all flags by the snapshot of this state.
    pub(super) fn begin<'t>(&'t self, state: &'t Arc<State>) -> Tally<'t> {
        Tally { tallies: self, state, counted: Vec::with_capacity(state.resources().flags.len()) }
    }

    /// Counts the answer of a flag that was asked for alone. One of no flag counts for nothing.
    pub(super) fn count(&self, state: &Arc<State>, answer: &Detail<'_>) {
        if let Some(place) = place(answer) {
            self.add(state, Asked::Flag, &[place]);
        }
    }

    fn add(&self, state: &Arc<State>, asked: Asked, places: &[Place]) {
        let total = self.total(asked);
        let errors = places.iter().filter(|(_, variant)| variant.is_none()).count();
        if errors > 0 {
            total.errors.fetch_add(errors as u64, Ordering::Relaxed);
        }
        total.served.fetch_add((places.len() - errors) as u64, Ordering::Relaxed);
        let mut shard = self.shards[shard()].lock();
        if shard.state.as_ref().is_none_or(|known| !Arc::ptr_eq(known, state)) {
            shard.name();
            shard.state = Some(Arc::clone(state));
        }
        match asked {
            Asked::Flag => places.iter().for_each(|place| shard.add(asked, *place)),
            Asked::All => shard.add_all(places),
        }
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
    fn add(&mut self, asked: Asked, place: Place) {
        *self.counts.entry((asked, place)).or_default() += 1;
    }

    /// Counts an answer with all flags. They stand in order.
    fn add_all(&mut self, places: &[Place]) {
        let needed = places.last().map_or(0, |(flag, _)| (*flag as usize + 1) * WIDTH);
        if self.all.len() < needed {
            self.all.resize(needed, 0);
        }
        for place @ (flag, variant) in places {
            let at = variant.map_or(0, |variant| usize::from(variant) + 1);
            match self.all.get_mut(*flag as usize * WIDTH + at).filter(|_| at < WIDTH) {
                Some(count) => *count += 1,
                None => self.add(Asked::All, *place),
            }
        }
    }

    /// Writes what is counted by place under its names, and lets go of the state.
    fn name(&mut self) {
        let Some(state) = self.state.take() else { return };
        let all = self.all.drain(..).zip(0_u32..).filter(|(count, _)| *count > 0).map(|(count, at)| {
            let (flag, at) = (at / WIDTH as u32, at as usize % WIDTH);
            ((Asked::All, (flag, at.checked_sub(1).and_then(|variant| u16::try_from(variant).ok()))), count)
        });
        for ((asked, (flag, variant)), count) in self.counts.drain().chain(all) {
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
        self.counted.extend(place(answer));
    }
}

/// What an answer is counted by; none of no flag.
fn place(answer: &Detail<'_>) -> Option<Place> {
    let flag = u32::try_from(answer.flag()?.position()).ok()?;
    Some((flag, answer.variant_index().filter(|_| answer.error().is_none())))
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.tallies.add(self.state, Asked::All, &self.counted);
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
