//! Why something was not done.

use daybreak_document::Diagnostic;
use daybreak_guard::admission;
use daybreak_guard::clients::ReportRefusal;
use daybreak_model::wire::Position;
use daybreak_model::{Key, KeyError, Millis, Reference, RunId};
use daybreak_store::StoreError;

use crate::HaltView;
use crate::pages::{Frozen, PageRefusal};
use crate::tokens::TokenRefusal;

/// Why something was not done. Unless a variant says otherwise, nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The input has faults: all of them are listed.
    #[error("{}", invalid(.0))]
    Invalid(Vec<Diagnostic>),
    /// There is no such thing.
    #[error("there is no {noun} `{key}`{}", did_you_mean(.nearest.as_ref()))]
    NotFound {
        /// What was looked for: `flag`.
        noun: &'static str,
        /// The key that was asked for.
        key: String,
        /// The nearest key that there is.
        nearest: Option<Key>,
    },
    /// The resource is not as the caller expects it.
    #[error("{}", precondition(*.at))]
    PreconditionFailed {
        /// Where it was last changed; none where it does not exist.
        at: Option<Position>,
    },
    /// It is in use: others name it.
    #[error("it is in use by {}", users(.0))]
    Referenced(Vec<Reference>),
    /// The key does not have a key's form.
    #[error("`{key}` cannot name a {noun}: {error}")]
    Key {
        /// What was to be named: `flag`.
        noun: &'static str,
        /// The key.
        key: String,
        /// What is wrong with it.
        error: KeyError,
    },
    /// What was to be enabled or disabled can be neither.
    #[error("a {noun} cannot be enabled or disabled; only flags and faults can")]
    NoSwitch {
        /// What it is.
        noun: &'static str,
    },
    /// Reasons stand against the start: all of them are listed.
    #[error("{}", not_admitted(.refusals))]
    NotAdmitted {
        /// What stands against it.
        refusals: Vec<admission::Refusal>,
        /// What is worth knowing besides.
        warnings: Vec<admission::Warning>,
        /// After how long nothing stands against it any more, where all of it clears by itself.
        after: Option<Millis>,
    },
    /// It was stopped while it was starting.
    #[error("the fault `{0}` was stopped before its run began")]
    StoppedMeanwhile(Key),
    /// The client has seen another environment.
    #[error("this is the environment `{ours}`, and the client has seen `{theirs}`; check the URL that it was given")]
    OtherEnvironment {
        /// The server's.
        ours: String,
        /// The client's.
        theirs: String,
    },
    /// The report cannot be counted: the client gets no lease.
    #[error("{0}")]
    NotCounted(ReportRefusal),
    /// A token was not made, or not revoked.
    #[error(transparent)]
    Token(#[from] TokenRefusal),
    /// What was sent is no page, or could not be stored.
    #[error(transparent)]
    Page(#[from] PageRefusal),
    /// The budget of people is spent, and that freezes changes by hand.
    #[error("{}", frozen(.0))]
    Frozen(Frozen),
    /// The history does not have what was asked for.
    #[error("{0}")]
    NotInHistory(String),
    /// It was stopped, at once; but the store did not record it.
    #[error("stopped, not recorded: {why}")]
    StoppedNotRecorded {
        /// The runs that were stopped.
        runs: Vec<RunId>,
        /// What the store said.
        why: String,
    },
    /// Everything is halted; but it would not outlive the server.
    #[error("halted, not durable: {why}")]
    HaltedNotDurable {
        /// The halt.
        halt: Box<HaltView>,
        /// What the store said.
        why: String,
    },
    /// Somebody else changed the store meanwhile: look again, and decide anew.
    #[error("the store has moved on to {at}; look again, and repeat the change if it is still wanted")]
    Conflict {
        /// Where the store stands.
        at: Position,
    },
    /// As many changes wait for the store as may.
    #[error("{waiting} changes wait for the store, as many as may; nothing changed: make it again in a second")]
    TooManyChanges {
        /// How many.
        waiting: usize,
    },
    /// The store failed.
    #[error("the store failed, and nothing changed: {0}")]
    Store(String),
    /// The disk failed in the middle of it: perhaps it changed, perhaps not.
    #[error("{0}")]
    Unknown(String),
    /// One backup is taken at a time.
    #[error("another backup is being taken; ask again when it is done")]
    BackupUnderWay,
    /// What was to be restored is no backup, or not whole.
    #[error("the backup cannot be restored, and nothing changed: {0}")]
    Backup(String),
    /// The server is ending.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl Refusal {
    /// A word for programs: `invalid`, `not_found`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::NotFound { .. } => "not_found",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::Referenced(_) => "in_use",
            Self::Key { .. } => "bad_key",
            Self::NoSwitch { .. } => "no_switch",
            Self::NotAdmitted { .. } => "not_admitted",
            Self::StoppedMeanwhile(_) => "stopped_meanwhile",
            Self::OtherEnvironment { .. } => "other_environment",
            Self::NotCounted(ReportRefusal::TooManyClients) => "not_counted",
            Self::NotCounted(_) => "bad_request",
            Self::Token(TokenRefusal::NameTaken(_)) => "name_taken",
            Self::Token(TokenRefusal::FirstIsAdmin | TokenRefusal::LastAdmin) => "no_admin",
            Self::Token(TokenRefusal::TooMany(_)) => "too_many",
            Self::Token(TokenRefusal::Lifetime { .. }) => "bad_lifetime",
            Self::Token(TokenRefusal::RevokedNotRecorded(_)) => "revoked_not_recorded",
            Self::Page(PageRefusal::Malformed(_)) => "malformed",
            Self::Page(PageRefusal::NoSecret) => "no_secret",
            Self::Page(PageRefusal::SecretUnreadable(_)) => "secret_unreadable",
            Self::Page(PageRefusal::BadSignature(_)) => "bad_signature",
            Self::Page(PageRefusal::NotRecorded(_)) => "page_not_recorded",
            Self::Frozen(_) => "frozen",
            Self::NotInHistory(_) => "not_in_history",
            Self::StoppedNotRecorded { .. } => "stopped_not_recorded",
            Self::HaltedNotDurable { .. } => "halted_not_durable",
            Self::Conflict { .. } => "conflict",
            Self::TooManyChanges { .. } => "overloaded",
            Self::Store(_) => "store_failed",
            Self::Unknown(_) => "outcome_unknown",
            Self::BackupUnderWay => "backup_under_way",
            Self::Backup(_) => "bad_backup",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Refusal {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict { at } => Self::Conflict { at: *at },
            StoreError::Unknown(_) => Self::Unknown(error.to_string()),
            StoreError::Backup(why) => Self::Backup(why.clone()),
            other => Self::Store(other.to_string()),
        }
    }
}

