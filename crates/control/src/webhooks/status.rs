//! What became of a webhook.

use jiff::Timestamp;
use serde::Serialize;

use super::config::{Template, Webhook};

/// Failures in a row from which on a webhook deserves a look.
const FAILURES_WARN: u32 = 3;

/// What became of a webhook since the server started, or since it was changed in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookStatus {
    /// What it is sent.
    pub template: Template,
    /// Where it goes to; the rest of its URL may be a secret.
    pub host: String,
    /// Events that have arrived.
    pub delivered: u64,
    /// Events that were given up.
    pub given_up: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_given_up: Option<GivenUp>,
    /// Events, at most, that the log no longer had when it was their turn.
    pub missed: u64,
    /// The last event that it needs no more to be told of; none before it has looked.
    #[serde(skip)]
    pub read_to: Option<u64>,
    /// When the last one arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// When one last did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Failures in a row, of the event whose turn it is.
    pub failures: u32,
    /// The receiver answered that it wants no more (410): nothing is sent until the webhook changes, or the server starts anew.
    pub gone: bool,
}

/// An event that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GivenUp {
    /// When.
    pub at: Timestamp,
    /// The event's number.
    pub event: u64,
    /// The event's kind.
    pub kind: String,
    /// How often it was tried.
    pub tries: u32,
    /// Why it did not arrive.
    pub why: String,
}

impl WebhookStatus {
    pub(super) fn new(hook: &Webhook) -> Self {
        Self {
            template: hook.template,
            host: hook.host(),
            delivered: 0,
            given_up: 0,
            last_given_up: None,
            missed: 0,
            read_to: None,
            last_success: None,
            last_failure: None,
            last_error: None,
            failures: 0,
            gone: false,
        }
    }

    pub(super) fn arrived(&mut self, now: Timestamp) {
        self.delivered += 1;
        self.failures = 0;
        self.last_success = Some(now);
    }

    pub(super) fn failed(&mut self, now: Timestamp, failures: u32, why: &str) {
        self.failures = failures;
        (self.last_failure, self.last_error) = (Some(now), Some(why.to_owned()));
    }

    pub(super) fn gave_up(&mut self, given_up: GivenUp) {
        self.given_up += 1;
        self.failures = 0;
        self.last_given_up = Some(given_up);
    }

    /// What deserves a look.
    pub(super) fn warning(&self, name: &str) -> Option<String> {
        let why = self.last_error.as_deref().unwrap_or("no more is known");
        if self.gone {
            return Some(format!("the webhook `{name}` is paused, as its receiver wants no more: {why}"));
        }
        // Given up, and nothing has arrived since.
        let lost = self.last_given_up.as_ref().is_some_and(|last| self.last_success.is_none_or(|at| at < last.at));
        let failing = self.failures >= FAILURES_WARN || lost;
        failing.then(|| format!("the webhook `{name}` does not get through: {why}"))
    }
}
