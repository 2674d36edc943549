//! The values of attributes that faults draw by: how many there are, and how much of a point's traffic one carries. They
//! leave the process as hashes, made with a salt of the server's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use daybreak_engine::key_hash;
use daybreak_model::limits::{HEAVIEST_KEYS_MAX, SKETCHES_MAX};
use daybreak_model::wire::{PointKeys, SketchWanted};
use daybreak_model::{Context, Key, KeyHash, KeySketch};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// How long a slice lasts.
const SLICE: Duration = Duration::from_secs(300);
/// Keys whose requests are counted. No count is further off than one of so many parts of all requests.
const COUNTED_MAX: usize = 400;

/// What the server wants to have counted.
#[derive(Debug, Default)]
pub(crate) struct Sketches {
    /// Whether there is any: all that a request reads where there is none.
    any: AtomicBool,
    all: ArcSwap<Vec<Arc<Sketch>>>,
    /// By the index of their point, where it is known here.
    by_point: ArcSwap<FxHashMap<u32, Vec<Arc<Sketch>>>>,
    turn: AtomicUsize,
}

/// One attribute at one point.
#[derive(Debug)]
struct Sketch {
    wanted: SketchWanted,
    /// The slice that grows, and the one before it.
    slices: Mutex<(Slice, Option<Slice>)>,
}

#[derive(Clone, Debug, Default)]
struct Slice {
    number: u64,
    began: Option<Duration>,
    requests: u64,
    keys: KeySketch,
    heavy: Heavy,
}

/// The heaviest keys, after J. Misra and D. Gries, "Finding repeated elements", Science of Computer Programming 2
/// (1982): a key that has no place takes one off all others, and that much every count may be too low.
#[derive(Clone, Debug, Default)]
struct Heavy {
    counts: FxHashMap<KeyHash, u64>,
    missed: u64,
}

impl Sketches {
    /// Takes over what the server wants. What it wanted before goes on where it was.
    pub(crate) fn set(&self, wanted: &[SketchWanted], index: impl Fn(&Key) -> Option<u32>) {
        let known = self.all.load();
        let wanted = &wanted[..wanted.len().min(SKETCHES_MAX)];
        let same = known.len() == wanted.len() && known.iter().zip(wanted).all(|(sketch, one)| sketch.wanted == *one);
        if !same {
            let find = |one: &SketchWanted| known.iter().find(|sketch| sketch.wanted == *one).cloned();
            let new = |one: &SketchWanted| Arc::new(Sketch { wanted: one.clone(), slices: Mutex::default() });
            self.all.store(Arc::new(wanted.iter().map(|one| find(one).unwrap_or_else(|| new(one))).collect()));
        }
        self.place(index);
    }

    /// Finds the points anew.
    pub(crate) fn place(&self, index: impl Fn(&Key) -> Option<u32>) {
        let mut by_point: FxHashMap<u32, Vec<Arc<Sketch>>> = FxHashMap::default();
        for sketch in self.all.load().iter() {
            if let Some(index) = index(&sketch.wanted.point) {
                by_point.entry(index).or_default().push(Arc::clone(sketch));
            }
        }
        let any = !by_point.is_empty();
        self.by_point.store(Arc::new(by_point));
        self.any.store(any, Ordering::Release);
    }

    /// A root request passes the point of this index for the first time.
    #[inline]
    pub(crate) fn pass(&self, point: u32, context: &Context) {
        if self.any.load(Ordering::Relaxed) {
            self.count(point, context);
        }
    }

    #[cold]
    fn count(&self, point: u32, context: &Context) {
        for sketch in self.by_point.load().get(&point).into_iter().flatten() {
            let key = key_hash(&sketch.wanted.attribute, &sketch.wanted.salt, context);
            sketch.slices.lock().0.count(key);
        }
    }

    /// What one of them has come to: they take turns, so that reports stay short.
    pub(crate) fn report(&self, now: Duration) -> Vec<PointKeys> {
        let all = self.all.load();
        all.iter().for_each(|sketch| sketch.turn_over(now));
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(all.len()).and_then(|at| all.get(at)).map(|sketch| sketch.report()).unwrap_or_default()
    }
}

impl Sketch {
    /// Begins the next slice where it is time.
    fn turn_over(&self, now: Duration) {
        let (current, before) = &mut *self.slices.lock();
        let began = *current.began.get_or_insert(now);
        if now.saturating_sub(began) >= SLICE {
            let next = Slice { number: current.number + 1, began: Some(now), ..Slice::default() };
            *before = Some(std::mem::replace(current, next));
        }
    }

