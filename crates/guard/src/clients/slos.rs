//! What clients count of SLOs, run or no run: error budgets are made of it.

use std::collections::BTreeMap;

use daybreak_model::Key;
use daybreak_model::wire::{Metric, SloCounts};
use jiff::Timestamp;

use super::{Client, Clients, Growth};

/// SLOs that are kept of one client.
const SLOS_MAX: usize = 1_000;
/// What is kept of growth that nobody takes; the oldest goes first.
const GROWTH_MAX: usize = 100_000;

/// Outcomes of root requests, by the measure of one SLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SloTotals {
    /// Good ones.
    pub good: u64,
    /// Bad ones: errors and slow ones.
    pub bad: u64,
}

/// By how much an SLO's outcomes grew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SloGrowth {
    /// The SLO.
    pub slo: Key,
    /// The revision of what was counted.
    pub revision: u64,
    /// By how much.
    pub totals: SloTotals,
    /// When it was reported.
    pub at: Timestamp,
}

/// What one client last reported, by SLO.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Slos(BTreeMap<Key, Known>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Known {
    revision: u64,
    settled: u64,
    bad: u64,
    cancelled: u64,
}

impl Known {
    fn of(revision: u64, counts: &BTreeMap<Metric, u64>) -> Self {
        let of = |metric| counts.get(&metric).copied().unwrap_or_default();
        let bad = of(Metric::Error).saturating_add(of(Metric::Slow));
        Self { revision, settled: of(Metric::Settled), bad, cancelled: of(Metric::Cancelled) }
    }

    /// The more of each.
    fn max(self, other: Self) -> Self {
        Self {
            revision: self.revision.max(other.revision),
            settled: self.settled.max(other.settled),
            bad: self.bad.max(other.bad),
            cancelled: self.cancelled.max(other.cancelled),
        }
    }
}

impl Slos {
    /// Takes a report in; what grew. The first counts of a client that was met late are of before, SLO by SLO, since they may
    /// come piece by piece: but for what no server has acknowledged.
    pub(super) fn take_in(&mut self, counts: &[SloCounts], from_its_start: bool) -> Vec<(Key, u64, SloTotals)> {
        let mut grown = Vec::new();
        for slo in counts {
            if self.0.len() >= SLOS_MAX && !self.0.contains_key(&slo.slo) {
                continue;
            }
            // What was counted by an earlier definition counts no more, whichever comes last.
            if self.0.get(&slo.slo).is_some_and(|known| known.revision > slo.revision) {
                continue;
            }
            let latest = Known::of(slo.revision, &slo.counts);
            let acknowledged = slo.acknowledged.as_ref().map(|counts| Known::of(slo.revision, counts));
            let known = self.0.insert(slo.slo.clone(), latest);
            let met_late = known.is_none() && acknowledged.is_none() && !from_its_start;
            let before =
                |known: Option<Known>| known.filter(|known| known.revision == slo.revision).unwrap_or_default();
            // Another server may have been told meanwhile.
            let before = before(known).max(before(acknowledged));
            let more = |latest: u64, before: u64| latest.saturating_sub(before);
            let bad = more(latest.bad, before.bad);
            let counted = more(latest.settled, before.settled).saturating_sub(more(latest.cancelled, before.cancelled));
            let totals = SloTotals { good: counted.saturating_sub(bad), bad };
            if !met_late && totals != SloTotals::default() {
                grown.push((slo.slo.clone(), slo.revision, totals));
            }
        }
        grown
    }
}

impl Client {
    /// Whether it has counted outcomes for an SLO as of this revision.
    #[must_use]
    pub fn counts(&self, slo: &Key, revision: u64) -> bool {
        self.slos.0.get(slo).is_some_and(|known| known.revision == revision && known.settled > 0)
    }
}

