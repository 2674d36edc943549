//! What is shown of runs, clients, fault points and the halt.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::wire::{ClientState, Position, Sdk};
use daybreak_model::{Effect, Ended, InstanceId, Key, Millis, Percentage, RunId, Verdict};
use jiff::Timestamp;
use serde::Serialize;

/// A run, as people see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunView {
    /// Identifies it.
    pub id: RunId,
    /// The key of its fault.
    pub fault: Key,
    /// Where it strikes.
    pub point: Key,
    /// Only root requests of this operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls to this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether it is going on.
    pub active: bool,
    /// The share of eligible requests that are treated, as text: `1%`.
    #[serde(serialize_with = "as_text")]
    pub percentage: Percentage,
    /// The ramp stage, from 0.
    pub stage: u32,
    /// What a strike does.
    pub effect: Effect,
    /// Draws and counts, strikes nothing.
    pub shadow: bool,
    /// What its starter believes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<String>,
    /// Who started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// The calendar that it runs in.
    pub hours: Key,
    /// What was waived at its start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<String>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Why it ended, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// What it showed. Without a guard it shows nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What its clients counted so far.
    pub counts: RunCounts,
    /// The live clients that know it and may act on it.
    pub clients: usize,
    /// The live clients that ignore it, because it needs what they do not know.
    pub unsupported: usize,
}

/// What all clients together counted of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunCounts {
    /// Eligible requests that were drawn.
    pub treated: u64,
    /// Eligible requests that were not drawn.
    pub control: u64,
    /// Treated requests that met at least one injection.
    pub struck: u64,
    /// Injections.
    pub strikes: u64,
    /// Drawn passes that the cap on faults in flight spared.
    pub spared: u64,
}

/// A client process that reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientView {
    /// This start of the process.
    pub client: InstanceId,
    /// The service that it is part of.
    pub service: String,
    /// The SDK.
    pub sdk: Sdk,
    /// How it gets its changes.
    pub state: ClientState,
    /// The position that it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Whether it has what the server has.
    pub up_to_date: bool,
    /// Whether it reported lately.
    pub live: bool,
    /// When it first reported.
    pub first_seen: Timestamp,
    /// When it last reported.
    pub last_seen: Timestamp,
    /// Whether the process allows faults at all.
    pub faults_allowed: bool,
    /// Faults in flight when it last reported.
    pub in_flight: u32,
    /// The runs that it knows.
    pub runs: Vec<RunId>,
    /// The runs that it ignores.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<RunId>,
    /// The fault points that it knows.
    pub points: Vec<Key>,
}

/// A fault point, over all clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FaultPointView {
    /// The services that pass it.
    pub services: BTreeSet<String>,
    /// Passes reported so far.
    pub passes: u64,
    /// Passes without a scope: they can never be struck.
    pub unscoped: u64,
    /// Root requests that passed it at least once, by operation.
    pub requests: BTreeMap<String, u64>,
    /// Live clients that know it.
    pub live_clients: usize,
    /// Live clients that know it, permit faults at it, and allow faults at all.
    pub permitting_clients: usize,
    /// The faults defined for it.
    pub faults: Vec<Key>,
    /// The runs that are active at it.
    pub runs: Vec<RunId>,
}

/// Whether everything is halted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HaltView {
    /// Whether it is.
    pub halted: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it outlives the server.
    pub durable: bool,
    /// The runs that it ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<RunId>,
    /// Live clients.
    pub clients: usize,
    /// Those that have reported since, with nothing in flight. The others stop with their lease.
    pub confirmed: usize,
}

/// What a start asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartRequest {
    /// How long; the fault's `max_duration` unless said. It may be lower, never higher.
    pub duration: Option<Millis>,
    /// The share of eligible requests; the fault's unless said. It may be lower, never higher.
    pub percentage: Option<Percentage>,
    /// What is believed to hold while it runs.
    pub hypothesis: Option<String>,
    /// Waives what can be waived, for this reason. It needs the role `admin`, which is the caller's to check.
    pub override_reason: Option<String>,
    /// Draw and count, strike nothing.
    pub shadow: bool,
    /// Tell what would happen, and start nothing.
    pub dry_run: bool,
}

fn as_text<S: serde::Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}
