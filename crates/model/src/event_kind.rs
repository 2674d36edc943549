//! The kinds of events: the one table of them. docs/events.md says what each one tells.

use std::fmt;

use crate::Kind;

/// What happened to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is new.
    Created,
    /// It is different.
    Changed,
    /// It was off, and is on.
    Enabled,
    /// It was on, and is off.
    Disabled,
    /// It is gone.
    Deleted,
}

/// Kinds that are not of resources, each with its text.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What an event tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventKind {
            /// Something happened to a resource.
            Resource(Kind, Verb),
            $($(#[$doc])* $name,)*
        }

        /// All of them but those of resources.
        const OTHERS: &[EventKind] = &[$(EventKind::$name,)*];

        impl fmt::Display for EventKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Resource(kind, verb) => write!(f, "{}.{}", word(*kind), verb.as_str()),
                    $(Self::$name => f.write_str($text),)*
                }
            }
        }
    };
}

kinds! {
    /// The list of protected segments is different.
    ProtectChanged = "protect.changed",
    /// A run was started; also what was overridden for it.
    RunStarted = "run.started",
    /// A run ended: completed, stopped or aborted.
    RunEnded = "run.ended",
    /// What a run showed, once its last requests were through.
    RunConcluded = "run.concluded",
    /// A start was refused.
    StartRefused = "start.refused",
    /// A start that a schedule asked for did not come about.
    ScheduleSkipped = "schedule.skipped",
    /// Everything was halted.
    HaltSet = "halt.set",
    /// The halt was lifted.
    HaltLifted = "halt.lifted",
    /// People were paged.
    PageReceived = "page.received",
    /// A page came that is of no on-call.
    PageUnmatched = "page.unmatched",
    /// A token was made.
    TokenCreated = "token.created",
    /// A token was revoked.
    TokenRevoked = "token.revoked",
    /// An admin's call.
    TokenUsed = "token.used",
    /// An edit of the files was refused.
    FilesRefused = "files.refused",
    /// The server started.
    ServerStarted = "server.started",
    /// The server stopped as it was told to.
    ServerStopped = "server.stopped",
    /// A backup took the place of everything.
    StoreRestored = "store.restored",
    /// The store could not be written to, and works again.
    StoreFailed = "store.failed",
    /// Events could not be recorded, and are missing here.
    EventsLost = "events.lost",
    /// A webhook was not told of an event: nothing helped.
    WebhookGivenUp = "webhook.given_up",
    /// A webhook's receiver wants no more.
    WebhookPaused = "webhook.paused",
    /// A webhook was not told of events that the log no longer had.
    WebhookMissed = "webhook.missed",
    /// What a webhook is sent as a test. It is not recorded.
    WebhookTested = "webhook.tested",
}

impl Verb {
    const ALL: [Self; 5] = [Self::Created, Self::Changed, Self::Enabled, Self::Disabled, Self::Deleted];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }

    /// Whether it happens to resources of this kind.
    const fn is_of(self, kind: Kind) -> bool {
        matches!(self, Self::Created | Self::Changed | Self::Deleted) || matches!(kind, Kind::Flag | Kind::Fault)
    }
}

impl EventKind {
    /// The kind of this text; none where it is of no kind.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::all().find(|kind| kind.to_string() == text)
    }

    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        let verbs = |kind: Kind| Verb::ALL.into_iter().filter(move |verb| verb.is_of(kind));
        let of_resources = Kind::ALL.into_iter().flat_map(move |kind| verbs(kind).map(move |verb| (kind, verb)));
        of_resources.map(|(kind, verb)| Self::Resource(kind, verb)).chain(OTHERS.iter().copied())
    }

    /// Whether a text names a kind, or what kinds are below of: `run.started`, `run`.
    #[must_use]
    pub fn is_named(text: &str) -> bool {
        Self::all().any(|kind| {
            let kind = kind.to_string();
            kind.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// What the kinds begin with, each once.
    #[must_use]
    pub fn families() -> Vec<String> {
        let mut families: Vec<String> = Vec::new();
        for kind in Self::all() {
            let family = kind.to_string().split('.').next().unwrap_or_default().to_owned();
            if !families.contains(&family) {
                families.push(family);
            }
        }
        families
    }
}

impl From<EventKind> for String {
    fn from(kind: EventKind) -> Self {
        kind.to_string()
    }
}

/// A resource's kind as events say it.
const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag",
        Kind::Segment => "segment",
        Kind::Fault => "fault",
        Kind::Hours => "hours",
        Kind::Slo => "slo",
        Kind::OnCall => "on_call",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_text_of_its_own() {
        let texts: Vec<_> = EventKind::all().map(String::from).collect();
        for (at, text) in texts.iter().enumerate() {
            assert!(!texts[..at].contains(text), "{text} stands twice");
            assert!(text.split('.').count() == 2 && !text.contains(' '), "{text}");
        }
    }

    #[test]
    fn what_names_kinds() {
        let cases = [
            ("run", true),
            ("run.started", true),
            ("on_call.changed", true),
            ("runs", false),
            ("run.", false),
            ("hours.enabled", false),
            ("", false),
        ];
        cases.iter().for_each(|(text, expected)| assert_eq!(EventKind::is_named(text), *expected, "{text}"));
        assert_eq!(EventKind::families().first().map(String::as_str), Some("flag"));
    }
}
