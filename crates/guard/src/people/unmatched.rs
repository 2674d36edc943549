//! Pages that are of no on-call: of each source the last one, so that people see what their `match` misses.

use std::collections::BTreeMap;
use std::fmt;

use daybreak_model::OnCall;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{PAGES_WINDOW, People, Source, owns_alert, owns_service};
use crate::span::after;

/// The last one of a source is stored, and told of, this often at most.
const TOLD_STEP: SignedDuration = SignedDuration::from_secs(60);
/// Labels of an alert that are remembered.
const LABELS_MAX: usize = 16;

/// A page that is of no on-call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmatched {
    /// Who told of it.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// What it was matched by.
    pub of: Asked,
}

/// What the `match` of on-calls is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// An alert of Alertmanager.
    Alert {
        /// The receiver that it was sent to.
        receiver: String,
        /// Its labels; of many the first ones.
        labels: BTreeMap<String, String>,
    },
    /// An incident of PagerDuty.
    Service {
        /// Its service's id.
        id: String,
        /// The service's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// What is known of one source's.
#[derive(Clone, Debug)]
pub(super) struct Missed {
    pub(super) last: Unmatched,
    /// When one last had to be stored.
    stored: Timestamp,
}

impl Asked {
    /// Whether it would be this on-call's by now.
    #[must_use]
    pub fn is_of(&self, definition: &OnCall) -> bool {
        match self {
            Self::Alert { receiver, labels } => owns_alert(definition, receiver, labels),
            Self::Service { id, name } => owns_service(definition, id, name.as_deref()),
        }
    }

    fn bounded(mut self) -> Self {
        if let Self::Alert { labels, .. } = &mut self
            && let Some(beyond) = labels.keys().nth(LABELS_MAX).cloned()
        {
            drop(labels.split_off(&beyond));
        }
        self
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert { receiver, labels } => {
                write!(f, "receiver `{receiver}`")?;
                for (at, (name, value)) in labels.iter().enumerate() {
                    write!(f, "{} {name}={value}", if at == 0 { ", labels" } else { "," })?;
                }
                Ok(())
            }
            Self::Service { id, name: Some(name) } => write!(f, "service `{id}` (`{name}`)"),
            Self::Service { id, name: None } => write!(f, "service `{id}`"),
        }
    }
}

impl People {
    /// Notes a page that is of no on-call. Whether the log is to tell of it: many within a minute it tells once.
    pub fn miss(&mut self, source: Source, of: Asked, now: Timestamp) -> bool {
        let stored = self.missed.get(&source).map(|missed| missed.stored);
        let stored = stored.filter(|stored| now.duration_since(*stored).abs() < TOLD_STEP);
        let last = Unmatched { source, at: now, of: of.bounded() };
        self.missed.insert(source, Missed { last, stored: stored.unwrap_or(now) });
        if stored.is_none() {
            self.unsaved.insert(unmatched_name(source));
        }
        stored.is_none()
    }

    /// The last page of a source that was of no on-call, within the time for which pages count.
    #[must_use]
    pub fn last_unmatched(&self, source: Source, now: Timestamp) -> Option<&Unmatched> {
        self.missed.get(&source).map(|missed| &missed.last).filter(|last| after(last.at, PAGES_WINDOW) > now)
    }

    pub(super) fn restore_unmatched(&mut self, last: Unmatched) {
        self.missed.insert(last.source, Missed { stored: last.at, last });
    }

    pub(super) fn forget_unmatched(&mut self, now: Timestamp) {
        let old = |missed: &Missed| after(missed.last.at, PAGES_WINDOW) <= now;
        let gone: Vec<Source> = self.missed.iter().filter(|(_, one)| old(one)).map(|(source, _)| *source).collect();
        for source in gone {
            self.missed.remove(&source);
            self.unsaved.insert(unmatched_name(source));
        }
    }
}

pub(super) fn unmatched_name(source: Source) -> String {
    format!("unmatched-{source}")
}
