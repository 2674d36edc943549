//! Sets of texts: open addressing over hashes, beside the texts in the same [`Code`].

use xxhash_rust::xxh3::xxh3_64;

use crate::code::{Code, List, Span};

/// A text and its hash; or, in a set, an empty place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    hash: u64,
    text: Span,
}

/// No text is that long.
const EMPTY: Entry = Entry { hash: 0, text: Span { at: 0, len: u32::MAX } };

impl Entry {
    /// An entry of a list, which is not looked up by hash.
    pub(crate) const fn listed(text: Span) -> Self {
        Self { hash: 0, text }
    }

    pub(crate) const fn text(&self) -> Option<Span> {
        if self.text.len == u32::MAX { None } else { Some(self.text) }
    }
}

/// The places of a set: a power of two, at least twice as many as its texts, so that a look-up ends soon.
pub(crate) fn places(texts: &[(&str, Span)]) -> Vec<Entry> {
    let mut places = vec![EMPTY; (texts.len() * 2).next_power_of_two()];
    for (text, span) in texts {
        let hash = xxh3_64(text.as_bytes());
        let mut at = first(hash, places.len());
        while places[at].text != EMPTY.text {
            at = (at + 1) & (places.len() - 1);
        }
        places[at] = Entry { hash, text: *span };
    }
    places
}

/// Whether a set has a text.
#[inline]
pub(crate) fn has(code: &Code, set: List, text: &str) -> bool {
    let places = code.entries(set);
    let hash = xxh3_64(text.as_bytes());
    let mut at = first(hash, places.len());
    // Half of the places are empty, so this ends; the bound says so to whoever doubts it.
    for _ in 0..places.len() {
        let Some(place) = places.get(at) else { return false };
        if place.text.len == u32::MAX {
            return false;
        }
        if place.hash == hash && code.text(place.text) == text {
            return true;
        }
        at = (at + 1) & (places.len() - 1);
    }
    false
}

/// The first place to look at, by the hash's upper bits.
#[expect(clippy::cast_possible_truncation, reason = "the product's upper half is below the number of places")]
const fn first(hash: u64, places: usize) -> usize {
    ((hash as u128 * places as u128) >> 64) as usize
}
