//! Compiled flags.
//!
//! What every evaluation reads is one run of bytes: a head, the key, what buckets are drawn with, the variants' values,
//! then the rules in order. Texts that are served stand beside it. The rest is apart, among the [`Facts`].
//!
//! | part | bytes |
//! |---|---|
//! | head | state u8 · key length u8 · length of the next part u16 · where the rules begin u32 · off u16 · default u16 |
//! | before keys | where a rule divides: `flag` · 0 · the salt · 0, then `in` · 0 · the salt · 0 |
//! | value | type u8 · a boolean, a number, or the number of a text, in 8 bytes; objects are among the facts |
//! | rule | serve u8 · conditional u8 · variant u16 · length u32 of what is its own: its condition · its split |
//! | split | percentage u32, in buckets · name length u16 · shares u16 · the attribute · each share: first bucket after it u32, variant u16 |

use std::collections::BTreeMap;
use std::sync::Arc;

use daybreak_model::{Key, Scalar, Value, ValueType};
use smol_str::SmolStr;

use crate::ValueRef;
use crate::bytes;
use crate::code::{Attribute, Code, high, low, second};
use crate::rare::Rares;

/// A compiled flag. A clone shares everything.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) bytes: Arc<[u8]>,
    /// The texts of its variants, ready to be given away; `None` where it serves none.
    pub(crate) texts: Option<Arc<[SmolStr]>>,
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
    pub(crate) rares: Rares,
    pub(crate) prerequisites: Box<[(Key, Key)]>,
    pub(crate) metadata: BTreeMap<String, Scalar>,
    pub(crate) value_type: ValueType,
    pub(crate) client: bool,
    /// Why it cannot be evaluated.
    pub(crate) broken: Option<String>,
}

/// The length of a program's head, of a value, of a rule's head, of a split's, and of a share.
pub(crate) const HEAD: usize = 12;
pub(crate) const VALUE: usize = 9;
pub(crate) const RULE: usize = 8;
pub(crate) const SHARE: usize = 6;

/// Bits of the state.
pub(crate) const ENABLED: u8 = 1;
pub(crate) const BROKEN: u8 = 1 << 1;
pub(crate) const HAS_PREREQUISITES: u8 = 1 << 2;
pub(crate) const HAS_OFF: u8 = 1 << 3;
/// It is on, is whole, and neither rules nor prerequisites stand before its default.
pub(crate) const FIXED: u8 = 1 << 4;

/// Types of values.
pub(crate) const BOOLEAN: u8 = 0;
pub(crate) const INTEGER: u8 = 1;
pub(crate) const FLOAT: u8 = 2;
pub(crate) const TEXT: u8 = 3;
pub(crate) const OTHER: u8 = 4;

/// How a rule serves.
pub(crate) const ONE: u8 = 0;
pub(crate) const PART: u8 = 1;
pub(crate) const ROLLOUT: u8 = 2;

/// A program's head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head(u64);

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule<'c> {
    /// Its condition, then its split.
    pub(crate) code: Code<'c>,
    head: u64,
}

/// How a rule divides those whom it selects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split<'c> {
    pub(crate) by: Attribute<'c>,
    /// In buckets; all of them for a rollout of everybody.
    pub(crate) percentage: u32,
    shares: &'c [[u8; SHARE]],
}

impl Program {
    #[inline]
    pub(crate) fn head(&self) -> Head {
        Head(bytes::u64(&self.bytes, 0))
    }

