//! Keys of sticky draws, as far as they leave a process: as hashes, and as a sketch of how many there are.
//!
//! A sketch keeps the smallest hashes (K minimum values: Z. Bar-Yossef et al., "Counting distinct elements in a data
//! stream", RANDOM 2002). Sketches are sets, so it does not matter how often one is taken in, in which order, or which
//! of two processes saw a key first.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The hashes that a [`KeySketch`] keeps. The relative standard error of its count is 1/√(k−2), about 3 %.
pub const SKETCH_HASHES_MAX: usize = 1_024;

/// The hash of one key, written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHash(u64);

/// A set of hashes, written one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHashes(BTreeSet<KeyHash>);

/// How many distinct keys there are: exact below [`SKETCH_HASHES_MAX`], an estimate from there on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "KeyHashes", into = "KeyHashes")]
pub struct KeySketch(BTreeSet<KeyHash>);

/// The text is no hash, or not a row of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hashes are written as 16 hexadecimal digits each, one after the other")]
pub struct KeyHashError;

impl KeyHash {
    /// A hash of these bits.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }
}

impl KeyHashes {
    /// Adds one; whether it is new.
    pub fn insert(&mut self, key: KeyHash) -> bool {
        self.0.insert(key)
    }

    /// Each, the smallest first.
    pub fn iter(&self) -> impl Iterator<Item = KeyHash> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl KeySketch {
    /// Takes a key in.
    pub fn insert(&mut self, key: KeyHash) {
        let full = self.0.len() >= SKETCH_HASHES_MAX;
        if full && self.0.last().is_some_and(|last| key >= *last) {
            return;
        }
        if self.0.insert(key) && full {
            self.0.pop_last();
        }
    }

    /// Takes in what another one saw.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|key| self.insert(*key));
    }

    /// About how many distinct keys were taken in.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self.0.last() {
            Some(KeyHash(last)) if self.0.len() >= SKETCH_HASHES_MAX => {
                // k−1 hashes lie below the k-th smallest, which cuts off the share (last + 1)/2⁶⁴ of all.
                let below = (SKETCH_HASHES_MAX as u128 - 1) << 64;
                u64::try_from(below / (u128::from(*last) + 1)).unwrap_or(u64::MAX)
            }
            _ => self.0.len() as u64,
        }
    }

    /// Whether nothing was taken in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<KeyHash> for KeySketch {
    fn from_iter<I: IntoIterator<Item = KeyHash>>(keys: I) -> Self {
        let mut sketch = Self::default();
        keys.into_iter().for_each(|key| sketch.insert(key));
        sketch
    }
}

impl FromIterator<KeyHash> for KeyHashes {
    fn from_iter<I: IntoIterator<Item = KeyHash>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl From<KeyHashes> for KeySketch {
    fn from(hashes: KeyHashes) -> Self {
        hashes.iter().take(SKETCH_HASHES_MAX).collect()
    }
}

impl From<KeySketch> for KeyHashes {
    fn from(sketch: KeySketch) -> Self {
        Self(sketch.0)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyHash {
    type Err = KeyHashError;

    fn from_str(text: &str) -> Result<Self, KeyHashError> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        bits.map(Self).ok_or(KeyHashError)
    }
}

impl TryFrom<String> for KeyHash {
    type Error = KeyHashError;

    fn try_from(text: String) -> Result<Self, KeyHashError> {
        text.parse()
    }
}

impl From<KeyHash> for String {
    fn from(key: KeyHash) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for KeyHashes {
    type Error = KeyHashError;

    fn try_from(text: String) -> Result<Self, KeyHashError> {
        let read = |chunk: &[u8]| std::str::from_utf8(chunk).map_err(|_| KeyHashError)?.parse();
        text.as_bytes().chunks(16).map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl From<KeyHashes> for String {
    fn from(hashes: KeyHashes) -> Self {
        hashes.iter().map(String::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hashes of numbers, well mixed (the finalizer of splitmix64).
    fn hash(number: u64) -> KeyHash {
        let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        KeyHash(bits ^ (bits >> 31))
    }

    #[test]
    fn counts_are_exact_and_then_close() {
        for count in [0_u64, 1, 1_023, 1_024, 5_000, 100_000, 1_000_000] {
            let sketch: KeySketch = (0..count).map(hash).collect();
            let off = sketch.count().abs_diff(count);
            let allowed = if count < 1_024 { 0 } else { count / 8 };
            assert!(off <= allowed, "{count}: {}", sketch.count());
        }
    }

    #[test]
    fn texts() {
        let two = r#""000000000000000a00000000000000ff""#;
        let hashes: KeyHashes = serde_json::from_str(two).unwrap();
        assert_eq!(hashes.iter().map(|KeyHash(bits)| bits).collect::<Vec<_>>(), [10, 255]);
        assert_eq!(serde_json::to_string(&hashes).unwrap(), two);
        assert_eq!(serde_json::to_string(&KeySketch::from(hashes)).unwrap(), two);
        for wrong in [
            "\"0a\"",
            "\"000000000000000g\"",
            "\"000000000000000a0\"",
            "\"+00000000000000a\"",
            "7",
            "\"ä00000000000000\"",
        ] {
            assert!(serde_json::from_str::<KeyHashes>(wrong).is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<KeySketch>("\"\"").unwrap().is_empty());
    }

    proptest! {
        /// However keys are spread over processes, and however often each comes, the sketch is the same.
        #[test]
        fn sketches_are_sets(keys in prop::collection::vec(0_u64..3_000, 0..4_000), parts in 1_usize..5) {
            let whole: KeySketch = keys.iter().copied().map(hash).collect();
            let mut sketches = vec![KeySketch::default(); parts];
            for (at, key) in keys.iter().enumerate() {
                sketches[at % parts].insert(hash(*key));
            }
            let mut merged = KeySketch::default();
            for sketch in sketches.iter().rev().chain(&sketches) {
                let text = serde_json::to_string(sketch).unwrap();
                merged.merge(&serde_json::from_str(&text).unwrap());
            }
            prop_assert_eq!(&merged, &whole);
            let distinct: BTreeSet<_> = keys.iter().collect();
            if distinct.len() < SKETCH_HASHES_MAX {
                prop_assert_eq!(merged.count(), distinct.len() as u64);
            }
        }
    }
}
