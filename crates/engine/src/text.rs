//! Comparing texts, with their case folded where that is asked: while comparing, without a copy.
//!
//! Most texts are ASCII, whose case is a bit of each byte. Others are folded letter by letter: one may become several, and
//! some that are not ASCII become one that is, as the sign of the kelvin does.

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// Whether two texts are the same.
pub(crate) fn equals(text: &str, other: &str, ignore_case: bool) -> bool {
    match ignore_case {
        false => text == other,
        true if are_ascii(text, other) => text.eq_ignore_ascii_case(other),
        true => folded(text).eq(folded(other)),
    }
}

/// Whether a text begins with another.
pub(crate) fn starts_with(text: &str, start: &str, ignore_case: bool) -> bool {
    match ignore_case {
        false => text.starts_with(start),
        true if are_ascii(text, start) => is_ascii_at(text, 0, start),
        true => {
            let mut chars = folded(text);
            folded(start).all(|expected| chars.next() == Some(expected))
        }
    }
}

/// Whether a text ends with another.
pub(crate) fn ends_with(text: &str, end: &str, ignore_case: bool) -> bool {
    match ignore_case {
        false => text.ends_with(end),
        true if are_ascii(text, end) => text.len().checked_sub(end.len()).is_some_and(|at| is_ascii_at(text, at, end)),
        true => {
            let mut chars = folded(text).rev();
            folded(end).rev().all(|expected| chars.next() == Some(expected))
        }
    }
}

/// Whether a text has another in it.
pub(crate) fn contains(text: &str, part: &str, ignore_case: bool) -> bool {
    match ignore_case {
        false => text.contains(part),
        true if are_ascii(text, part) => {
            (0..=text.len().saturating_sub(part.len())).any(|at| is_ascii_at(text, at, part))
        }
        true => part.is_empty() || text.char_indices().any(|(at, _)| starts_with(&text[at..], part, true)),
    }
}

/// The same for texts that are the same with their case folded.
pub(crate) fn folded_hash(text: &str) -> u64 {
    let mut words = Words::default();
    if text.is_ascii() {
        let (whole, rest) = text.as_bytes().as_chunks();
        whole.iter().for_each(|word| words.hasher.write_u64(ascii_lower(u64::from_le_bytes(*word))));
        rest.iter().for_each(|byte| words.push(byte.to_ascii_lowercase()));
    } else {
        let mut bytes = [0; 4];
        folded(text).for_each(|letter| letter.encode_utf8(&mut bytes).bytes().for_each(|byte| words.push(byte)));
    }
    words.finish()
}

/// Hashes bytes in words of eight, as they come.
#[derive(Default)]
struct Words {
    hasher: FxHasher,
    word: u64,
    /// How many bytes the word has.
    length: u32,
}

impl Words {
    #[inline]
    fn push(&mut self, byte: u8) {
        self.word |= u64::from(byte) << (8 * self.length);
        self.length += 1;
        if self.length == 8 {
            self.hasher.write_u64(std::mem::take(&mut self.word));
            self.length = 0;
        }
    }

    /// No text has a byte 255, so what is left of one is no other's.
    fn finish(mut self) -> u64 {
        self.push(u8::MAX);
        self.hasher.write_u64(self.word);
        self.hasher.finish()
    }
}

/// Eight ASCII letters at once: those from A to Z get the bit that makes them small.
#[inline]
const fn ascii_lower(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let from_a = word + (0x80 - b'A' as u64) * EACH;
    let beyond_z = word + (0x80 - b'Z' as u64 - 1) * EACH;
    word | ((from_a & !beyond_z & (0x80 * EACH)) >> 2)
}

fn are_ascii(text: &str, other: &str) -> bool {
    text.is_ascii() && other.is_ascii()
}

/// Whether an ASCII text has another at a place, whatever the case.
fn is_ascii_at(text: &str, at: usize, other: &str) -> bool {
    text.get(at..at + other.len()).is_some_and(|own| own.eq_ignore_ascii_case(other))
}

/// The letters of a text, with their case folded.
fn folded(text: &str) -> impl DoubleEndedIterator<Item = char> + Clone + '_ {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As the definition says: letter by letter. K is also the kelvin's sign, and İ becomes two letters.
        #[test]
        fn folds_as_letter_by_letter(text in "[a-cX-Z@\\[`{kK\u{212a}İß]{0,20}", part in "[a-cX-ZkK\u{212a}İ]{0,3}") {
            let [small, wanted] = [&text, &part].map(|text| folded(text).collect::<String>());
            prop_assert_eq!(equals(&text, &small, true), folded(&text).eq(folded(&small)));
            prop_assert_eq!(equals(&text, &part, true), small == wanted);
            prop_assert_eq!(starts_with(&text, &part, true), small.starts_with(&wanted));
            prop_assert_eq!(ends_with(&text, &part, true), small.ends_with(&wanted));
            if text.is_ascii() {
                prop_assert_eq!(contains(&text, &part, true), small.contains(&wanted));
            }
        }

        #[test]
        fn texts_that_fold_to_the_same_have_the_same_hash(text in "[a-dA-DkK]{0,40}", kelvin in any::<prop::sample::Index>()) {
            let hash = folded_hash(&text);
            prop_assert_eq!(folded_hash(&text.to_ascii_uppercase()), hash);
            prop_assert_eq!(folded_hash(&text.to_uppercase().replace('K', "\u{212a}")), hash);
            let at = kelvin.index(text.len() + 1);
            let other = format!("{}\u{212a}{}", &text[..at], &text[at..]);
            prop_assert_eq!(folded_hash(&other), folded_hash(&other.replace('\u{212a}', "K")));
            prop_assert_ne!(folded_hash(&other), hash);
        }
    }

    #[test]
    fn every_ascii_letter_is_made_small_and_nothing_else() {
        for byte in 0..128_u8 {
            let word = ascii_lower(u64::from_le_bytes([byte; 8]));
            assert_eq!(word.to_le_bytes(), [byte.to_ascii_lowercase(); 8], "{byte}");
        }
    }
}
