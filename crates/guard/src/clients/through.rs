//! Whether the last requests of a run that has ended are through, so that nothing more can be learned of it.

use daybreak_model::{InstanceId, RunId};
use jiff::Timestamp;

use super::{Client, Clients};

impl Clients {
    /// Whether every client has told all that it ever will of a run that lasted from one time to the other. One that is silent
    /// without a goodbye may yet speak, unless it was lost already and never had the run.
    #[must_use]
    pub fn is_through(&self, run: RunId, (started, ended): (Timestamp, Timestamp), now: Timestamp) -> bool {
        let has_told_all = |client| self.has_told_all(run, client, ended);
        let counted = self.run(run).is_none_or(|run| !run.is_incomplete() && run.clients().all(has_told_all));
        let never_had = |client: &Client| !client.is_live(now) && client.last_heard < started;
        counted && self.iter().all(|client| has_heard(client, run, ended) || never_had(client))
    }

    /// Whether a client has told all that it ever will of a run that ended at this time: it has reported since, without the
    /// run among those that it has; and where it counted anything of the run, that came again, with nothing open. One that
    /// was forgotten tells nothing more.
    pub(super) fn has_told_all(&self, run: RunId, client: InstanceId, ended: Timestamp) -> bool {
        let (Some(known), Some(counts)) = (self.get(client), self.run(run)) else { return false };
        has_heard(known, run, ended) && counts.has_told_all(client, (!known.goodbye).then_some(ended))
    }
}

/// Whether a client knows that a run has ended.
fn has_heard(client: &Client, run: RunId, ended: Timestamp) -> bool {
    client.goodbye || (client.last_heard > ended && !client.runs.contains(&run))
}

#[cfg(test)]
pub(super) mod tests {
    use daybreak_model::Arm;
    use daybreak_model::wire::{ArmCounts, Metric, Report};

    use super::*;
    use crate::fixtures::{RUN, arm, at, report};

    const STARTED: i64 = 90;
    const ENDED: i64 = 100;

    /// A report of ten treated requests, so many of which are settled.
    pub(in crate::clients) fn settled(client: u128, sequence: u64, settled: u64) -> Report {
        let mut counts: ArmCounts = arm(Arm::Treated, 10, 10);
        counts.counts.insert(Metric::Settled, settled);
        Report { arms: vec![counts], ..report(client, sequence) }
    }

    #[test]
    fn all_have_told_all() {
        let check = |reports: &[(i64, Report)], expected: bool| {
            let mut clients = Clients::default();
            clients.open_run(RUN);
            for (second, report) in reports {
                clients.report(report, at(*second)).unwrap();
            }
            assert_eq!(clients.is_through(RUN, (at(STARTED), at(ENDED)), at(105)), expected, "{reports:#?}");
        };
        let has = |report: Report| Report { runs: vec![RUN], ..report };
        let goodbye = |report: Report| Report { goodbye: true, ..report };
        check(&[], true);
        check(&[(101, settled(1, 1, 10))], true);
        check(&[(99, settled(1, 1, 10))], false);
        check(&[(100, settled(1, 1, 10))], false);
        // A report may have had no room for the run.
        check(&[(99, settled(1, 1, 10)), (101, report(1, 2))], false);
        check(&[(99, settled(1, 1, 10)), (101, report(1, 2)), (102, settled(1, 3, 10))], true);
        check(&[(101, settled(1, 1, 9))], false);
        check(&[(101, settled(1, 1, 9)), (102, settled(1, 2, 10))], true);
        check(&[(101, has(settled(1, 1, 10)))], false);
        check(&[(101, has(settled(1, 1, 10))), (102, settled(1, 2, 10))], true);
        // One row that came does not hide another that did not.
        let counted = |report: Report| Report { counted: [(RUN, 40)].into(), ..report };
        check(&[(99, counted(settled(1, 1, 10))), (101, settled(1, 2, 10))], false);
        check(&[(99, goodbye(counted(settled(1, 1, 10))))], false);
        // Each client, also one that has counted nothing yet.
        check(&[(101, settled(1, 1, 10)), (99, report(2, 1))], false);
        check(&[(101, settled(1, 1, 10)), (101, has(report(2, 1)))], false);
        check(&[(101, settled(1, 1, 10)), (101, report(2, 1))], true);
        // One that was lost before the run began never had it; one that may only be slow is waited for.
        check(&[(101, settled(1, 1, 10)), (74, report(2, 1))], true);
        check(&[(101, settled(1, 1, 10)), (75, report(2, 1))], false);
        check(&[(101, settled(1, 1, 10)), (74, settled(2, 1, 10))], false);
        // A goodbye is a last word, but not of what was still open.
        check(&[(99, goodbye(settled(1, 1, 10)))], true);
        check(&[(99, goodbye(settled(1, 1, 9)))], false);
    }

    #[test]
    fn a_client_that_was_forgotten_tells_nothing_more() {
        let mut clients = Clients::default();
        clients.open_run(RUN);
        clients.report(&settled(1, 1, 10), at(0)).unwrap();
        clients.sweep(at(3_600));
        assert_eq!(clients.iter().count(), 0);
        assert!(!clients.is_through(RUN, (at(STARTED), at(ENDED)), at(3_600)));
    }
}
