//! What users' requests come to: what makes one good, and how many were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::Metric;
use crate::{Good, Key, Millis, StatusBound};

/// What makes a root request good: the indicator of an SLO, as it was at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// The SLO.
    pub slo: Key,
    /// The revision that last changed it. Counts of another revision are counts of something else.
    pub revision: u64,
    /// The root operation: `POST /checkout`.
    pub operation: String,
    /// What makes such a request good.
    pub good: Good,
}

/// What one client counted of an SLO. Cumulative over the life of the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SloCounts {
    /// The SLO.
    pub slo: Key,
    /// The revision of the measure.
    pub revision: u64,
    /// [`Metric::Settled`] requests, and of them [`Metric::Error`], [`Metric::Slow`] and [`Metric::Cancelled`].
    pub counts: BTreeMap<Metric, u64>,
    /// As much of it as a server has acknowledged, where that is not all of it: one that does not know this client, as after
    /// a restart, counts from there on. Where it is left out, everything has been acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<BTreeMap<Metric, u64>>,
}

/// Where no SLO says when a request is too slow, it is once it has been open for so long.
pub const OPEN_MAX: Millis = Millis::from_secs(30);

/// What makes a request good where a run has no SLO: no server error.
pub const GOOD_DEFAULT: Good = Good { status: Some(StatusBound(500)), latency: None };

impl Measure {
    /// How long after its beginning a request without an answer is bad: at the SLO's latency, or [`OPEN_MAX`].
    #[must_use]
    pub fn deadline(&self) -> Millis {
        deadline(&self.good)
    }
}

/// How long after its beginning a request without an answer is bad.
#[must_use]
pub fn deadline(good: &Good) -> Millis {
    good.latency.unwrap_or(OPEN_MAX)
}
