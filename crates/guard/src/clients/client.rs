//! One client, as its latest report shows it.

use std::collections::BTreeMap;

use daybreak_model::limits::{CLIENT_SILENT_AFTER, FAULT_POINTS_MAX, OPERATIONS_MAX};
use daybreak_model::wire::{
    ClientState, Evaluations, FaultSupport, OperationCounts, PointCounts, Position, Report, Sdk,
};
use daybreak_model::{InstanceId, Key, RunId};
use jiff::Timestamp;
use serde::Serialize;

use super::slos::{SloTotals, Slos};
use crate::span::signed;

pub use daybreak_model::limits::OPERATION_LENGTH_MAX;

/// The name of what is not counted by name.
pub const OTHER: &str = "other";
/// Flags whose evaluations are kept of one client.
pub const EVALUATIONS_MAX: usize = 20_000;
/// Variants of one flag whose evaluations are kept of one client.
pub const EVALUATED_VARIANTS_MAX: usize = 100;

/// One client. Its counters are cumulative since its own start. A report may leave out what has not changed since
/// an earlier one, so each report is taken in on top of what is known: what is absent from it is unchanged.
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
    /// What its root requests came to, by SLO.
    #[serde(skip)]
    pub(super) slos: Slos,
    /// Whether it was heard from its first report on. If not, a counter that comes for the first time may have
    /// grown long ago.
    #[serde(skip)]
    from_its_start: bool,
}

/// By how much the counters of traffic grew with one report.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Growth {
    /// Root requests by operation.
    pub(super) requests: BTreeMap<String, u64>,
    /// Root requests that passed a fault point, by operation.
    pub(super) passed: Vec<(Key, String, u64)>,
    /// Outcomes by SLO and its revision.
    pub(super) slos: Vec<(Key, u64, SloTotals)>,
    /// Evaluations by flag and variant.
    pub(super) evaluations: Vec<EvaluationGrowth>,
}

/// By how much the evaluations of a flag grew with one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationGrowth {
    /// The flag.
    pub flag: Key,
    /// The variant; none where the caller's default was served, because of an error.
    pub variant: Option<Key>,
    /// By how much.
    pub count: u64,
    /// Whether all of it is of late: not where it is what a client had counted when it was first heard of.
    pub recent: bool,
}

impl Client {
    /// A client that nothing is known of but this report.
    pub(super) fn new(report: &Report, now: Timestamp) -> Self {
        Self {
            client: report.client,
            service: report.service.clone(),
            sdk: report.sdk.clone(),
            level: report.level,
            position: None,
            state: report.state,
            faults: FaultSupport::default(),
            runs: Vec::new(),
            unsupported: Vec::new(),
            sequence: report.sequence,
            first_heard: now,
            last_heard: now,
            goodbye: false,
            operations: BTreeMap::new(),
            points: BTreeMap::new(),
            evaluations: BTreeMap::new(),
            slos: Slos::default(),
            from_its_start: report.sequence <= 1,
        }
    }

    /// Takes a report in that is newer than any before it, and says what grew. All of it is bounded: operations
    /// beyond [`OPERATIONS_MAX`], and those with very long names, count as [`OTHER`]; fault points beyond
    /// [`FAULT_POINTS_MAX`] and flags beyond [`EVALUATIONS_MAX`] are left out.
    pub(super) fn take_in(&mut self, report: &Report, now: Timestamp) -> Growth {
        self.sdk.clone_from(&report.sdk);
        self.level = report.level;
        self.position = report.position;
        self.state = report.state;
        self.faults.clone_from(&report.faults);
        self.runs.clone_from(&report.runs);
        self.unsupported.clone_from(&report.unsupported);
        self.sequence = report.sequence;
        self.last_heard = now;
        self.goodbye = report.goodbye;
        Growth {
            evaluations: self.evaluated(&report.evaluations),
            requests: self.requested(&report.operations),
            passed: self.passed(&report.points),
            slos: self.slos.take_in(&report.slos, self.from_its_start),
        }
    }

