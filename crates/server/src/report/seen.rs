//! A run as its report reads it. Runs outlive versions of the server, so nothing of it needs to be there.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use super::numbers::share;
use crate::readable::Latencies;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) fault: String,
    pub(super) point: String,
    pub(super) operation: Option<String>,
    pub(super) host: Option<String>,
    pub(super) percentage: String,
    pub(super) effect: Json,
    pub(super) shadow: bool,
    pub(super) hypothesis: Option<String>,
    pub(super) started_by: Option<String>,
    pub(super) started_at: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) hours: String,
    pub(super) waived: Vec<String>,
    pub(super) ended: Option<String>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) ended_by: Option<String>,
    pub(super) end_reason: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) ramp: Vec<Stage>,
    pub(super) slo: Option<String>,
    pub(super) tolerated: String,
    pub(super) evidence: Option<Evidence>,
    pub(super) warnings: Vec<Warning>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Warning {
    pub(super) sentence: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stage {
    pub(super) percentage: String,
    pub(super) until: Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    pub(super) verdict: String,
    pub(super) sentence: String,
    pub(super) reached: u64,
    pub(super) harm_ln_e: f64,
    pub(super) harm: Option<Harm>,
    pub(super) treated_needed: Option<u64>,
    pub(super) treated: Arm,
    pub(super) control: Arm,
    pub(super) spent: Option<Spent>,
    pub(super) latency: Latencies,
    pub(super) timeline: Vec<Moment>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Harm {
    pub(super) lower: f64,
    pub(super) estimate: f64,
    pub(super) upper: f64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Arm {
    pub(super) requests: u64,
    pub(super) struck: u64,
    pub(super) error: u64,
    pub(super) slow: u64,
    pub(super) cancelled: u64,
    pub(super) bad: u64,
    pub(super) rate: Interval,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interval {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spent {
    pub(super) bad: u64,
    pub(super) max: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) treated: Arm,
    pub(super) control: Arm,
    pub(super) harm_ln_e: f64,
    pub(super) harm_upper: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) actor: Option<String>,
    pub(super) reason: Option<String>,
}

impl Arm {
    /// The share of requests that were bad in any way; moments have the ways alone.
    pub(super) fn bad_rate(&self) -> f64 {
        share(self.error.saturating_add(self.slow).saturating_add(self.cancelled), self.requests)
    }
}

impl Seen {
    /// Seconds since the start.
    pub(super) fn seconds(&self, at: Timestamp) -> f64 {
        at.duration_since(self.started_at).as_secs_f64()
    }
}
