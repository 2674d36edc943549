//! A map of which copies are cheap.

use std::borrow::Borrow;
use std::fmt;
use std::iter::{FlatMap, Map};
use std::ops::Index;
use std::sync::Arc;
use std::{slice, vec};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries of one chunk, at most. A change copies one of them, and the list of all.
const CHUNK: usize = 64;

/// A map in the order of its keys, whose copies share everything but what was changed since: for many things of which few
/// change at a time, while others go on reading what was.
///
/// It is cut into chunks that stand in a list. So a copy costs a sixty-fourth of what one of a tree of entries does, and
/// finding anything takes two binary searches.
pub struct SharedMap<K, V> {
    /// In order; none is empty, and none holds more than [`CHUNK`] entries.
    chunks: Vec<Chunk<K, V>>,
}

type Chunk<K, V> = Arc<Vec<(K, V)>>;
type Entries<'m, K, V> =
    FlatMap<slice::Iter<'m, Chunk<K, V>>, slice::Iter<'m, (K, V)>, fn(&'m Chunk<K, V>) -> slice::Iter<'m, (K, V)>>;

/// The entries of a [`SharedMap`], in the order of their keys.
pub type SharedIter<'m, K, V> = Map<Entries<'m, K, V>, fn(&'m (K, V)) -> (&'m K, &'m V)>;
/// The same, taken out of it.
pub type SharedIntoIter<K, V> = FlatMap<vec::IntoIter<Chunk<K, V>>, Vec<(K, V)>, fn(Chunk<K, V>) -> Vec<(K, V)>>;

/// Where a key is, or would be: its chunk, and its place there.
type Found = Result<(usize, usize), (usize, usize)>;

impl<K, V> SharedMap<K, V> {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Its entries, in the order of their keys.
    pub fn iter(&self) -> SharedIter<'_, K, V> {
        let entries: Entries<'_, K, V> = self.chunks.iter().flat_map(|chunk| chunk.iter());
        entries.map(|(key, value)| (key, value))
    }

    /// Its keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Its values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entry with the greatest key.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.chunks.last()?.last().map(|(key, value)| (key, value))
    }

    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Found
    where
        K: Borrow<Q>,
    {
        let begins = |chunk: &Chunk<K, V>| chunk.first().is_some_and(|(first, _)| first.borrow() <= key);
        let at = self.chunks.partition_point(begins).saturating_sub(1);
        let Some(chunk) = self.chunks.get(at) else { return Err((0, 0)) };
        let found = chunk.binary_search_by(|(known, _)| known.borrow().cmp(key));
        found.map(|place| (at, place)).map_err(|place| (at, place))
    }

    /// An entry.
    #[must_use]
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.find(key).ok()?;
        self.chunks.get(at)?.get(place).map(|(key, value)| (key, value))
    }

    /// The value of a key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// Whether it has a key.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }
}

impl<K: Clone, V: Clone> SharedMap<K, V> {
    /// The value of a key, to be changed: what other copies share of it is copied.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.find(key).ok()?;
        Arc::make_mut(self.chunks.get_mut(at)?).get_mut(place).map(|(_, value)| value)
    }

    /// Puts a value in the place of the one that a key has; the older one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V>
    where
        K: Ord,
    {
        let (at, place) = match self.find(&key) {
            Ok((at, place)) => {
                let entry = Arc::make_mut(self.chunks.get_mut(at)?).get_mut(place)?;
                return Some(std::mem::replace(&mut entry.1, value));
            }
            Err(found) => found,
        };
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push(Arc::new(vec![(key, value)]));
            return None;
        };
        if chunk.len() < CHUNK {
            Arc::make_mut(chunk).insert(place, (key, value));
        } else if place == CHUNK {
            // What comes in order fills each chunk, and so does what comes the other way round.
            match self.chunks.get_mut(at + 1).filter(|next| next.len() < CHUNK) {
                Some(next) => Arc::make_mut(next).insert(0, (key, value)),
                None => self.chunks.insert(at + 1, Arc::new(vec![(key, value)])),
            }
        } else {
            let chunk = Arc::make_mut(chunk);
            let mut rest = chunk.split_off(CHUNK / 2);
            match place.checked_sub(CHUNK / 2) {
                Some(place) => rest.insert(place, (key, value)),
                None => chunk.insert(place, (key, value)),
            }
            self.chunks.insert(at + 1, Arc::new(rest));
        }
        None
    }

    /// Removes a key; the value that it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.find(key).ok()?;
        let chunk = Arc::make_mut(self.chunks.get_mut(at)?);
        let (_, value) = chunk.remove(place);
        if chunk.is_empty() {
            self.chunks.remove(at);
        } else {
            self.join(at);
            at.checked_sub(1).into_iter().for_each(|before| self.join(before));
        }
        Some(value)
    }

    /// Makes one chunk of this and the next where they are small: where most is removed, not many are to be left.
    fn join(&mut self, at: usize) {
        let Some([chunk, next]) = self.chunks.get_mut(at..at + 2) else { return };
        if chunk.len() + next.len() <= CHUNK / 2 {
            Arc::make_mut(chunk).extend_from_slice(next);
            self.chunks.remove(at + 1);
        }
    }

    /// Replaces the values for which there is another. What keeps its value stays shared with other copies.
    pub fn replace(&mut self, mut other: impl FnMut(&K, &V) -> Option<V>) {
        for chunk in &mut self.chunks {
            for place in 0..chunk.len() {
                let new = chunk.get(place).and_then(|(key, value)| other(key, value));
                if let Some((entry, new)) = new.and_then(|new| Some((Arc::make_mut(chunk).get_mut(place)?, new))) {
                    entry.1 = new;
                }
            }
        }
    }
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone() }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for SharedMap<K, V> {
    type Output = V;

    /// # Panics
    /// Where it does not have the key.
    fn index(&self, key: &Q) -> &V {
        match self.get(key) {
            Some(value) => value,
            None => panic!("the map lacks this key"),
        }
    }
}

