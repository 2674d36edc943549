//! Short texts as numbers, so that comparing them is comparing a number.

/// The longest text that is a word by itself, in bytes.
const SHORT_MAX: usize = 7;

/// Words that stand for more than they hold have this bit; a length never has it.
const LONG: u64 = 1 << 63;

/// A text of at most seven bytes as a number: its bytes, then its length in the highest. No two are alike.
#[must_use]
#[inline]
pub fn short_word(text: &[u8]) -> Option<u64> {
    let length = text.len();
    let bytes = match (text, text.first_chunk::<4>(), text.last_chunk::<4>()) {
        // Two halves that may overlap: where they do, they say the same.
        (_, Some(first), Some(last)) if length <= SHORT_MAX => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4))
        }
        ([], ..) => 0,
        ([one], ..) => u64::from(*one),
        ([one, two], ..) => u64::from(*one) | u64::from(*two) << 8,
        ([one, two, three], ..) => u64::from(*one) | u64::from(*two) << 8 | u64::from(*three) << 16,
        _ => return None,
    };
    Some(bytes | (length as u64) << 56)
}

/// A name as a word: itself, where it is short, or else a hash of it, which [`is_long_word`] tells from the others.
#[must_use]
#[inline]
pub fn name_word(name: &[u8]) -> u64 {
    short_word(name).unwrap_or_else(|| xxhash_rust::xxh3::xxh3_64(name) | LONG)
}

/// Whether a [`name_word`] may also be that of another name.
#[must_use]
#[inline]
pub const fn is_long_word(word: u64) -> bool {
    word & LONG != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_is_its_bytes_and_its_length() {
        let cases = [
            ("", Some(0)),
            ("a", Some(0x0100_0000_0000_0061)),
            ("ab", Some(0x0200_0000_0000_6261)),
            ("abc", Some(0x0300_0000_0063_6261)),
            ("abcd", Some(0x0400_0000_6463_6261)),
            ("abcde", Some(0x0500_0065_6463_6261)),
            ("abcdefg", Some(0x0767_6665_6463_6261)),
            ("abcdefgh", None),
        ];
        for (text, word) in cases {
            assert_eq!(short_word(text.as_bytes()), word, "{text}");
        }
    }

    proptest! {
        #[test]
        fn words_are_alike_where_names_are(one in "[ab\0]{0,9}", other in "[ab\0]{0,9}") {
            let (word, known) = (name_word(one.as_bytes()), name_word(other.as_bytes()));
            prop_assert_eq!(word == known, one == other);
            prop_assert_eq!(is_long_word(word), one.len() > SHORT_MAX);
        }
    }
}
