//! Compiled flags.

use std::collections::BTreeMap;

use daybreak_model::{Key, Scalar, Value, ValueType};

use crate::code::{Attribute, Code};

/// A compiled flag. What every evaluation reads comes first; what answers and people need is apart.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) code: Code,
    pub(crate) rules: Box<[Rule]>,
    /// `None` where there is no such variant, which breaks the flag.
    pub(crate) off: Option<u16>,
    pub(crate) default: u16,
    pub(crate) enabled: bool,
    /// Why it cannot be evaluated is among its facts.
    pub(crate) broken: bool,
    pub(crate) has_prerequisites: bool,
    pub(crate) facts: Box<Facts>,
}

/// One rule: where its condition begins, whom it takes of those, and what it serves.
#[derive(Debug)]
pub(crate) struct Rule {
    /// In the program's code; `None` where it selects everybody.
    pub(crate) when: Option<u32>,
    pub(crate) serve: Serve,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Serve {
    /// One variant, to all.
    One(u16),
    /// One variant, to the share of the split at this index.
    Share(u16, u16),
    /// Several variants, by the split at this index.
    Rollout(u16),
}

/// How a rule divides those whom it selects.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) by: Attribute,
    /// In buckets; all of them for a rollout of everybody.
    pub(crate) percentage: u32,
    /// Of a rollout: the first bucket after each variant's share.
    pub(crate) shares: Box<[(u32, u16)]>,
}

/// What is known of a flag beside its rules.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) variants: Box<[(Key, Value)]>,
    /// The rules' names, in their order.
    pub(crate) names: Box<[Key]>,
    pub(crate) splits: Box<[Split]>,
    pub(crate) salt: Box<str>,
    pub(crate) prerequisites: Box<[(Key, Key)]>,
    pub(crate) metadata: BTreeMap<String, Scalar>,
    pub(crate) value_type: ValueType,
    pub(crate) client: bool,
    /// Why it cannot be evaluated.
    pub(crate) broken: Option<String>,
}