impl<'m, K, V> IntoIterator for &'m SharedMap<K, V> {
    type Item = (&'m K, &'m V);
    type IntoIter = SharedIter<'m, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Clone, V: Clone> IntoIterator for SharedMap<K, V> {
    type Item = (K, V);
    type IntoIter = SharedIntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter().flat_map(Arc::unwrap_or_clone)
    }
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for SharedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Serialize, V: Serialize> Serialize for SharedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, K: Deserialize<'de> + Ord + Clone, V: Deserialize<'de> + Clone> Deserialize<'de> for SharedMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::collections::BTreeMap::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn check(map: &SharedMap<u16, u32>, as_it_is: &BTreeMap<u16, u32>) {
        assert!(map.iter().eq(as_it_is), "{map:?}");
        assert_eq!((map.len(), map.is_empty()), (as_it_is.len(), as_it_is.is_empty()));
        assert_eq!(map.last_key_value(), as_it_is.last_key_value());
        assert!(map.chunks.iter().all(|chunk| (1..=CHUNK).contains(&chunk.len())));
    }

    #[test]
    fn what_comes_in_order_fills_each_chunk() {
        let map: SharedMap<usize, ()> = (0..10 * CHUNK).map(|key| (key, ())).collect();
        assert_eq!(map.chunks.len(), 10);
    }

    #[test]
    fn what_comes_the_other_way_round_behind_a_full_chunk_makes_few() {
        let mut map: SharedMap<usize, ()> = (0..CHUNK).map(|key| (key, ())).collect();
        map.extend((CHUNK..10 * CHUNK).rev().map(|key| (key, ())));
        assert!(map.chunks.len() <= 20, "{}", map.chunks.len());
    }

    #[test]
    fn a_copy_shares_what_was_not_changed() {
        let map: SharedMap<usize, usize> = (0..10 * CHUNK).map(|key| (key, key)).collect();
        let mut copy = map.clone();
        copy.insert(5, 7);
        copy.remove(&(9 * CHUNK));
        *copy.get_mut(&(3 * CHUNK)).unwrap() = 1;
        copy.replace(|key, _| (*key == 5 * CHUNK).then_some(2));
        let shared = map.chunks.iter().zip(&copy.chunks).map(|(one, other)| Arc::ptr_eq(one, other));
        assert_eq!(shared.filter(|shared| !shared).count(), 4);
        assert!(map.iter().all(|(key, value)| key == value), "the other is as it was");
        assert_eq!((copy[&5], copy.get(&(9 * CHUNK)), copy[&(3 * CHUNK)], copy[&(5 * CHUNK)]), (7, None, 1, 2));
    }

    #[test]
    fn what_is_removed_leaves_few_chunks() {
        let mut map: SharedMap<usize, ()> = (0..100 * CHUNK).map(|key| (key, ())).collect();
        (0..100 * CHUNK).filter(|key| key % 50 != 0).for_each(|key| assert!(map.remove(&key).is_some()));
        assert!(map.chunks.len() <= 2 * map.len().div_ceil(CHUNK / 4), "{} of {}", map.chunks.len(), map.len());
    }

    #[test]
    fn its_json_is_a_map() {
        let map: SharedMap<String, u8> = [("b".to_owned(), 1), ("a".to_owned(), 2)].into_iter().collect();
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"{"a":2,"b":1}"#);
        assert_eq!(serde_json::from_str::<SharedMap<String, u8>>(&json).unwrap(), map);
    }

    proptest! {
        /// It does what a tree does, and no copy sees what another one does.
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0_u8..10, 0_u16..400, any::<u32>()), 0..2_000)) {
            let (mut map, mut tree) = (SharedMap::new(), BTreeMap::new());
            let mut copies = Vec::new();
            for (step, key, value) in steps {
                match step {
                    0..=4 => prop_assert_eq!(map.insert(key, value), tree.insert(key, value)),
                    5..=7 => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
                    8 => match (map.get_mut(&key), tree.get_mut(&key)) {
                        (Some(one), Some(other)) => (*one, *other) = (value, value),
                        (one, other) => prop_assert_eq!(one, other),
                    },
                    _ if copies.len() < 5 => copies.push((map.clone(), tree.clone())),
                    _ => {}
                }
                prop_assert_eq!(map.get_key_value(&key), tree.get_key_value(&key));
                prop_assert_eq!(map.contains_key(&key), tree.contains_key(&key));
            }
            check(&map, &tree);
            copies.iter().for_each(|(map, tree)| check(map, tree));
            prop_assert!(map.clone().into_iter().eq(tree));
        }
    }
}