    fn requested(&mut self, operations: &BTreeMap<String, OperationCounts>) -> BTreeMap<String, u64> {
        let mut grown = BTreeMap::new();
        let reported = operations.iter().map(|(operation, counts)| (operation.as_str(), *counts));
        for (operation, counts) in folded(&self.operations, reported) {
            let first = !self.operations.contains_key(operation) && !self.from_its_start;
            let kept = self.operations.entry(operation.to_owned()).or_default();
            kept.open = counts.open;
            let more = raise(&mut kept.requests, counts.requests);
            if more > 0 && !first {
                grown.insert(operation.to_owned(), more);
            }
        }
        grown
    }

    fn passed(&mut self, points: &BTreeMap<Key, PointCounts>) -> Vec<(Key, String, u64)> {
        let mut grown = Vec::new();
        for (point, counts) in points {
            if !self.points.contains_key(point) && self.points.len() >= FAULT_POINTS_MAX {
                continue;
            }
            let kept = self.points.entry(point.clone()).or_default();
            kept.permitted = counts.permitted;
            raise(&mut kept.passes, counts.passes);
            raise(&mut kept.unscoped, counts.unscoped);
            let reported = counts
                .requests
                .iter()
                .map(|(operation, requests)| (operation.as_str(), OperationCounts { requests: *requests, open: 0 }));
            for (operation, counts) in folded(&kept.requests, reported) {
                let first = !kept.requests.contains_key(operation) && !self.from_its_start;
                let more = raise(kept.requests.entry(operation.to_owned()).or_default(), counts.requests);
                if more > 0 && !first {
                    grown.push((point.clone(), operation.to_owned(), more));
                }
            }
        }
        grown
    }

    fn evaluated(&mut self, evaluations: &BTreeMap<Key, Evaluations>) -> Vec<EvaluationGrowth> {
        let (mut grown, from_its_start) = (Vec::new(), self.from_its_start);
        let mut add = |flag: &Key, variant: Option<&Key>, count: u64, known: bool| {
            if count > 0 {
                let recent = known || from_its_start;
                grown.push(EvaluationGrowth { flag: flag.clone(), variant: variant.cloned(), count, recent });
            }
        };
        for (flag, counts) in evaluations {
            if !self.evaluations.contains_key(flag) && self.evaluations.len() >= EVALUATIONS_MAX {
                continue;
            }
            let known = self.evaluations.contains_key(flag);
            let kept = self.evaluations.entry(flag.clone()).or_default();
            add(flag, None, raise(&mut kept.errors, counts.errors), known);
            for (variant, count) in &counts.variants {
                if kept.variants.contains_key(variant) || kept.variants.len() < EVALUATED_VARIANTS_MAX {
                    let known = kept.variants.contains_key(variant);
                    let more = raise(kept.variants.entry(variant.clone()).or_default(), *count);
                    add(flag, Some(variant), more, known);
                }
            }
        }
        grown
    }

    /// Whether it was heard from its first report on. If not, what it counts for the first time may be from long ago.
    #[must_use]
    pub const fn is_known_from_its_start(&self) -> bool {
        self.from_its_start
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

/// Raises a cumulative counter to what was reported, and says by how much it grew. One that shrinks stays.
fn raise(kept: &mut u64, reported: u64) -> u64 {
    let grown = reported.saturating_sub(*kept);
    *kept = (*kept).max(reported);
    grown
}

/// What was reported, under the names that it is counted by.
fn folded<'r, T>(
    kept: &BTreeMap<String, T>,
    reported: impl Iterator<Item = (&'r str, OperationCounts)>,
) -> BTreeMap<&'r str, OperationCounts> {
    let named = kept.len() - usize::from(kept.contains_key(OTHER));
    let mut room = OPERATIONS_MAX.saturating_sub(named);
    let mut folded: BTreeMap<&str, OperationCounts> = BTreeMap::new();
    for (operation, counts) in reported {
        let mut name = operation_name(operation);
        if name != OTHER && !kept.contains_key(name) && !folded.contains_key(name) {
            match room.checked_sub(1) {
                Some(left) => room = left,
                None => name = OTHER,
            }
        }
        let sum = folded.entry(name).or_default();
        sum.requests = sum.requests.saturating_add(counts.requests);
        sum.open = sum.open.saturating_add(counts.open);
    }
    folded
}