    fn report(&self) -> Vec<PointKeys> {
        let (current, before) = &*self.slices.lock();
        let SketchWanted { point, attribute, salt } = &self.wanted;
        let slices = before.iter().chain([current]).filter(|slice| slice.requests > 0);
        let tell = |slice: &Slice| PointKeys {
            point: point.clone(),
            attribute: attribute.clone(),
            salt: salt.clone(),
            slice: slice.number,
            requests: slice.requests,
            keys: slice.keys.clone(),
            heaviest: slice.heavy.heaviest(),
        };
        slices.map(tell).collect()
    }
}

impl Slice {
    fn count(&mut self, key: Option<KeyHash>) {
        self.requests += 1;
        if let Some(key) = key {
            self.keys.insert(key);
            self.heavy.add(key);
        }
    }
}

impl Heavy {
    fn add(&mut self, key: KeyHash) {
        if self.counts.len() < COUNTED_MAX || self.counts.contains_key(&key) {
            *self.counts.entry(key).or_default() += 1;
            return;
        }
        self.missed += 1;
        self.counts.retain(|_, count| {
            *count -= 1;
            *count > 0
        });
    }

    /// The heaviest keys, and how many requests each had at most.
    fn heaviest(&self) -> BTreeMap<KeyHash, u64> {
        let mut counts: Vec<_> = self.counts.iter().map(|(key, count)| (*count, *key)).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.into_iter().take(HEAVIEST_KEYS_MAX).map(|(count, key)| (key, count + self.missed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(point: &str) -> SketchWanted {
        SketchWanted { point: Key::new(point).unwrap(), attribute: "account".to_owned(), salt: "s".to_owned() }
    }

    fn account(number: u64) -> Context {
        Context::default().with("account", format!("a-{number}"))
    }

    fn told(sketches: &Sketches, second: u64) -> Vec<(u64, u64, u64, u64)> {
        let told = sketches.report(Duration::from_secs(second)).into_iter();
        told.map(|told| {
            (told.slice, told.requests, told.keys.count(), told.heaviest.values().copied().max().unwrap_or_default())
        })
        .collect()
    }

    #[test]
    fn slices_follow_each_other() {
        let sketches = Sketches::default();
        let index = |key: &Key| (key.as_str() == "a").then_some(3);
        sketches.pass(3, &account(1));
        sketches.set(&[wanted("a")], index);
        assert_eq!(told(&sketches, 0), []);
        (0..100).for_each(|number| sketches.pass(3, &account(number % 10)));
        sketches.pass(3, &Context::default());
        sketches.pass(4, &account(77));
        assert_eq!(told(&sketches, 299), [(0, 101, 10, 10)]);
        // Asked for again, it goes on.
        sketches.set(&[wanted("a")], index);
        sketches.pass(3, &account(0));
        assert_eq!(told(&sketches, 300), [(0, 102, 10, 11)]);
        sketches.pass(3, &account(0));
        assert_eq!(told(&sketches, 310), [(0, 102, 10, 11), (1, 1, 1, 1)]);
        assert_eq!(told(&sketches, 600), [(1, 1, 1, 1)]);
        // With another salt it begins anew; and what is no longer wanted is not counted.
        sketches.set(&[SketchWanted { salt: "t".to_owned(), ..wanted("a") }], index);
        assert_eq!(told(&sketches, 601), []);
        sketches.set(&[], index);
        sketches.pass(3, &account(0));
        assert_eq!(told(&sketches, 602), []);
    }

    #[test]
    fn attributes_take_turns() {
        let sketches = Sketches::default();
        sketches.set(&[wanted("a"), wanted("b")], |key| Some(u32::from(key.as_str() == "b")));
        sketches.pass(0, &account(1));
        sketches.pass(1, &account(1));
        sketches.pass(1, &account(2));
        let sizes: Vec<_> = (0..4).map(|second| told(&sketches, second)[0].2).collect();
        assert_eq!(sizes, [1, 2, 1, 2]);
    }

    /// Never too low, and too high by a four-hundredth of all at most.
    #[test]
    fn the_heaviest_are_found() {
        let mut heavy = Heavy::default();
        let total = 100_000_u64;
        for number in 0..total {
            let key = if number % 50 == 0 { 1 } else { 2 + number };
            heavy.add(KeyHash::new(key));
        }
        let heaviest = heavy.heaviest();
        let most = heaviest[&KeyHash::new(1)];
        assert!((total / 50..=total / 50 + total / COUNTED_MAX as u64).contains(&most), "{most}");
        assert!(heaviest.len() <= HEAVIEST_KEYS_MAX && heavy.counts.len() <= COUNTED_MAX);
        assert!(heaviest.values().all(|count| *count <= most));
    }
}
