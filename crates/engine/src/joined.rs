//! XXH3 of two texts as if they stood together, without putting them together.
//!
//! What buckets are drawn by is short: a few words are gathered from where they stand. Copying both parts into one
//! buffer takes longer than hashing it, since words are read there that were just written by halves. The longer and the
//! shortest are left to the library, which is also what the tests compare with.

use daybreak_model::short_word;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::bytes;

/// XXH3's algorithm for inputs of this many bytes is here.
const LENGTHS: std::ops::RangeInclusive<usize> = 9..=128;

/// The words of XXH3's default secret that it needs.
const SECRET: [u64; 16] = [
    0xbe4b_a423_396c_feb8,
    0x1cad_21f7_2c81_017c,
    0xdb97_9083_e96d_d4de,
    0x1f67_b3b7_a4a4_4072,
    0x78e5_c0cc_4ee6_79cb,
    0x2172_ffcc_7dd0_5a82,
    0x8e24_43f7_7446_08b8,
    0x4c26_3a81_e690_35e0,
    0xcb00_c391_bb52_283c,
    0xa32e_531b_8b65_d088,
    0x4ef9_0da2_9748_6471,
    0xd8ac_dea9_46ef_1938,
    0x3f34_9ce3_3f76_faa8,
    0x1d4f_0bc7_c7bb_dcf9,
    0x3159_b4cd_4be0_518a,
    0x6473_78d9_c97e_9fc8,
];
const PRIME: u64 = 0x9e37_79b1_85eb_ca87;

/// `xxh3_64(head ‖ tail)`.
#[inline]
pub(crate) fn hash(head: &[u8], tail: &[u8]) -> u64 {
    let length = head.len() + tail.len();
    if head.len() < 8 || !LENGTHS.contains(&length) {
        return hash_otherwise(head, tail);
    }
    let word = |at| word(head, tail, at);
    if length <= 16 {
        let (low, high) = (word(0) ^ SECRET[3] ^ SECRET[4], word(length - 8) ^ SECRET[5] ^ SECRET[6]);
        let sum = (length as u64).wrapping_add(low.swap_bytes()).wrapping_add(high).wrapping_add(mix(low, high));
        return avalanche(sum);
    }
    let mut sum = (length as u64).wrapping_mul(PRIME);
    for (block, secret) in SECRET.as_chunks::<4>().0.iter().enumerate() {
        let at = 16 * block;
        if length <= 2 * at {
            break;
        }
        sum = sum.wrapping_add(mix(word(at) ^ secret[0], word(at + 8) ^ secret[1]));
        let at = length - 16 - at;
        sum = sum.wrapping_add(mix(word(at) ^ secret[2], word(at + 8) ^ secret[3]));
    }
    avalanche(sum)
}

#[inline]
const fn avalanche(sum: u64) -> u64 {
    let sum = (sum ^ sum >> 37).wrapping_mul(0x1656_6791_9e37_79f9);
    sum ^ sum >> 32
}

/// Eight bytes of both as if they stood together; all eight are there. The head has at least eight of its own.
#[inline]
fn word(head: &[u8], tail: &[u8], at: usize) -> u64 {
    let Some(own) = head.len().checked_sub(at).filter(|own| *own > 0) else {
        return bytes::u64(tail, at - head.len());
    };
    if own >= 8 {
        return bytes::u64(head, at);
    }
    let end = bytes::u64(head, head.len() - 8) >> (64 - 8 * own);
    // A short tail's word has its length in the highest byte, which is shifted out.
    let begin = if tail.len() >= 8 { bytes::u64(tail, 0) } else { short_word(tail).unwrap_or_default() };
    end | begin << (8 * own)
}

/// Both halves of a product.
#[inline]
fn mix(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is asked for")]
    let low = product as u64;
    low ^ (product >> 64) as u64
}

#[cold]
fn hash_otherwise(head: &[u8], tail: &[u8]) -> u64 {
    let mut buffer = [0; 64];
    let length = head.len() + tail.len();
    if let Some((own, rest)) = buffer.split_at_mut_checked(head.len())
        && let Some(rest) = rest.get_mut(..tail.len())
    {
        own.copy_from_slice(head);
        rest.copy_from_slice(tail);
        return xxh3_64(&buffer[..length]);
    }
    let mut hasher = Xxh3Default::new();
    hasher.update(head);
    hasher.update(tail);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_hashed_as_the_library_does() {
        let text: Vec<u8> = (0..300_u32).map(|at| ((at * 7_919) >> 3) as u8).collect();
        for length in 0..text.len() {
            let expected = xxh3_64(&text[..length]);
            for split in 0..=length {
                let (head, tail) = text[..length].split_at(split);
                assert_eq!(hash(head, tail), expected, "{split} of {length}");
            }
        }
    }
}
