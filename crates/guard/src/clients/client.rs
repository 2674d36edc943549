//! One client, as its latest report shows it.

use std::collections::BTreeMap;

use daybreak_model::limits::{CLIENT_SILENT_AFTER, FAULT_POINTS_MAX, OPERATIONS_MAX};
use daybreak_model::wire::{
    ClientState, Evaluations, FaultSupport, OperationCounts, PointCounts, Position, Report, Sdk,
};
use daybreak_model::{InstanceId, Key, RunId};
use jiff::Timestamp;
use serde::Serialize;

use crate::span::signed;

/// Bytes of an operation's name; longer ones count as [`OTHER`].
pub const OPERATION_LENGTH_MAX: usize = 200;
/// The name of what is not counted by name.
pub const OTHER: &str = "other";
/// Flags whose evaluations are kept of one client.
pub const EVALUATIONS_MAX: usize = 20_000;

/// One client. Its counters are cumulative since its own start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Client {
    /// This start of this process.
    pub client: InstanceId,
    /// The service that it is part of.
    pub service: String,
    /// The SDK.
    pub sdk: Sdk,
    /// The engine level that it speaks.
    pub level: u32,
    /// The position of the flags that it serves.
    pub position: Option<Position>,
    /// How it gets its changes.
    pub state: ClientState,
    /// What it can and may inject.
    pub faults: FaultSupport,
    /// The runs whose specification it has.
    pub runs: Vec<RunId>,
    /// The runs that it ignores, because they need what it does not know.
    pub unsupported: Vec<RunId>,
    /// The number of its latest report.
    pub sequence: u64,
    /// When it was first heard.
    pub first_heard: Timestamp,
    /// When it was last heard.
    pub last_heard: Timestamp,
    /// Whether it has said goodbye.
    pub goodbye: bool,
    /// Root requests by operation.
    pub operations: BTreeMap<String, OperationCounts>,
    /// Fault points and their traffic.
    pub points: BTreeMap<Key, PointCounts>,
    /// Evaluations by flag.
    pub evaluations: BTreeMap<Key, Evaluations>,
}

impl Client {
    /// What a report shows, within bounds: operations beyond [`OPERATIONS_MAX`], and those with very long
    /// names, count as [`OTHER`]; fault points beyond [`FAULT_POINTS_MAX`] are left out.
    #[must_use]
    pub fn new(report: &Report, now: Timestamp) -> Self {
        let point = |counts: &PointCounts| PointCounts {
            requests: bounded(&counts.requests, |sum, count| *sum = sum.saturating_add(*count)),
            ..counts.clone()
        };
        let points = report.points.iter().take(FAULT_POINTS_MAX);
        Self {
            client: report.client,
            service: report.service.clone(),
            sdk: report.sdk.clone(),
            level: report.level,
            position: report.position,
            state: report.state,
            faults: report.faults.clone(),
            runs: report.runs.clone(),
            unsupported: report.unsupported.clone(),
            sequence: report.sequence,
            first_heard: now,
            last_heard: now,
            goodbye: report.goodbye,
            operations: bounded(&report.operations, |sum, counts| {
                sum.requests = sum.requests.saturating_add(counts.requests);
                sum.open = sum.open.saturating_add(counts.open);
            }),
            points: points.map(|(key, counts)| (key.clone(), point(counts))).collect(),
            evaluations: report.evaluations.iter().take(EVALUATIONS_MAX).map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }

    /// Whether it was heard within [`CLIENT_SILENT_AFTER`], and has not said goodbye.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.goodbye && now.duration_since(self.last_heard) <= signed(CLIENT_SILENT_AFTER)
    }

    /// Whether it can be struck at a point: it injects, knows the point, and permits faults at it.
    #[must_use]
    pub fn permits(&self, point: &Key) -> bool {
        self.faults.allowed && self.points.get(point).is_some_and(|counts| counts.permitted)
    }
}

/// The name under which an operation is counted.
pub(super) fn operation_name(operation: &str) -> &str {
    if operation.len() > OPERATION_LENGTH_MAX { OTHER } else { operation }
}

fn bounded<T: Clone + Default>(counts: &BTreeMap<String, T>, add: impl Fn(&mut T, &T)) -> BTreeMap<String, T> {
    let mut kept: BTreeMap<String, T> = BTreeMap::new();
    for (operation, count) in counts {
        let name = operation_name(operation);
        let name = if kept.len() < OPERATIONS_MAX { name } else { OTHER };
        add(kept.entry(name.to_owned()).or_default(), count);
    }
    kept
}
