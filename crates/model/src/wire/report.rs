//! What an SDK tells the server.
//!
//! All counters are cumulative over the life of one client instance, and come with a sequence number: the
//! server takes differences, so duplicates and reorderings change nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::{ArmKeys, PointKeys, Position, SloCounts};
use crate::{Arm, InstanceId, Key, Millis, RunId};

/// `POST /api/v1/reports`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// This start of this process.
    pub client: InstanceId,
    /// Grows by one with each report of this client.
    pub sequence: u64,
    /// The service that the client is part of.
    pub service: String,
    /// The environment it has seen, once it has seen one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The SDK.
    pub sdk: Sdk,
    /// The engine level it speaks.
    #[serde(default)]
    pub level: u32,
    /// The position of the flags it serves, once it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// How long ago, when this was written, it began to serve that position. So a report that comes late still tells
    /// how fast a change was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_age: Option<Millis>,
    /// How it gets its changes.
    pub state: ClientState,
    /// What it can and may inject.
    #[serde(default)]
    pub faults: FaultSupport,
    /// The runs whose specification it already has.
    #[serde(default)]
    pub runs: Vec<RunId>,
    /// Runs that it ignores, because they need what it does not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<RunId>,
    /// Root requests by operation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<String, OperationCounts>,
    /// Known fault points and their traffic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<Key, PointCounts>,
    /// Draws, strikes and outcomes of runs. What a report has no room for comes with a later one; but both arms of a
    /// run's stage in one operation, and that operation's requests, come together or not at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmCounts>,
    /// How much was counted of each active run so far, over all its arms: see [`ArmCounts::events`]. It is always there,
    /// so that the server notices where arms never come.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counted: BTreeMap<RunId, u64>,
    /// What root requests came to, by SLO.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slos: Vec<SloCounts>,
    /// What the attributes that faults draw by have as values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<PointKeys>,
    /// Evaluations by flag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evaluations: BTreeMap<Key, Evaluations>,
    /// How often flags were asked for that there are not, by what they were asked for as; always whole, and no more than
    /// [`UNKNOWN_FLAGS_OF_CLIENT_MAX`](crate::limits::UNKNOWN_FLAGS_OF_CLIENT_MAX): those that were asked for most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown_flags: BTreeMap<String, u64>,
    /// The last report of a client that stops in good order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goodbye: bool,
}

/// Which SDK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sdk {
    /// Its name: `daybreak-sdk` for Rust.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// How a client gets its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientState {
    /// No contact yet: defaults, a bootstrap file or a cache.
    Starting,
    /// By the stream.
    Streaming,
    /// By polling: something swallows the stream.
    Polling,
    /// Not at all: last known values.
    Disconnected,
}

/// What a client can and may inject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultSupport {
    /// Whether this process injects at all (`DAYBREAK_FAULTS=off`, `halt_faults()`).
    #[serde(default)]
    pub allowed: bool,
    /// Faults in flight now.
    #[serde(default)]
    pub in_flight: u32,
}

/// Root requests of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationCounts {
    /// Root requests begun.
    pub requests: u64,
    /// Root requests open now; a gauge.
    #[serde(default)]
    pub open: u64,
}

/// The traffic of one fault point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointCounts {
    /// Passes, those without a scope included.
    pub passes: u64,
    /// Passes without a scope: they can never be struck.
    #[serde(default)]
    pub unscoped: u64,
    /// Root requests that passed it at least once, by operation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, u64>,
    /// Whether this process permits faults at it.
    #[serde(default = "yes")]
    pub permitted: bool,
}

/// The requests of one arm of one stage of one run, by operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmCounts {
    /// The run.
    pub run: RunId,
    /// The ramp stage at the draw.
    pub stage: u32,
    /// The side of the draw.
    pub arm: Arm,
    /// The root operation.
    pub operation: String,
    /// The counters.
    pub counts: BTreeMap<Metric, u64>,
    /// Times to the head of the response: how many were up to so many microseconds, and above the key before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub latency: BTreeMap<u64, u64>,
    /// The keys, where the run draws by an attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<ArmKeys>,
}

impl ArmCounts {
    /// What happened in this arm: draws, strikes and outcomes.
    #[must_use]
    pub fn events(&self) -> u64 {
        let metrics = [Metric::Requests, Metric::Strikes, Metric::Settled];
        metrics.iter().filter_map(|metric| self.counts.get(metric)).fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// What is counted of an arm. Unknown ones are kept as [`Metric::Other`] and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Eligible requests.
    Requests,
    /// Requests that met at least one injection.
    Struck,
    /// Injections.
    Strikes,
    /// Drawn passes that the cap on faults in flight spared.
    Spared,
    /// Requests whose outcome is known: good, or one of those that follow, in none of which another one counts.
    Settled,
    /// Bad: they failed, by their status, a panic, or a body that broke off.
    Error,
    /// Bad: they took too long, or are still open and have.
    Slow,
    /// Neither good nor bad: their client was gone before they could be too slow.
    Cancelled,
    /// Any other.
    #[serde(other)]
    Other,
}

/// The evaluations of one flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluations {
    /// By variant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<Key, u64>,
    /// Answered with the caller's default, because of an error.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

const fn yes() -> bool {
    true
}
