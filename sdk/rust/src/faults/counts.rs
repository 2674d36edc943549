//! What is counted: root requests, passes, arms. All bounded, all cumulative.

use std::collections::BTreeMap;

use daybreak_model::limits::{FAULT_POINTS_MAX, OPERATIONS_MAX};
use daybreak_model::wire::{ArmCounts, Metric, OperationCounts, PointCounts, Report};
use daybreak_model::{Arm, Key, RunId};
use parking_lot::Mutex;

/// The name under which everything beyond the bound is counted.
const OTHER: &str = "other";
/// Runs whose counters are kept; the oldest go first.
const RUNS_MAX: usize = 64;

/// The counters of one process.
#[derive(Debug, Default)]
pub(super) struct Counts {
    operations: Mutex<BTreeMap<Box<str>, OperationCounts>>,
    points: Mutex<BTreeMap<Key, PointCounts>>,
    arms: Mutex<Arms>,
}

/// A run, the stage at the draw, the arm, and the root operation.
type Cell = (RunId, u32, Arm, Box<str>);

#[derive(Debug, Default)]
struct Arms {
    counts: BTreeMap<Cell, BTreeMap<Metric, u64>>,
    /// In the order in which they were first seen.
    runs: Vec<RunId>,
}

impl Counts {
    pub(super) fn operation_begins(&self, operation: &str) -> Box<str> {
        let mut operations = self.operations.lock();
        let full = operations.len() >= OPERATIONS_MAX && !operations.contains_key(operation);
        let name: Box<str> = if full { OTHER.into() } else { operation.into() };
        let counts = operations.entry(name.clone()).or_default();
        counts.requests += 1;
        counts.open += 1;
        name
    }

    pub(super) fn operation_ends(&self, operation: &str) {
        if let Some(counts) = self.operations.lock().get_mut(operation) {
            counts.open = counts.open.saturating_sub(1);
        }
    }

    /// Counts a pass; `first` is the operation of a root request that passes the point for the first time.
    pub(super) fn pass(&self, point: &Key, scoped: bool, first: Option<&str>) {
        let mut points = self.points.lock();
        if points.len() >= FAULT_POINTS_MAX && !points.contains_key(point) {
            return;
        }
        let counts = points.entry(point.clone()).or_default();
        counts.passes += 1;
        counts.unscoped += u64::from(!scoped);
        if let Some(operation) = first {
            match counts.requests.get_mut(operation) {
                Some(requests) => *requests += 1,
                None => _ = counts.requests.insert(operation.to_owned(), 1),
            }
        }
    }

    pub(super) fn arm(&self, run: RunId, stage: u32, arm: Arm, operation: &str, metrics: &[Metric]) {
        let mut arms = self.arms.lock();
        if !arms.runs.contains(&run) {
            arms.admit(run);
        }
        let counts = arms.counts.entry((run, stage, arm, operation.into())).or_default();
        for metric in metrics {
            *counts.entry(*metric).or_default() += 1;
        }
    }

    pub(super) fn fill(&self, report: &mut Report) {
        let operations = self.operations.lock();
        report.operations = operations.iter().map(|(name, counts)| (name.to_string(), *counts)).collect();
        report.points.clone_from(&self.points.lock());
        let arms = self.arms.lock();
        let counts = arms.counts.iter().map(|((run, stage, arm, operation), counts)| ArmCounts {
            run: *run,
            stage: *stage,
            arm: *arm,
            operation: operation.to_string(),
            counts: counts.clone(),
        });
        report.arms = counts.collect();
    }
}

impl Arms {
    fn admit(&mut self, run: RunId) {
        if self.runs.len() >= RUNS_MAX {
            let oldest = self.runs.remove(0);
            self.counts.retain(|(run, ..), _| *run != oldest);
        }
        self.runs.push(run);
    }
}