fn invalid(diagnostics: &[Diagnostic]) -> String {
    match diagnostics {
        [] => "the input is not valid".to_owned(),
        [one] => one.message.clone(),
        [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
    }
}

fn did_you_mean(nearest: Option<&Key>) -> String {
    nearest.map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}

fn precondition(at: Option<Position>) -> String {
    match at {
        Some(at) => format!("it was last changed at {at}, which is not what was expected; its `ETag` is \"{at}\""),
        None => "it does not exist".to_owned(),
    }
}

fn users(references: &[Reference]) -> String {
    let user = |reference: &Reference| match &reference.from {
        Some((kind, key)) => format!("the {kind} `{key}`"),
        None => "the `protect` list".to_owned(),
    };
    let mut users: Vec<_> = references.iter().map(user).collect();
    users.dedup();
    format!("{}; change that first", users.join(", "))
}

fn not_admitted(refusals: &[admission::Refusal]) -> String {
    let sentences: Vec<_> = refusals.iter().map(|refusal| refusal.sentence.as_str()).collect();
    sentences.join("; ")
}

fn frozen(frozen: &Frozen) -> String {
    let names: Vec<_> = frozen.on_calls.iter().map(|key| format!("`{key}`")).collect();
    let until = frozen.clears_at.map_or_else(String::new, |at| format!(" until {at}"));
    format!(
        "changes are frozen{until}, since the budget of {} is spent: people were paged too often; what only turns things \
         off is taken, and an admin may give an `override` with a reason",
        names.join(", ")
    )
}

/// The nearest of some keys, where one is near.
pub(crate) fn nearest<'k>(wanted: &str, keys: impl IntoIterator<Item = &'k Key>) -> Option<Key> {
    let distance = |key: &'k Key| (strsim::damerau_levenshtein(wanted, key.as_str()), key);
    let near = (wanted.len() / 3).max(1);
    keys.into_iter().map(distance).filter(|(distance, _)| *distance <= near).min().map(|(_, key)| key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key() {
        let keys = ["new-checkout", "layout", "dark"].map(|key| Key::new(key).unwrap());
        for (wanted, expected) in
            [("new-chekout", Some("new-checkout")), ("dork", Some("dark")), ("new", None), ("", None)]
        {
            assert_eq!(nearest(wanted, &keys).as_ref().map(Key::as_str), expected, "{wanted}");
        }
    }

    #[test]
    fn sentences() {
        let flag = |key: &str| Some((daybreak_model::Kind::Flag, Key::new(key).unwrap()));
        let reference = |from| Reference { from, kind: daybreak_model::Kind::Segment, key: Key::new("eu").unwrap() };
        let cases = [
            (
                Refusal::NotFound { noun: "flag", key: "a".into(), nearest: Key::new("b").ok() },
                "there is no flag `a`; did you mean `b`?",
            ),
            (
                Refusal::Referenced(vec![reference(flag("x")), reference(None)]),
                "it is in use by the flag `x`, the `protect` list; change that first",
            ),
        ];
        for (refusal, expected) in cases {
            assert_eq!(refusal.to_string(), expected);
        }
    }
}
