//! Alertmanager's webhook, version 4: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.
//!
//! A notification is of a group of alerts. It is a page when it is the first to have any of its alerts; when it comes
//! again, because of `repeat_interval`, a retry or a second Alertmanager, or because alerts joined the group or left it, it
//! is the same page. An alert is known by its labels (their fingerprint) and the time since when it fires.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_guard::people::{Asked, Page, Repeat, Source, Urgency, owns_alert};
use daybreak_model::{Key, OnCall};
use jiff::Timestamp;
use serde::Deserialize;

use super::{PageRefusal, Told, object, shortened};

/// The version of the form that is understood.
const VERSION: &str = "4";

/// As much of a notification as is of interest; what else it holds is left alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    version: String,
    receiver: String,
    #[serde(default)]
    common_annotations: BTreeMap<String, String>,
    alerts: Vec<Alert>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: Status,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Timestamp,
    fingerprint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Firing,
    Resolved,
}

impl Notification {
    /// Reads a notification.
    pub(super) fn read(body: &[u8]) -> Result<Self, PageRefusal> {
        let malformed = |why: String| {
            let what = "this is no notification of Alertmanager's webhook";
            PageRefusal::Malformed(format!("{what}: {why}; other senders post to /api/v1/pages"))
        };
        let read: Self = object(body).map_err(malformed)?;
        match read.version.as_str() {
            VERSION => Ok(read),
            other => Err(malformed(format!("its version is `{}`, and `{VERSION}` is understood", shorten(other)))),
        }
    }

    /// The pages that it is. People are paged when it arrives: an alert may have fired for long, and have been silenced.
    pub(super) fn told(&self, on_calls: &BTreeMap<Key, OnCall>, now: Timestamp) -> Told {
        let (mut told, mut matched) = (Told::default(), false);
        for (key, definition) in on_calls {
            let own = |alert: &&Alert| owns_alert(definition, &self.receiver, &alert.labels);
            let own: Vec<&Alert> = self.alerts.iter().filter(own).collect();
            matched |= !own.is_empty();
            let Some(firing) = own.iter().find(|alert| alert.status == Status::Firing) else { continue };
            let keys: BTreeSet<String> =
                own.iter().map(|alert| shortened(format!("{}@{}", alert.fingerprint, alert.starts_at))).collect();
            told.pages.push(Page {
                source: Source::Alertmanager,
                on_call: key.clone(),
                keys,
                repeat: Repeat::AnyKnown,
                at: now,
                title: self.title(firing),
                urgency: Urgency::High,
            });
        }
        if !matched {
            let pages = self.alerts.iter().find(|alert| alert.status == Status::Firing);
            told.unmatched = pages.map(|alert| self.asked(alert));
            told.foreign = pages.is_none() && !self.alerts.is_empty();
        }
        told
    }

    /// What is asked of an alert to know whose it is.
    fn asked(&self, alert: &Alert) -> Asked {
        let labels = alert.labels.iter().map(|(name, value)| (shortened(name.clone()), shortened(value.clone())));
        Asked::Alert { receiver: shortened(self.receiver.clone()), labels: labels.collect() }
    }

    fn title(&self, alert: &Alert) -> Option<String> {
        let said = self.common_annotations.get("summary").or_else(|| alert.annotations.get("summary"));
        said.or_else(|| alert.labels.get("alertname")).cloned().map(shortened)
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(20).collect()
}
