//! What a report is answered with: leases.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::wire::{Enveloped, Measure, Position, SketchWanted};
use crate::{Condition, DrawBy, Effect, Key, Millis, Percentage, RunId};

/// The answer to a report: the only thing that lets a client inject.
///
/// The lease counts from the moment at which the client **sent** the report, on a clock that runs while the
/// machine is suspended. A run that is not listed has ended here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// The server's environment.
    pub environment: String,
    /// Where the server stands.
    pub position: Position,
    /// The server's wall clock, for clients to notice that theirs is off.
    pub now: Timestamp,
    /// How long the listed runs may be acted on; zero where the server may not grant leases.
    pub lease: Millis,
    /// How long until the next report.
    pub interval: Millis,
    /// Everything is halted.
    #[serde(default)]
    pub halted: bool,
    /// This report is the first that the server has of this client, as after a restart: what earlier ones said is not
    /// known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first: bool,
    /// The runs that this client may act on.
    #[serde(default)]
    pub runs: Vec<RunGrant>,
    /// How long the server may be out of reach before this client's answers say STALE, unless its builder said so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_after: Option<Millis>,
    /// What this client is to count of its root requests, run or no run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    /// The attributes whose values this client is to count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sketches: Vec<SketchWanted>,
}

/// Leave to act on one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunGrant {
    /// The run.
    pub id: RunId,
    /// The ramp stage, from 0.
    pub stage: u32,
    /// The share of eligible requests to treat in this stage.
    pub percentage: Percentage,
    /// Faults that may be in flight at once in this process.
    pub cap: u32,
    /// By the wall clock, never inject from here on.
    pub ends_at: Timestamp,
    /// The [`RunSpec`], unless the report listed the run as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Enveloped>,
}

/// What a run pinned when it started, as far as an SDK needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The fault's key.
    pub fault: Key,
    /// The place where it strikes.
    pub point: Key,
    /// Only root requests of this operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls to this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whom it selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// The segments that `when` and `protect` reach, as they were at the start.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<Key, Condition>,
    /// Segments that it may never touch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<Key>,
    /// What is drawn.
    pub by: DrawBy,
    /// What draws are made with.
    pub salt: String,
    /// What a strike does.
    pub effect: Effect,
    /// How many passes of one treated request are struck; every one unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<NonZeroU32>,
    /// Draw and count, strike nothing.
    #[serde(default)]
    pub shadow: bool,
    /// What makes a request good: the guard's SLO. Only requests of its operation are eligible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
}
