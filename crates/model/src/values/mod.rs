//! The values of an `in`: a few, or a million ids.
//!
//! They stand one after the other in one run of bytes, in the order in which they were written; where they are many,
//! a table of places beside it finds one. So a value takes its own bytes, one or two for its length, and 5 to 12 for its place.
//! Copies share all of it: documents, and what is compiled from them, hold a list once.
//!
//! A value is `length and kind`, a number whose seven bits a byte come lowest first, and its bytes.

mod read;

use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use serde::{Serialize, Serializer};

use crate::{Scalar, same_bytes};

/// Plain values in the order in which they were written. Immutable; a clone shares them.
#[derive(Clone, Default)]
pub struct Values(Arc<List>);

/// One of [`Values`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ScalarRef<'v> {
    /// `true` or `false`.
    Boolean(bool),
    /// Always finite.
    Number(f64),
    /// Any text.
    Text(&'v str),
}

#[derive(Default)]
struct List {
    bytes: Box<[u8]>,
    count: usize,
    /// The places of texts and numbers, each once; none where the values are so few that they are gone through.
    places: Option<HashTable<u32>>,
    kinds: u8,
}

/// Values that are being put together.
#[derive(Debug, Default)]
pub struct ValuesBuilder {
    bytes: Vec<u8>,
    count: usize,
    kinds: u8,
}

/// There are more values than one list may have: 4 GiB of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the values of a list have more than 4 GiB")]
pub struct TooManyValues;

/// So few values are found faster without a table.
const FEW: usize = 8;

const TEXT: u8 = 0;
const NUMBER: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;

impl ValuesBuilder {
    /// Adds a value.
    ///
    /// # Errors
    /// When the list is full.
    pub fn push(&mut self, value: ScalarRef<'_>) -> Result<(), TooManyValues> {
        match value {
            ScalarRef::Text(text) => self.add(TEXT, text.as_bytes()),
            ScalarRef::Number(number) => self.add(NUMBER, &bits(number)),
            ScalarRef::Boolean(boolean) => self.add(if boolean { TRUE } else { FALSE }, &[]),
        }
    }

    fn add(&mut self, kind: u8, bytes: &[u8]) -> Result<(), TooManyValues> {
        // Places have 32 bits; the longest head of a value has six bytes.
        if self.bytes.len() + bytes.len() + 6 > u32::MAX as usize {
            return Err(TooManyValues);
        }
        let mut head = bytes.len() << 2 | usize::from(kind);
        while head > 0x7f {
            self.bytes.push(low(head) | 0x80);
            head >>= 7;
        }
        self.bytes.push(low(head));
        self.bytes.extend_from_slice(bytes);
        self.count += 1;
        self.kinds |= 1 << kind;
        Ok(())
    }

    /// The values that were added.
    #[must_use]
    pub fn finish(self) -> Values {
        let Self { bytes, count, kinds } = self;
        let bytes = bytes.into_boxed_slice();
        let places = (count > FEW).then(|| places(&bytes, count));
        Values(Arc::new(List { bytes, count, places, kinds }))
    }
}

/// Where each text and each number is.
fn places(bytes: &[u8], count: usize) -> HashTable<u32> {
    let mut places = HashTable::with_capacity(count);
    let mut at = 0;
    while let Some((kind, own, next)) = entry(bytes, at) {
        if kind <= NUMBER {
            let is = |known: &u32| is_at(bytes, *known, kind, own);
            let hash_at = |known: &u32| entry(bytes, *known as usize).map_or(0, |(_, own, _)| hash(own));
            // A list has at most 4 GiB.
            places.entry(hash(own), is, hash_at).or_insert(u32::try_from(at).unwrap_or(u32::MAX));
        }
        at = next;
    }
    places
}

