//! Answers with their reasons.

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_model::{ErrorCode, Reason, Scalar};

/// The answer to an evaluation, with why it is so: OpenFeature's evaluation details.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail<T> {
    /// The value; the caller's default where the reason is [`Reason::Error`].
    pub value: T,
    /// The variant, unless the default was served.
    pub variant: Option<String>,
    /// Why.
    pub reason: Reason,
    /// How long ago the server was last heard, where the reason is [`Reason::Stale`]; since the client began, where it
    /// never was.
    pub age: Option<Duration>,
    /// What went wrong, where the reason is [`Reason::Error`].
    pub error_code: Option<ErrorCode>,
    /// The same in words.
    pub message: Option<String>,
    /// The rule that matched.
    pub rule: Option<String>,
    /// The prerequisite that failed.
    pub prerequisite: Option<String>,
    /// The revision that last changed the flag.
    pub revision: Option<u64>,
    /// The flag's own metadata.
    pub metadata: BTreeMap<String, Scalar>,
}

impl<T> Detail<Option<T>> {
    /// The same with the caller's default, where there is no value.
    pub(crate) fn unwrap_or(self, default: T) -> Detail<T> {
        Detail {
            value: self.value.unwrap_or(default),
            variant: self.variant,
            reason: self.reason,
            age: self.age,
            error_code: self.error_code,
            message: self.message,
            rule: self.rule,
            prerequisite: self.prerequisite,
            revision: self.revision,
            metadata: self.metadata,
        }
    }
}