impl Clients {
    /// Keeps what SLOs counted until it is taken.
    pub(super) fn count_slos(&mut self, grown: &Growth, now: Timestamp) {
        for (slo, revision, totals) in &grown.slos {
            self.slos.push(SloGrowth { slo: slo.clone(), revision: *revision, totals: *totals, at: now });
        }
        let excess = self.slos.len().saturating_sub(GROWTH_MAX);
        self.slos.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use daybreak_model::wire::Report;
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{at, key, report};

    /// A report of so many settled, bad and cancelled requests.
    fn counted(client: u128, sequence: u64, revision: u64, counts: [u64; 3]) -> Report {
        let [settled, error, cancelled] = counts;
        let counts = [(Metric::Settled, settled), (Metric::Error, error), (Metric::Cancelled, cancelled)].into();
        let slo = SloCounts { slo: key("checkout"), revision, counts, acknowledged: None };
        Report { slos: vec![slo], ..report(client, sequence) }
    }

    fn totals(clients: &mut Clients) -> (u64, u64) {
        let sum = |(good, bad), growth: SloGrowth| (good + growth.totals.good, bad + growth.totals.bad);
        clients.take_slos().into_iter().fold((0, 0), sum)
    }

    #[test]
    fn outcomes_are_taken_as_differences() {
        let mut clients = Clients::default();
        let mut heard = |report: Report| {
            clients.report(&report, at(0)).unwrap();
            totals(&mut clients)
        };
        assert_eq!(heard(counted(1, 1, 3, [10, 2, 1])), (7, 2));
        assert_eq!(heard(counted(1, 2, 3, [20, 2, 1])), (10, 0));
        assert_eq!(heard(counted(1, 2, 3, [90, 50, 1])), (0, 0), "a duplicate");
        assert_eq!(heard(counted(1, 3, 4, [5, 1, 0])), (4, 1), "another measure begins at nothing");
        assert_eq!(heard(counted(1, 4, 3, [40, 2, 1])), (0, 0), "what was counted by an earlier measure");
        let mut both = counted(1, 5, 3, [50, 2, 1]);
        both.slos.extend(counted(1, 5, 4, [6, 1, 0]).slos);
        assert_eq!(heard(both.clone()), (1, 0), "both are told");
        both.sequence = 6;
        assert_eq!(heard(both), (0, 0), "and told again");
        assert_eq!(heard(counted(2, 90, 4, [1_000, 900, 0])), (0, 0), "met late");
        assert_eq!(heard(counted(2, 91, 4, [1_001, 901, 0])), (0, 1));
        let mut other = counted(2, 92, 1, [500, 400, 0]);
        other.slos.iter_mut().for_each(|slo| slo.slo = key("cart"));
        assert_eq!(heard(other.clone()), (0, 0), "met late, piece by piece");
        other.sequence = 93;
        other.slos.iter_mut().for_each(|slo| slo.revision = 2);
        assert_eq!(heard(other), (100, 400), "what changed since begins at nothing here too");
    }

    /// As after a restart of the server: what it never heard of is not lost, and what it had is not counted twice.
    #[test]
    fn what_no_server_acknowledged_counts_for_one_that_meets_the_client_late() {
        let mut clients = Clients::default();
        let mut heard = |report: Report, acknowledged: Option<[u64; 3]>| {
            let [acknowledged] = [acknowledged.map(|counts| counted(1, 1, 1, counts).slos.remove(0).counts)];
            let slos = report.slos.iter().map(|slo| SloCounts { acknowledged: acknowledged.clone(), ..slo.clone() });
            let slos = slos.collect();
            clients.report(&Report { slos, ..report }, at(0)).unwrap();
            totals(&mut clients)
        };
        assert_eq!(heard(counted(1, 90, 1, [1_000, 100, 10]), Some([900, 40, 5])), (35, 60));
        assert_eq!(heard(counted(1, 91, 1, [1_010, 101, 10]), Some([900, 40, 5])), (9, 1), "the answer was lost");
        assert_eq!(heard(counted(2, 90, 1, [1_000, 100, 10]), Some([0, 0, 0])), (890, 100), "no report ever came");
        assert_eq!(heard(counted(3, 90, 1, [1_000, 100, 10]), None), (0, 0), "all of it was acknowledged");
        assert_eq!(heard(counted(4, 1, 1, [10, 1, 0]), Some([0, 0, 0])), (9, 1));
        assert_eq!(heard(counted(4, 2, 1, [30, 3, 0]), Some([20, 2, 0])), (9, 1), "another server was told meanwhile");
    }

    proptest! {
        /// Whatever is lost, doubled or overtaken, nothing is counted twice, and the last report settles all.
        #[test]
        fn reports_that_are_lost_or_doubled_change_nothing(order in prop::collection::vec(1_u64..20, 0..60)) {
            let mut clients = Clients::default();
            let say = |sequence: u64| counted(1, sequence, 1, [10 * sequence, sequence, 0]);
            let mut sum = (0, 0);
            for sequence in [1].into_iter().chain(order).chain([20]) {
                clients.report(&say(sequence), at(0)).unwrap();
                let (good, bad) = totals(&mut clients);
                sum = (sum.0 + good, sum.1 + bad);
            }
            prop_assert_eq!(sum, (180, 20));
        }
    }
}
