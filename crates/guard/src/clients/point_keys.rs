//! How many distinct values an attribute has at a point, and how much of the traffic one of them carries.
//!
//! It is kept in slots of five minutes, by when it was reported. Sketches are sets, and requests are taken as
//! differences within a client's slice, so duplicates and reorderings change nothing.

use std::collections::BTreeMap;

use daybreak_model::limits::{CLIENT_SILENT_AFTER, HEAVIEST_KEYS_MAX, SKETCHES_MAX};
use daybreak_model::wire::{PointKeys, SketchWanted};
use daybreak_model::{InstanceId, Key, KeyHash, KeySketch};
use jiff::Timestamp;

use super::silence_since;
use crate::span::signed;

/// Seconds of a slot.
const SLOT_SECONDS: i64 = 300;
/// Slots that are looked at: the last hour.
const SLOTS: i64 = 3_600 / SLOT_SECONDS;
/// Heavy keys of one slot, over all clients.
const HEAVY_KEYS_MAX: usize = 10_000;
/// Slices of one client that may still grow.
const SLICES_MAX: usize = 2;

/// What is known of an attribute at a point over the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeysSeen {
    /// Distinct values; about, from a thousand on.
    pub distinct: u64,
    /// Root requests that passed the point while the values were counted.
    pub requests: u64,
    /// How many of them the heaviest value had, at most.
    pub heaviest: u64,
}

/// What all clients told of the attributes that are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct AllPointKeys(BTreeMap<SketchWanted, Seen>);

#[derive(Clone, Debug, Default)]
struct Seen {
    slots: BTreeMap<i64, Slot>,
    clients: BTreeMap<InstanceId, Slices>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    keys: KeySketch,
    requests: u64,
    heaviest: BTreeMap<KeyHash, u64>,
}

#[derive(Clone, Debug)]
struct Slices {
    heard: Timestamp,
    slices: BTreeMap<u64, Told>,
}

/// What was last told of a slice.
#[derive(Clone, Debug, Default)]
struct Told {
    requests: u64,
    heaviest: BTreeMap<KeyHash, u64>,
}

impl AllPointKeys {
    /// From here on these are counted, and no others.
    pub(super) fn want(&mut self, wanted: &[SketchWanted]) {
        let wanted = || wanted.iter().take(SKETCHES_MAX);
        if self.0.len() == wanted().count() && wanted().all(|one| self.0.contains_key(one)) {
            return;
        }
        self.0.retain(|known, _| wanted().any(|one| one == known));
        for one in wanted() {
            self.0.entry(one.clone()).or_default();
        }
    }

    /// Takes in what a client tells, in a report that is newer than any before it.
    pub(super) fn take_in(&mut self, client: InstanceId, told: &[PointKeys], now: Timestamp) {
        for keys in told.iter().take(2 * SKETCHES_MAX) {
            let PointKeys { point, attribute, salt, .. } = keys;
            let name = SketchWanted { point: point.clone(), attribute: attribute.clone(), salt: salt.clone() };
            if let Some(seen) = self.0.get_mut(&name) {
                seen.take_in(client, keys, now);
            }
        }
    }

    /// What is known of an attribute at a point; none where nobody counts it.
    pub(super) fn seen(&self, point: &Key, attribute: &str, now: Timestamp) -> Option<KeysSeen> {
        let of = |name: &&SketchWanted| name.point == *point && name.attribute == attribute;
        let (_, seen) = self.0.iter().find(|(name, _)| of(name))?;
        let last = slot_of(now);
        let (mut keys, mut requests) = (KeySketch::default(), 0_u64);
        let mut heavy: BTreeMap<KeyHash, u64> = BTreeMap::new();
        for slot in seen.slots.range(last - SLOTS + 1..=last).map(|(_, slot)| slot) {
            keys.merge(&slot.keys);
            requests = requests.saturating_add(slot.requests);
            slot.heaviest.iter().for_each(|(key, count)| add(&mut heavy, *key, *count));
        }
        let heaviest = heavy.values().copied().max().unwrap_or_default();
        Some(KeysSeen { distinct: keys.count(), requests, heaviest })
    }

    /// Forgets what is too old to count.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let oldest = slot_of(now) - SLOTS;
        for seen in self.0.values_mut() {
            seen.slots.retain(|slot, _| *slot > oldest);
            // One that is heard again after this tells of slices that are its own, and new.
            seen.clients.retain(|_, slices| silence_since(slices.heard, now) <= signed(CLIENT_SILENT_AFTER) * 20);
        }
    }
}

impl Seen {
    fn take_in(&mut self, client: InstanceId, told: &PointKeys, now: Timestamp) {
        let known = self.clients.entry(client).or_insert_with(|| Slices { heard: now, slices: BTreeMap::new() });
        known.heard = now;
        // A slice that was over long ago has nothing new.
        let over = known.slices.len() >= SLICES_MAX && known.slices.keys().all(|slice| told.slice < *slice);
        if over {
            return;
        }
        let slot = self.slots.entry(slot_of(now)).or_default();
        let last = known.slices.entry(told.slice).or_default();
        slot.keys.merge(&told.keys);
        slot.requests = slot.requests.saturating_add(told.requests.saturating_sub(last.requests));
        last.requests = last.requests.max(told.requests);
        for (key, count) in told.heaviest.iter().take(HEAVIEST_KEYS_MAX) {
            let before = last.heaviest.get(key).copied().unwrap_or_default();
            let grown = count.saturating_sub(before);
            if grown > 0 && (slot.heaviest.len() < HEAVY_KEYS_MAX || slot.heaviest.contains_key(key)) {
                add(&mut slot.heaviest, *key, grown);
            }
            if before < *count && (last.heaviest.len() < HEAVY_KEYS_MAX || before > 0) {
                last.heaviest.insert(*key, *count);
            }
        }
        while known.slices.len() > SLICES_MAX {
            known.slices.pop_first();
        }
    }
}

fn add(counts: &mut BTreeMap<KeyHash, u64>, key: KeyHash, more: u64) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(more);
}

fn slot_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(SLOT_SECONDS)
}

#[cfg(test)]
mod tests;
