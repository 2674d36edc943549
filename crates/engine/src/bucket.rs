//! Buckets: how a key becomes a share.
//!
//! `bucket = (xxh3_64(PURPOSE ‖ 0 ‖ salt ‖ 0 ‖ key) × 100000) >> 64`, an integer below 100,000.

use daybreak_model::limits::BUCKETS;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::joined;

/// What a bucket is for: buckets of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A rule's `rollout`.
    Rollout,
    /// A rule's `percentage`.
    Rule,
    /// A run's draw.
    Fault,
}

impl Purpose {
    const fn text(self) -> &'static [u8] {
        match self {
            Self::Rollout => b"flag",
            Self::Rule => b"in",
            Self::Fault => b"fault",
        }
    }
}

/// Inputs up to this long are hashed in one go, on the stack.
const STACK: usize = 64;

/// The bucket of a key, below [`BUCKETS`].
#[must_use]
#[inline]
pub fn bucket(purpose: Purpose, salt: impl AsRef<[u8]>, key: &[u8]) -> u32 {
    scale(hash([purpose.text(), salt.as_ref(), key]))
}

/// What stands before the key where a bucket is drawn: the purpose and the salt, each with its zero byte.
pub(crate) fn head(purpose: Purpose, salt: &[u8]) -> Vec<u8> {
    [purpose.text(), &[0], salt, &[0]].concat()
}

/// The bucket of a key, below [`BUCKETS`], where what stands [before it](head) is at hand.
#[inline]
pub(crate) fn bucket_after(head: &[u8], key: &[u8]) -> u32 {
    scale(joined::hash(head, key))
}

/// The hash of the parts, with a zero byte between each two.
#[inline]
pub(crate) fn hash<const N: usize>(parts: [&[u8]; N]) -> u64 {
    let mut buffer = [0; STACK];
    let mut rest = &mut buffer[..];
    for part in parts {
        let Some((own, after)) = rest.split_at_mut_checked(part.len() + 1) else { return hash_long(&parts) };
        own[..part.len()].copy_from_slice(part);
        rest = after;
    }
    let length = STACK - 1 - rest.len();
    xxh3_64(&buffer[..length])
}

#[cold]
fn hash_long(parts: &[&[u8]]) -> u64 {
    let mut hasher = Xxh3Default::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(&[0]);
        }
        hasher.update(part);
    }
    hasher.digest()
}

#[expect(clippy::cast_possible_truncation, reason = "the product's upper half is below 100,000")]
fn scale(hash: u64) -> u32 {
    ((u128::from(hash) * u128::from(BUCKETS)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_head_at_hand_draws_the_same_bucket(salt in ".{0,40}", key in ".{0,60}") {
            for purpose in [Purpose::Rollout, Purpose::Rule, Purpose::Fault] {
                let known = bucket_after(&head(purpose, salt.as_bytes()), key.as_bytes());
                prop_assert_eq!(known, bucket(purpose, &salt, key.as_bytes()));
            }
        }
    }
}
