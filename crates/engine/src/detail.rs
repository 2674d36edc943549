//! Answers.

use std::collections::BTreeMap;

use daybreak_model::{ErrorCode, Key, Reason, Scalar, Value};

use crate::FlagIndex;

/// The answer to an evaluation, borrowed from the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Detail<'s> {
    /// The variant's value; `None` where the caller's default is to be served.
    pub value: Option<&'s Value>,
    /// The variant.
    pub variant: Option<&'s Key>,
    /// The variant's number within its flag, in name order.
    pub variant_index: Option<u16>,
    /// Why.
    pub reason: Reason,
    /// The rule that matched.
    pub rule: Option<&'s Key>,
    /// What went wrong, where the reason is [`Reason::Error`].
    pub error: Option<ErrorCode>,
    /// The prerequisite that failed.
    pub prerequisite: Option<&'s Key>,
    /// The flag.
    pub flag: Option<FlagIndex>,
    /// The revision that last changed the flag; 0 where there is none.
    pub revision: u64,
    /// The flag's own metadata.
    pub metadata: Option<&'s BTreeMap<String, Scalar>>,
}

impl Detail<'_> {
    /// The answer where there is no such flag.
    pub(crate) const NOT_FOUND: Detail<'static> = Detail {
        value: None,
        variant: None,
        variant_index: None,
        reason: Reason::Error,
        rule: None,
        error: Some(ErrorCode::FlagNotFound),
        prerequisite: None,
        flag: None,
        revision: 0,
        metadata: None,
    };

    /// What went wrong, in words; `None` where nothing did.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let error = self.error?;
        Some(match error {
            ErrorCode::FlagNotFound => "there is no such flag".to_owned(),
            ErrorCode::TargetingKeyMissing => match self.rule {
                Some(rule) => format!("the rule `{rule}` splits by a key that the context does not have"),
                None => "a split needs a key that the context does not have".to_owned(),
            },
            ErrorCode::ParseError => "the flag cannot be evaluated: see `check`".to_owned(),
            other => other.to_string(),
        })
    }
}
