//! Who changes something, why, and on what condition.

/// Who changes something, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// A name for the audit log: of a token, a person, a file; none where the server knows none.
    pub name: Option<String>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Why a freeze is overridden, in their words.
    pub override_reason: Option<String>,
    /// Whether they may override: an admin. Without it, `override_reason` overrides nothing.
    pub may_override: bool,
    /// Whether they wait until clients have the change: then clients are asked to say so at once.
    pub waits: bool,
}

/// What must hold for a change to one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// `If-Match: "store:7"`, of this store: the resource was last changed by this revision.
    Revision(u64),
    /// `If-Match: *`: it exists.
    Exists,
    /// `If-None-Match: *`: it does not exist.
    Absent,
}

impl Actor {
    /// Somebody of this name, without a reason.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }

    /// The same, who overrides a freeze for this reason, if they may.
    #[must_use]
    pub fn overriding(self, override_reason: Option<String>) -> Self {
        Self { override_reason, ..self }
    }

    /// Why they override a freeze, if they do and may.
    #[must_use]
    pub fn overrides(&self) -> Option<&str> {
        self.override_reason.as_deref().filter(|reason| self.may_override && !reason.trim().is_empty())
    }

    /// The same, with a reason.
    #[must_use]
    pub fn because(self, reason: Option<String>) -> Self {
        Self { reason: reason.filter(|reason| !reason.trim().is_empty()), ..self }
    }
}

impl Precondition {
    /// Whether it holds for a resource last changed by `revision`; none where there is no such resource.
    #[must_use]
    pub fn holds(self, revision: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Revision(expected) => revision == Some(expected),
            Self::Exists => revision.is_some(),
            Self::Absent => revision.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions() {
        let cases = [
            (Precondition::None, None, true),
            (Precondition::Revision(3), Some(3), true),
            (Precondition::Revision(3), Some(4), false),
            (Precondition::Revision(3), None, false),
            (Precondition::Exists, Some(1), true),
            (Precondition::Exists, None, false),
            (Precondition::Absent, None, true),
            (Precondition::Absent, Some(1), false),
        ];
        for (precondition, revision, expected) in cases {
            assert_eq!(precondition.holds(revision), expected, "{precondition:?} {revision:?}");
        }
    }
}