impl Values {
    /// How many there are, repeated ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = ScalarRef<'_>> {
        self.placed().map(|(_, value)| value)
    }

    /// All of them, each with its place.
    pub fn placed(&self) -> impl Iterator<Item = (u32, ScalarRef<'_>)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (kind, own, next) = entry(&self.0.bytes, at)?;
            let place = u32::try_from(std::mem::replace(&mut at, next)).unwrap_or(u32::MAX);
            Some((place, value(kind, own)))
        })
    }

    /// The value at a place that [`placed`](Self::placed) told.
    #[must_use]
    pub fn at(&self, place: u32) -> Option<ScalarRef<'_>> {
        entry(&self.0.bytes, place as usize).map(|(kind, own, _)| value(kind, own))
    }

    /// Whether any of them is a text.
    #[must_use]
    #[inline]
    pub fn has_texts(&self) -> bool {
        self.0.kinds & 1 << TEXT != 0
    }

    /// Whether any of them is a number.
    #[must_use]
    pub fn has_numbers(&self) -> bool {
        self.0.kinds & 1 << NUMBER != 0
    }

    /// Whether any of them is a boolean.
    #[must_use]
    pub fn has_booleans(&self) -> bool {
        self.0.kinds & (1 << FALSE | 1 << TRUE) != 0
    }

    /// Whether this text is one of them.
    #[must_use]
    #[inline]
    pub fn has_text(&self, text: &str) -> bool {
        self.has(TEXT, text.as_bytes())
    }

    /// Whether this number is one of them; 0 and -0 are the same.
    #[must_use]
    pub fn has_number(&self, number: f64) -> bool {
        self.has(NUMBER, &bits(number))
    }

    /// Whether this boolean is one of them.
    #[must_use]
    pub fn has_boolean(&self, boolean: bool) -> bool {
        self.0.kinds & 1 << if boolean { TRUE } else { FALSE } != 0
    }

    #[inline]
    fn has(&self, kind: u8, own: &[u8]) -> bool {
        let bytes = &self.0.bytes;
        match &self.0.places {
            Some(places) => places.find(hash(own), |known| is_at(bytes, *known, kind, own)).is_some(),
            None => {
                let mut at = 0;
                while let Some((its, known, next)) = entry(bytes, at) {
                    if its == kind && same_bytes(known, own) {
                        return true;
                    }
                    at = next;
                }
                false
            }
        }
    }

    /// A number that is the same for the same values in the same order: it tells lists apart where they are not shown.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.0.bytes)
    }

    /// The bytes of memory that they take, however many share them.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<List>() + self.0.bytes.len() + self.0.places.as_ref().map_or(0, |places| places.allocation_size())
    }
}

/// The kind and the bytes of the value that begins there, and where the next one does.
#[inline]
fn entry(bytes: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let first = *bytes.get(at)?;
    let (mut head, mut start) = (usize::from(first & 0x7f), at + 1);
    if first > 0x7f {
        let mut shift = 7;
        loop {
            let next = *bytes.get(start)?;
            head |= usize::from(next & 0x7f) << shift;
            (start, shift) = (start + 1, shift + 7);
            if next <= 0x7f {
                break;
            }
        }
    }
    let end = start + (head >> 2);
    Some((low(head) & 3, bytes.get(start..end)?, end))
}

/// Whether the value that begins there is this one.
#[inline]
fn is_at(bytes: &[u8], at: u32, kind: u8, own: &[u8]) -> bool {
    entry(bytes, at as usize).is_some_and(|(its, known, _)| its == kind && same_bytes(known, own))
}

fn value(kind: u8, own: &[u8]) -> ScalarRef<'_> {
    match kind {
        // They were written from a text, and are one.
        TEXT => ScalarRef::Text(std::str::from_utf8(own).unwrap_or_default()),
        NUMBER => ScalarRef::Number(own.first_chunk().map_or(0.0, |bits| f64::from_le_bytes(*bits))),
        kind => ScalarRef::Boolean(kind == TRUE),
    }
}

/// A number's bytes: adding zero makes -0 and 0 one number.
fn bits(number: f64) -> [u8; 8] {
    (number + 0.0).to_le_bytes()
}

#[inline]
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lowest byte is what is asked for")]
const fn low(number: usize) -> u8 {
    number as u8
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.bytes == other.0.bytes
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'s> From<&'s Scalar> for ScalarRef<'s> {
    fn from(scalar: &'s Scalar) -> Self {
        match scalar {
            Scalar::Boolean(boolean) => Self::Boolean(*boolean),
            Scalar::Number(number) => Self::Number(*number),
            Scalar::Text(text) => Self::Text(text),
        }
    }
}

impl From<ScalarRef<'_>> for Scalar {
    fn from(value: ScalarRef<'_>) -> Self {
        match value {
            ScalarRef::Boolean(boolean) => Self::Boolean(boolean),
            ScalarRef::Number(number) => Self::Number(number),
            ScalarRef::Text(text) => Self::Text(text.into()),
        }
    }
}

/// What is beyond 4 GiB is left out; whoever reads such lists pushes, and is told.
impl FromIterator<Scalar> for Values {
    fn from_iter<I: IntoIterator<Item = Scalar>>(scalars: I) -> Self {
        let mut builder = ValuesBuilder::default();
        let _ = scalars.into_iter().try_for_each(|scalar| builder.push((&scalar).into()));
        builder.finish()
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests;
