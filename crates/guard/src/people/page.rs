//! What sources tell of pages, and what is remembered of each.

use std::collections::BTreeSet;
use std::fmt;

use daybreak_model::Key;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where pages are heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Alertmanager's webhook.
    Alertmanager,
    /// PagerDuty's webhook.
    Pagerduty,
    /// Whoever posts a page in Daybreak's own form.
    Plain,
}

/// Whether somebody had to look at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Somebody had.
    #[default]
    High,
    /// It could wait: no page.
    Low,
}

/// When something that is told is a page that is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// When any of its keys is known, as an alert that is still firing.
    AnyKnown,
    /// When all of its keys are known, as when the same people are told again of the same incident.
    AllKnown,
}

/// A page, as a source tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Who tells of it.
    pub source: Source,
    /// Whose it is.
    pub on_call: Key,
    /// What tells it from others; never empty.
    pub keys: BTreeSet<String>,
    /// Which of the keys make it a repeat.
    pub repeat: Repeat,
    /// When people were paged.
    pub at: Timestamp,
    /// What it says.
    pub title: Option<String>,
    /// Whether it could wait.
    pub urgency: Urgency,
}

/// Work on an incident, as a source tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Who tells of it.
    pub source: Source,
    /// Whose incident it is.
    pub on_call: Key,
    /// The incident: works on the same one are one incident.
    pub key: String,
    /// When somebody worked on it.
    pub at: Timestamp,
    /// Who did.
    pub person: Option<String>,
    /// What the incident is about.
    pub title: Option<String>,
    /// The source says that it was off-hours, whatever the calendar says.
    pub off_hours: bool,
}

/// What became of a page that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Received {
    /// It is a page, and counts.
    Counted,
    /// It is known: no further page.
    Repeat,
    /// It could wait: no page.
    NotUrgent,
    /// It was too long ago to count.
    TooOld,
}

/// A page that is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPage {
    /// Who told of it first.
    pub source: Source,
    /// Whose it is.
    pub on_call: Key,
    /// What tells it from others.
    pub keys: BTreeSet<String>,
    /// When people were paged; never later than it was received.
    pub at: Timestamp,
    /// When it was first told of.
    pub received_at: Timestamp,
    /// When it was last told of.
    pub seen_at: Timestamp,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// An incident on which somebody worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Who told of it.
    pub source: Source,
    /// Whose it is.
    pub on_call: Key,
    /// What tells it from others.
    pub key: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When who worked on it, the earliest first.
    pub works: Vec<Worked>,
    /// When it was last told of.
    pub seen_at: Timestamp,
}

/// One work on an incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Worked {
    /// When.
    pub at: Timestamp,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// It was off-hours, whatever the calendar says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off_hours: bool,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Alertmanager, Self::Pagerduty, Self::Plain];

    /// The word that answers and events use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Pagerduty => "pagerduty",
            Self::Plain => "plain",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