    /// Its key, as bytes.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        bytes::slice(&self.bytes, HEAD, self.head().key_end())
    }

    /// What stands before the key where a rollout draws.
    #[inline]
    pub(crate) fn rollout_head(&self) -> &[u8] {
        let head = self.head();
        bytes::slice(&self.bytes, head.key_end(), head.rule_head())
    }

    /// What stands before the key where a rule's percentage draws.
    #[inline]
    pub(crate) fn rule_head(&self) -> &[u8] {
        let head = self.head();
        bytes::slice(&self.bytes, head.rule_head(), head.values())
    }

    /// The variant that is served when the flag is off; `None` where there is no such variant.
    #[inline]
    pub(crate) fn off(&self) -> Option<u16> {
        self.head().is(HAS_OFF).then(|| low_half(bytes::u32(&self.bytes, HEAD - 4)))
    }

    /// The variant that is served when no rule matches.
    #[inline]
    pub(crate) fn default(&self) -> u16 {
        high_half(bytes::u32(&self.bytes, HEAD - 4))
    }

    /// The value of a variant.
    #[inline]
    pub(crate) fn value(&self, variant: u16) -> Option<ValueRef<'_>> {
        let at = self.head().values() + usize::from(variant) * VALUE;
        let (kind, word) = (*self.bytes.get(at)?, bytes::u64(&self.bytes, at + 1));
        Some(match kind {
            BOOLEAN => ValueRef::Boolean(word != 0),
            INTEGER => ValueRef::Integer(word.cast_signed()),
            FLOAT => ValueRef::Float(f64::from_bits(word)),
            TEXT => ValueRef::String(self.texts.as_deref()?.get(low_word(word) as usize)?),
            _ => ValueRef::from(&self.facts.variants.get(usize::from(variant))?.1),
        })
    }

    /// Whether it has any rules.
    #[inline]
    pub(crate) fn has_rules(&self) -> bool {
        self.head().rules() < self.bytes.len()
    }

    /// The rules, in order.
    #[inline]
    pub(crate) fn rules(&self) -> impl Iterator<Item = Rule<'_>> {
        let mut rest = self.bytes.get(self.head().rules()..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk()?;
            let head = u64::from_le_bytes(*head);
            let (own, after) = bytes::split(after, high(head) as usize);
            rest = after;
            Some(Rule { code: Code { bytes: own, rares: &self.facts.rares }, head })
        })
    }

    pub(crate) fn has_prerequisites(&self) -> bool {
        self.head().is(HAS_PREREQUISITES)
    }
}

impl Head {
    #[inline]
    pub(crate) const fn is(self, bit: u8) -> bool {
        low(self.0) & bit != 0
    }

    /// Whether nothing but its rules stands before its default: it is on, is whole, and has no prerequisites.
    #[inline]
    pub(crate) const fn is_plain(self) -> bool {
        low(self.0) & !FIXED == ENABLED | HAS_OFF
    }

    #[inline]
    const fn key_end(self) -> usize {
        HEAD + (self.0 >> 8 & 0xff) as usize
    }

    /// Where what a rule's percentage draws with begins: what a rollout draws with stands before it, and is two bytes longer.
    #[inline]
    const fn rule_head(self) -> usize {
        self.key_end() + (second(self.0) / 2) as usize + (second(self.0) != 0) as usize
    }

    #[inline]
    const fn values(self) -> usize {
        self.key_end() + second(self.0) as usize
    }

    #[inline]
    const fn rules(self) -> usize {
        high(self.0) as usize
    }
}

impl<'c> Rule<'c> {
    #[inline]
    pub(crate) const fn serve(self) -> u8 {
        low(self.head)
    }

    #[inline]
    pub(crate) const fn conditional(self) -> bool {
        self.head & 0xff00 != 0
    }

    #[inline]
    pub(crate) const fn variant(self) -> u16 {
        second(self.head)
    }

    /// The split of a rule that divides.
    pub(crate) fn divides(self) -> Option<Split<'c>> {
        let after = if self.conditional() { self.code.node().1 } else { self.code };
        (self.serve() != ONE).then(|| Split::read(after))
    }
}

impl<'c> Split<'c> {
    /// The split that comes after a rule's condition.
    #[inline]
    pub(crate) fn read(code: Code<'c>) -> Self {
        let (head, rest) = bytes::split_word(code.bytes);
        let (by, shares) = Attribute::read(rest, low_half(high(head)));
        Self { by, percentage: low_word(head), shares: shares.as_chunks().0 }
    }

    /// Of a rollout: the first bucket after each variant's share, and the variant.
    #[inline]
    pub(crate) fn shares(&self) -> impl ExactSizeIterator<Item = (u32, u16)> {
        self.shares
            .iter()
            .map(|[a, b, c, d, e, f]| (u32::from_le_bytes([*a, *b, *c, *d]), u16::from_le_bytes([*e, *f])))
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "that is what is asked for")]
const fn low_word(head: u64) -> u32 {
    head as u32
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "that is what is asked for")]
const fn low_half(word: u32) -> u16 {
    word as u16
}

#[inline]
const fn high_half(word: u32) -> u16 {
    low_half(word >> 16)
}
