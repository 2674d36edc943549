//! What the faults' side of a report says.

use std::collections::BTreeMap;

use daybreak_model::RunId;
use daybreak_model::wire::{ArmCounts, FaultSupport, PointCounts, Report};

use super::Faults;

impl Faults {
    /// Writes what is known of faults into a report that is about to be sent.
    pub fn fill(&self, report: &mut Report) {
        self.0.wish.granted();
        self.count_overdue();
        report.faults = FaultSupport { allowed: self.allowed(), in_flight: self.0.in_flight.count() };
        let mut grants = self.0.grants.lock();
        grants.forget_ended(self.monotonic());
        report.runs = grants.known();
        report.unsupported = grants.unsupported();
        report.arms = grants.arm_counts();
        report.counted = counted(&report.runs, &report.arms);
        drop(grants);
        report.slos = self.0.measures.counts();
        report.keys = self.0.operations.sketches().report(self.monotonic());
        report.operations = self.0.operations.counts();
        let points = self.0.points.all().map(|point| {
            let (passes, unscoped) = self.0.tally.sum(point.index);
            let requests = self.0.operations.passed(point.index);
            (point.key.clone(), PointCounts { passes, unscoped, requests, permitted: point.permitted })
        });
        report.points = points.collect();
    }

    /// Writes what every report says in full, also one that tells no more than where the client stands. It is not the
    /// report that was wanted. How much was counted of runs is part of it: who is granted a lease for this report, and
    /// whose longer ones are lost, would else go on injecting with nobody missing the arms.
    pub(crate) fn fill_briefly(&self, report: &mut Report) {
        report.faults = FaultSupport { allowed: self.allowed(), in_flight: self.0.in_flight.count() };
        let grants = self.0.grants.lock();
        report.runs = grants.known();
        report.unsupported = grants.unsupported();
        report.counted = counted(&report.runs, &grants.arm_counts());
    }

    /// Waits until a report is due before its interval is over: a start was announced, a point was named for
    /// the first time, this process was halted. Lasts until [`Faults::fill`]; may be dropped and begun anew.
    pub async fn wants_report(&self) {
        self.0.wish.wait().await;
    }
}

/// How much was counted of each of these runs, over all its arms.
fn counted(runs: &[RunId], arms: &[ArmCounts]) -> BTreeMap<RunId, u64> {
    let mut counted: BTreeMap<RunId, u64> = runs.iter().map(|run| (*run, 0)).collect();
    for arm in arms {
        if let Some(counted) = counted.get_mut(&arm.run) {
            *counted += arm.events();
        }
    }
    counted
}
