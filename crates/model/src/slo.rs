//! Service level objectives: what users feel, and what people on call feel.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Key, Millis, Percentage};

/// An objective, a window and an indicator. What it leaves to fail is the error budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slo {
    /// What it promises, and to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The share of good requests, below 100 %.
    pub objective: Percentage,
    /// Over which time.
    pub window: Window,
    /// Which requests count, and which of them are good.
    pub sli: Indicator,
}

/// The time over which an objective holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last so many days.
    Rolling(Millis),
    /// The calendar month, written `month`.
    Month,
}

/// A service level indicator: over root requests, as clients report them, or as Prometheus counted them. It may say
/// both: then Prometheus feeds the budget, and the root requests form the arms of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indicator {
    /// The root operation: `POST /checkout`. Empty where only Prometheus counts: no request has this operation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// What makes a request good.
    #[serde(default)]
    pub good: Good,
    /// What Prometheus is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusQueries>,
}

/// Two queries in PromQL, each of which gives one counter: it only grows, but for restarts of what is counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrometheusQueries {
    /// Good requests so far.
    pub good: String,
    /// All requests so far.
    pub total: String,
}

impl Indicator {
    /// Whether requests that clients report belong to it: without them a run on it has no arms.
    #[must_use]
    pub const fn has_arms(&self) -> bool {
        !self.operation.is_empty()
    }
}

/// What makes a request good: all that is said here. At least one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// The response's status, written `"<500"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusBound>,
    /// The time to the response's head is less than this, written `"<400ms"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Millis>,
}

/// An HTTP status below this one is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusBound(pub u16);

/// The objective of people: how often on-call may hurt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnCall {
    /// Which rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Pages in any 168 hours.
    pub pages_per_week: u32,
    /// Incidents worked off-hours in any 182 days.
    pub off_hours_incidents_per_half_year: u32,
    /// The rotation's working hours.
    pub hours: Key,
    /// Which pages are its own, of those that Alertmanager and PagerDuty send; none where absent.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub pages: Option<PageMatch>,
    /// What else is frozen while its budget is spent, beside starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// What sends its pages must have been heard from within this time, or no run starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_source: Option<Millis>,
}

/// Which pages are an on-call's own. Receiver and labels are Alertmanager's: what is said of them must all hold.
/// The service is PagerDuty's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageMatch {
    /// One of these receivers of Alertmanager; any where there are none, if there are labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receiver: Vec<String>,
    /// An alert has each of these labels, with one of its values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Vec<String>>,
    /// One of these services of PagerDuty, by id or name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<String>,
}

/// What a spent people budget freezes, beside starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    /// Changes by hand that do not only turn things off.
    Changes,
}
