//! Clients that fall silent without a goodbye: perhaps the fault is what silenced them.

use std::collections::BTreeSet;

use daybreak_model::{InstanceId, Millis};
use jiff::Timestamp;

use super::{Client, Clients, silence};
use crate::run::Run;
use crate::span::signed;

/// A client that struck, or treated requests, within this time, and is silent for [`LOST_AFTER`], is lost.
pub const AT_RISK_WITHIN: Millis = Millis::from_secs(60);
/// How long such a client may be silent without a goodbye.
pub const LOST_AFTER: Millis = Millis::from_secs(5);
/// So many lost clients abort a run.
pub const LOST_CLIENTS_MAX: usize = 2;

impl Clients {
    /// The clients that have been silent for [`LOST_AFTER`] without a goodbye.
    #[must_use]
    pub fn silent(&self, now: Timestamp) -> BTreeSet<InstanceId> {
        let silent = |client: &&Client| !client.goodbye && silence(client, now) >= signed(LOST_AFTER);
        self.iter().filter(silent).map(|client| client.client).collect()
    }

    /// How many clients that struck for this run, or treated requests, within [`AT_RISK_WITHIN`] have been
    /// [`silent`](Self::silent) for [`LOST_AFTER`] without a goodbye. [`LOST_CLIENTS_MAX`] of them abort it. Once it has
    /// ended, those count that did so within that time before its end, unless they have told all of it since: nothing more
    /// is to be heard of them. A shadow run strikes nothing, so nobody is silent by it.
    #[must_use]
    pub fn lost(&self, run: &Run, silent: &BTreeSet<InstanceId>, now: Timestamp) -> usize {
        let Some(counts) = self.run(run.id).filter(|_| !run.spec.shadow) else { return 0 };
        let ended = run.end.as_ref().map(|end| end.at);
        let until = ended.map_or(now, |ended| ended.min(now));
        let since = until.checked_sub(signed(AT_RISK_WITHIN)).unwrap_or(Timestamp::MIN);
        let is_done = |client: &InstanceId| ended.is_some_and(|ended| self.has_told_all(run.id, *client, ended));
        counts.lost(silent, since).filter(|client| !is_done(client)).count()
    }
}

#[cfg(test)]
mod tests {
    use daybreak_model::Arm;
    use daybreak_model::wire::{Report, RunSpec};

    use super::super::through::tests::settled;
    use super::*;
    use crate::fixtures::{RUN, arm, at, report, run};
    use crate::run::Event;

    const ENDED: i64 = 100;

    /// A report with so many treated requests, all of them struck.
    fn striking(client: u128, sequence: u64, struck: u64) -> Report {
        Report { arms: vec![arm(Arm::Treated, struck, struck)], ..report(client, sequence) }
    }

    /// Clients that have reported of [`RUN`], each report in its second.
    fn clients(reports: &[(i64, Report)]) -> Clients {
        let mut clients = Clients::default();
        clients.open_run(RUN);
        for (second, report) in reports {
            clients.report(report, at(*second)).unwrap();
        }
        clients
    }

    #[test]
    fn invariant_5_clients_that_struck_and_fell_silent_are_lost() {
        let goodbye = Report { goodbye: true, ..striking(3, 2, 9) };
        let quiet = Report { arms: vec![arm(Arm::Control, 5, 0)], ..report(4, 1) };
        let clients = clients(&[
            (0, striking(1, 1, 1)),
            (10, striking(2, 1, 1)),
            (10, striking(3, 1, 1)),
            (11, goodbye),
            (0, quiet),
            // It struck once, and then only reported on.
            (0, striking(5, 1, 1)),
            (40, striking(5, 2, 1)),
        ]);
        let check = |second: i64, expected: usize| {
            let silent = clients.silent(at(second));
            assert_eq!(clients.lost(&run(), &silent, at(second)), expected, "at {second} s");
        };
        check(4, 0);
        check(5, 1);
        check(14, 1);
        check(15, 2);
        check(45, 3);
        check(60, 3);
        check(61, 1);
        check(71, 0);
    }

    /// The root dies by what another service injects: it strikes nothing itself.
    #[test]
    fn invariant_5_clients_whose_treated_requests_are_struck_elsewhere_are_lost() {
        let check = |reports: &[(i64, Report)], second: i64, expected: usize| {
            let clients = clients(reports);
            let lost = |run: &Run| clients.lost(run, &clients.silent(at(second)), at(second));
            assert_eq!(lost(&run()), expected, "at {second} s: {reports:#?}");
            let shadow = Run { spec: RunSpec { shadow: true, ..run().spec }, ..run() };
            assert_eq!(lost(&shadow), 0, "at {second} s: {reports:#?}");
        };
        let root = |sequence, treated, control| {
            let arms = vec![arm(Arm::Treated, treated, 0), arm(Arm::Control, control, 0)];
            Report { arms, ..report(1, sequence) }
        };
        let behind = Report { service: "gateway".to_owned(), arms: vec![arm(Arm::Treated, 0, 3)], ..report(2, 1) };
        check(&[(0, root(1, 1, 0))], 4, 0);
        check(&[(0, root(1, 1, 0))], 5, 1);
        check(&[(0, root(1, 0, 100))], 5, 0);
        check(&[(0, root(1, 1, 0)), (0, behind.clone())], 5, 2);
        check(&[(0, root(1, 0, 100)), (0, behind)], 5, 1);
        // Since then it has only served others.
        check(&[(0, root(1, 1, 0)), (50, root(2, 1, 100))], 60, 1);
        check(&[(0, root(1, 1, 0)), (50, root(2, 1, 100))], 61, 0);
        check(&[(0, root(1, 1, 0)), (50, root(2, 2, 100))], 61, 1);
        check(&[(0, root(1, 1, 0)), (1, Report { goodbye: true, ..root(2, 2, 0) })], 30, 0);
    }

    /// Whoever has told all may fall silent. Who has not may be silent by the fault.
    #[test]
    fn invariant_5_who_struck_until_the_end_and_has_not_told_all_is_lost() {
        let check = |reports: &[(i64, Report)], second: i64, expected: usize| {
            let (clients, mut run) = (clients(reports), run());
            let _ = run.step(Event::Stop { actor: None, reason: None }, at(ENDED));
            assert_eq!(
                clients.lost(&run, &clients.silent(at(second)), at(second)),
                expected,
                "at {second}: {reports:#?}"
            );
        };
        let has = |report: Report| Report { runs: vec![RUN], ..report };
        let counted = |report: Report| Report { counted: [(RUN, 40)].into(), ..report };
        let before = |settled_then| (99, has(settled(1, 1, settled_then)));
        check(&[before(10)], 103, 0);
        check(&[before(10)], 104, 1);
        check(&[before(10), (101, settled(1, 2, 10))], 106, 0);
        check(&[before(9), (101, settled(1, 2, 9))], 106, 1);
        check(&[before(9), (101, settled(1, 2, 9)), (103, settled(1, 3, 10))], 130, 0);
        check(&[before(10), (101, has(settled(1, 2, 10)))], 106, 1);
        check(&[before(10), (101, counted(settled(1, 2, 10)))], 106, 1);
        // It reported since, and its arms had no room.
        check(&[before(10), (101, report(1, 2))], 106, 1);
        check(&[before(10), (101, Report { goodbye: true, ..report(1, 2) })], 130, 0);
        // It struck last more than a minute before the end, however late that is looked at.
        check(&[(39, settled(1, 1, 10))], 130, 0);
        check(&[(40, settled(1, 1, 10))], 160, 1);
    }
}
