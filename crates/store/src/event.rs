//! Events: the lines of the audit log.

use daybreak_model::Millis;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who changed what, when, why; before the store has numbered it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened: `flag.changed`, `run.started`, `halt.lifted`.
    pub kind: String,
    /// What it happened to, as a path: `flags/new-checkout`, `runs/00c0ffee00c0ffee`; everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who did it; Daybreak itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why, in the actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What else is known: before and after, a verdict, what was waived.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// An event that the store keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// Its number: later events have larger ones. Numbers are not reused, and may have gaps.
    pub id: u64,
    /// The revision of the commit that it came with; none for one that changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// Which events to read. Everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventFilter {
    /// Only those of this subject, or of what is below it: `flags` has all flags' events.
    pub subject: Option<String>,
    /// Only those of this kind, or below it: `run` has `run.started` and `run.ended`.
    pub kind: Option<String>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only those at this time or later.
    pub since: Option<Timestamp>,
    /// Only those before this time.
    pub until: Option<Timestamp>,
    /// Only those with a number below this one: a page's `next`.
    pub before: Option<u64>,
    /// Only those with a number above this one: how a follower goes on.
    pub after: Option<u64>,
    /// Which of them come first.
    pub order: EventOrder,
}

/// The order of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventOrder {
    /// The latest first, as people read them.
    #[default]
    LatestFirst,
    /// The oldest first, as followers read them.
    OldestFirst,
}

/// One page of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    /// The events.
    pub events: Vec<RecordedEvent>,
    /// What `before` must be to read on, or `after` where the oldest come first; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// How long events are kept. Whatever exceeds either bound is dropped, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At most so many.
    pub events: usize,
    /// None that is older than this, counted back from the latest event.
    pub age: Millis,
}

impl Default for Retention {
    fn default() -> Self {
        Self { events: 100_000, age: Millis::from_secs(400 * 86_400) }
    }
}

impl EventFilter {
    /// Whether an event is wanted.
    #[must_use]
    pub fn matches(&self, recorded: &RecordedEvent) -> bool {
        let event = &recorded.event;
        let subject = event.subject.as_deref();
        self.subject.as_deref().is_none_or(|wanted| subject.is_some_and(|subject| is_below(subject, wanted, '/')))
            && self.kind.as_deref().is_none_or(|wanted| is_below(&event.kind, wanted, '.'))
            && self.actor.as_deref().is_none_or(|wanted| event.actor.as_deref() == Some(wanted))
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at < until)
            && self.before.is_none_or(|before| recorded.id < before)
            && self.after.is_none_or(|after| recorded.id > after)
    }
}

/// Whether a path is this one, or goes on from it.
fn is_below(path: &str, ancestor: &str, separator: char) -> bool {
    path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}
