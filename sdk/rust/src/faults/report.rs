//! What the faults' side of a report says.

use daybreak_model::wire::{FaultSupport, PointCounts, Report};

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
        let active = report.runs.iter().map(|run| (*run, 0));
        report.counted = active.collect();
        for arm in &report.arms {
            if let Some(counted) = report.counted.get_mut(&arm.run) {
                *counted += arm.events();
            }
        }
        drop(grants);
        report.slos = self.0.measures.counts();
        report.keys = self.0.operations.sketches().report(self.monotonic());
        report.operations = self.0.operations.counts();
        let points = self.0.points.all().into_iter().map(|point| {
            let (passes, unscoped) = self.0.tally.sum(point.index);
            let requests = self.0.operations.passed(point.index);
            (point.key.clone(), PointCounts { passes, unscoped, requests, permitted: point.permitted })
        });
        report.points = points.collect();
    }

    /// Writes what every report says in full, also one that tells no more than where the client stands. It is not the
    /// report that was wanted.
    pub(crate) fn fill_briefly(&self, report: &mut Report) {
        report.faults = FaultSupport { allowed: self.allowed(), in_flight: self.0.in_flight.count() };
        let grants = self.0.grants.lock();
        report.runs = grants.known();
        report.unsupported = grants.unsupported();
    }

    /// Waits until a report is due before its interval is over: a start was announced, a point was named for
    /// the first time, this process was halted. Lasts until [`Faults::fill`]; may be dropped and begun anew.
    pub async fn wants_report(&self) {
        self.0.wish.wait().await;
    }
}
