//! Compiled flags.
//!
//! What every evaluation reads is one run of bytes: a head, the key, the salt, then the rules in order. What
//! answers and people need is apart, among the [`Facts`].
//!
//! | part | bytes |
//! |---|---|
//! | head | state u8 · key length u8 · off u16 · default u16 · salt length u16 · number of rules u32 |
//! | rule | serve u8 · conditional u8 · variant u16 · end u32 · its condition · its split |
//! | split | percentage u32, in buckets · name length u16 · shares u16 · the attribute · each share: first bucket after it u32, variant u16 |

use std::collections::BTreeMap;
use std::sync::Arc;

use daybreak_model::{Key, Scalar, Value, ValueType};

use crate::bytes;
use crate::code::{Attribute, Code};
use crate::rare::Rare;

/// A compiled flag. A clone shares everything.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) facts: Arc<Facts>,
}

/// What is known of a flag beside its rules.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) variants: Box<[(Key, Value)]>,
    /// The rules' names, in their order.
    pub(crate) names: Box<[Key]>,
    /// The tests of its conditions that do not go into bytes.
    pub(crate) rares: Box<[Rare]>,
    pub(crate) prerequisites: Box<[(Key, Key)]>,
    pub(crate) metadata: BTreeMap<String, Scalar>,
    pub(crate) value_type: ValueType,
    pub(crate) client: bool,
    /// Why it cannot be evaluated.
    pub(crate) broken: Option<String>,
}

/// The length of a program's head, and of a rule's and a split's.
pub(crate) const HEAD: usize = 12;
pub(crate) const RULE: usize = 8;
pub(crate) const SPLIT: usize = 8;
pub(crate) const SHARE: usize = 6;

/// Bits of the state.
pub(crate) const ENABLED: u8 = 1;
pub(crate) const BROKEN: u8 = 1 << 1;
pub(crate) const HAS_PREREQUISITES: u8 = 1 << 2;
pub(crate) const HAS_OFF: u8 = 1 << 3;

/// How a rule serves.
pub(crate) const ONE: u8 = 0;
pub(crate) const PART: u8 = 1;
pub(crate) const ROLLOUT: u8 = 2;

/// A program's head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    state: u8,
    key: u8,
    off: u16,
    pub(crate) default: u16,
    salt: u16,
    /// How many rules it has.
    pub(crate) rules: u32,
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule<'c> {
    code: Code<'c>,
    at: usize,
    pub(crate) serve: u8,
    pub(crate) conditional: bool,
    pub(crate) variant: u16,
    /// Where the next rule begins.
    pub(crate) end: usize,
}

/// How a rule divides those whom it selects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split<'c> {
    pub(crate) by: Attribute<'c>,
    /// In buckets; all of them for a rollout of everybody.
    pub(crate) percentage: u32,
    shares: &'c [u8],
}

impl Program {
    #[inline]
    pub(crate) fn head(&self) -> Head {
        let word = bytes::u64(&self.bytes, 0).to_le_bytes();
        let [state, key, off, off_high, default, default_high, salt, salt_high] = word;
        Head {
            state,
            key,
            off: u16::from_le_bytes([off, off_high]),
            default: u16::from_le_bytes([default, default_high]),
            salt: u16::from_le_bytes([salt, salt_high]),
            rules: bytes::u32(&self.bytes, 8),
        }
    }

    /// Its key, as bytes.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        bytes::slice(&self.bytes, HEAD, usize::from(self.head().key))
    }

    #[inline]
    pub(crate) fn code(&self) -> Code<'_> {
        Code { bytes: &self.bytes, rares: &self.facts.rares }
    }

    /// What its buckets are drawn with.
    pub(crate) fn salt(&self) -> &[u8] {
        let head = self.head();
        bytes::slice(&self.bytes, HEAD + usize::from(head.key), usize::from(head.salt))
    }

    /// The rules, in order.
    pub(crate) fn rules(&self) -> impl Iterator<Item = Rule<'_>> {
        let head = self.head();
        let mut at = head.first_rule();
        (0..head.rules).map(move |_| {
            let rule = Rule::at(self.code(), at);
            at = rule.end;
            rule
        })
    }

    pub(crate) fn has_prerequisites(&self) -> bool {
        self.head().is(HAS_PREREQUISITES)
    }
}

impl Head {
    #[inline]
    pub(crate) const fn is(self, bit: u8) -> bool {
        self.state & bit != 0
    }

    /// The variant that is served when the flag is off; `None` where there is no such variant.
    #[inline]
    pub(crate) const fn off(self) -> Option<u16> {
        if self.is(HAS_OFF) { Some(self.off) } else { None }
    }

    #[inline]
    fn first_rule(self) -> usize {
        HEAD + usize::from(self.key) + usize::from(self.salt)
    }
}

impl<'c> Rule<'c> {
    #[inline]
    fn at(code: Code<'c>, at: usize) -> Self {
        let [serve, conditional, variant, high, end @ ..] = bytes::u64(code.bytes, at).to_le_bytes();
        let variant = u16::from_le_bytes([variant, high]);
        Self { code, at, serve, conditional: conditional != 0, variant, end: u32::from_le_bytes(end) as usize }
    }

    /// Where its condition, or else its split, begins.
    #[inline]
    pub(crate) const fn body(self) -> usize {
        self.at + RULE
    }

    /// The split that begins there.
    #[inline]
    pub(crate) fn split(self, at: usize) -> Split<'c> {
        let bytes = self.code.bytes;
        let (name, shares) = (bytes::u16(bytes, at + 4), bytes::u16(bytes, at + 6));
        let (by, end) = self.code.attribute(at + SPLIT, name);
        let shares = bytes::slice(bytes, end, usize::from(shares) * SHARE);
        Split { by, percentage: bytes::u32(bytes, at), shares }
    }

    /// The split of a rule that divides.
    pub(crate) fn divides(self) -> Option<Split<'c>> {
        let at = if self.conditional { self.code.node(self.body()).1 } else { self.body() };
        (self.serve != ONE).then(|| self.split(at))
    }
}

impl Split<'_> {
    /// Of a rollout: the first bucket after each variant's share, and the variant.
    #[inline]
    pub(crate) fn shares(&self) -> impl Iterator<Item = (u32, u16)> {
        self.shares.as_chunks::<SHARE>().0.iter().map(|share| (bytes::u32(share, 0), bytes::u16(share, 4)))
    }
}
