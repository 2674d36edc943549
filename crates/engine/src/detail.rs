//! Answers.

use std::collections::BTreeMap;

use daybreak_model::{ErrorCode, Key, Reason, Scalar};

use crate::program::Program;
use crate::{FlagIndex, ValueRef};

/// The answer to an evaluation, borrowed from the snapshot: small, and looked up only where it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Detail<'s> {
    program: Option<&'s Program>,
    index: FlagIndex,
    reason: Reason,
    error: Option<ErrorCode>,
    variant: Option<u16>,
    rule: Option<u16>,
    prerequisite: Option<u16>,
}

impl<'s> Detail<'s> {
    /// The answer where there is no such flag.
    pub(crate) const NOT_FOUND: Detail<'static> = Detail {
        program: None,
        index: FlagIndex::at(u32::MAX),
        reason: Reason::Error,
        error: Some(ErrorCode::FlagNotFound),
        variant: None,
        rule: None,
        prerequisite: None,
    };

    /// The answer of a flag that serves a variant.
    #[inline]
    pub(crate) const fn answer(program: &'s Program, index: FlagIndex, variant: u16, reason: Reason) -> Self {
        let (program, variant) = (Some(program), Some(variant));
        Self { program, index, reason, error: None, variant, rule: None, prerequisite: None }
    }

    /// The answer of a flag that cannot be evaluated.
    pub(crate) const fn failed(program: &'s Program, index: FlagIndex, error: ErrorCode) -> Self {
        let (program, error) = (Some(program), Some(error));
        Self { program, index, reason: Reason::Error, error, variant: None, rule: None, prerequisite: None }
    }

    /// The same, decided by the rule of this number.
    pub(crate) const fn by_rule(self, rule: u16) -> Self {
        Self { rule: Some(rule), ..self }
    }

    /// The same, for want of the prerequisite of this number.
    pub(crate) const fn for_want_of(self, prerequisite: u16) -> Self {
        Self { prerequisite: Some(prerequisite), ..self }
    }

    /// The variant's value; `None` where the caller's default is to be served.
    #[must_use]
    #[inline]
    pub fn value(&self) -> Option<ValueRef<'s>> {
        self.program?.value(self.variant?)
    }

    /// The variant.
    #[must_use]
    pub fn variant(&self) -> Option<&'s Key> {
        self.program?.facts.variants.get(usize::from(self.variant?)).map(|(name, _)| name)
    }

    /// The variant's number within its flag, in name order.
    #[must_use]
    #[inline]
    pub const fn variant_index(&self) -> Option<u16> {
        self.variant
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The rule that decided: that matched, or that splits by a key which is missing.
    #[must_use]
    pub fn rule(&self) -> Option<&'s Key> {
        self.program?.facts.names.get(usize::from(self.rule?))
    }

    /// What went wrong, where the reason is [`Reason::Error`].
    #[must_use]
    #[inline]
    pub const fn error(&self) -> Option<ErrorCode> {
        self.error
    }

    /// The prerequisite that failed.
    #[must_use]
    pub fn prerequisite(&self) -> Option<&'s Key> {
        self.program?.facts.prerequisites.get(usize::from(self.prerequisite?)).map(|(key, _)| key)
    }

    /// The flag; `None` where there is no such flag.
    #[must_use]
    #[inline]
    pub const fn flag(&self) -> Option<FlagIndex> {
        if self.program.is_some() { Some(self.index) } else { None }
    }

    /// The revision that last changed the flag; 0 where there is none.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.program.map_or(0, |program| program.facts.revision)
    }

    /// The flag's own metadata.
    #[must_use]
    pub fn metadata(&self) -> Option<&'s BTreeMap<String, Scalar>> {
        self.program.map(|program| &program.facts.metadata)
    }

    /// What went wrong, in words; `None` where nothing did.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        Some(match self.error? {
            ErrorCode::FlagNotFound => "there is no such flag".to_owned(),
            ErrorCode::TargetingKeyMissing => match self.rule() {
                Some(rule) => format!("the rule `{rule}` splits by a key that the context does not have"),
                None => "a split needs a key that the context does not have".to_owned(),
            },
            ErrorCode::ParseError => "the flag cannot be evaluated: see `check`".to_owned(),
            other => other.to_string(),
        })
    }
}
