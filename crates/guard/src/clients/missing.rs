//! Arms that do not come.
//!
//! A client says in each report how much it has counted of each active run, and the server knows how much of that has
//! come. Arms may be late, where a report has no room for all of them, or where one was lost. Those that do not come at
//! all leave the server blind, whatever else the client goes on to report.

use std::collections::BTreeSet;

use daybreak_model::InstanceId;
use jiff::Timestamp;

use super::RunCounts;

/// What one client has counted of a run, against what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Draws, strikes and outcomes whose arms have come.
    pub(super) came: u64,
    /// The most that it ever said to have counted.
    counted: u64,
    /// So many it had counted at this time, and not all of them have come since.
    missing: Option<(u64, Timestamp)>,
}

impl Told {
    /// It has counted so many by now.
    fn counted(&mut self, counted: u64, now: Timestamp) {
        self.counted = self.counted.max(counted);
        self.missing = self.still_missing().or_else(|| (self.came < counted).then_some((counted, now)));
    }

    /// What is still missing of what it had counted. Its arms may come without another word of how much there is, where
    /// the run has ended at the client.
    fn still_missing(&self) -> Option<(u64, Timestamp)> {
        self.missing.filter(|(then, _)| self.came < *then)
    }

    /// Whether anything has not come of all that it said to have counted.
    pub(super) const fn is_incomplete(&self) -> bool {
        self.came < self.counted
    }
}

impl RunCounts {
    /// Takes in how much a client has counted, after the arms of the same report.
    pub(super) fn counted(&mut self, client: InstanceId, counted: u64, now: Timestamp) {
        // Who has nothing to tell takes no room.
        if (counted > 0 || self.knows(client)) && self.has_room(client, now) {
            let told = self.told_mut(client);
            told.counted(counted, now);
            let (missing, incomplete) = (told.missing.is_some(), told.is_incomplete());
            set(&mut self.behind, client, missing);
            set(&mut self.incomplete, client, incomplete);
        }
    }

    /// A client says goodbye: what it had no room for is lost, and waited for no more.
    pub(super) fn farewell(&mut self, client: InstanceId) {
        self.behind.remove(&client);
    }

    /// Whether anything that clients counted has not come, be they silent or gone; or was not taken in, as too many clients
    /// told of it.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let told = |client: &InstanceId| self.told(*client).is_some_and(Told::is_incomplete);
        self.overfull.is_some() || self.incomplete.iter().any(told)
    }

    /// Since when arms are missing that a client has counted, where that was longest ago; also where there was no room for
    /// them. Those of the clients that are `silent` are lost, and counted as that.
    #[must_use]
    pub fn missing_since(&self, silent: &BTreeSet<InstanceId>) -> Option<Timestamp> {
        let speaking = self.behind.difference(silent).filter_map(|client| self.told(*client));
        speaking.filter_map(|told| Some(told.still_missing()?.1)).chain(self.overfull).min()
    }
}

fn set(of: &mut BTreeSet<InstanceId>, client: InstanceId, is_in: bool) {
    match is_in {
        true => of.insert(client),
        false => of.remove(&client),
    };
}

#[cfg(test)]
mod tests {
    use daybreak_model::Arm;
    use daybreak_model::wire::{Metric, Report};
    use proptest::prelude::*;

    use super::*;
    use crate::clients::Clients;
    use crate::clients::counts::COUNTED_CLIENTS_MAX;
    use crate::fixtures::{RUN, arm, at, report};

    /// A report that says how much was counted, and perhaps the arms of so many drawn and settled requests.
    fn says(client: u128, sequence: u64, counted: u64, arms: Option<u64>) -> Report {
        let arm = |requests| {
            let mut control = arm(Arm::Control, requests, 0);
            control.counts.insert(Metric::Settled, requests);
            control
        };
        Report {
            arms: arms.map(arm).into_iter().collect(),
            counted: [(RUN, counted)].into(),
            ..report(client, sequence)
        }
    }

    fn clients() -> Clients {
        let mut clients = Clients::default();
        clients.open_run(RUN);
        clients
    }

    fn missing(clients: &Clients, second: i64) -> Option<i64> {
        let since = clients.run(RUN)?.missing_since(&clients.silent(at(second)))?;
        Some(since.duration_since(at(0)).as_secs())
    }

    #[test]
    fn invariant_5_what_was_counted_and_does_not_come_is_missing() {
        let mut clients = clients();
        /// When, what is said, and since when something is missing.
        type Step = (i64, Report, Option<i64>);
        let steps: [Step; 9] = [
            (0, says(1, 1, 0, None), None),
            (2, says(1, 2, 20, Some(10)), None),
            (4, says(1, 3, 40, None), Some(4)),
            (6, says(1, 4, 60, None), Some(4)),
            // What comes is late by less than before: 40 of 60 are here, what was said at 4 s is no longer missing.
            (8, says(1, 5, 60, Some(20)), Some(8)),
            (10, says(1, 6, 80, Some(40)), None),
            (12, says(1, 7, 100, None), Some(12)),
            (14, says(2, 1, 10, None), Some(12)),
            (16, Report { goodbye: true, ..says(1, 8, 120, None) }, Some(14)),
        ];
        for (second, report, expected) in steps {
            clients.report(&report, at(second)).unwrap();
            assert_eq!(missing(&clients, second), expected, "at {second} s");
        }
        assert_eq!(missing(&clients, 19), None, "who is silent is lost, and counted as that");
        let late = Report { counted: Default::default(), ..says(2, 2, 0, Some(5)) };
        clients.report(&late, at(20)).unwrap();
        assert_eq!(missing(&clients, 20), None, "what comes late has come");
    }

    /// Whoever is silent, or said goodbye: what never came was never seen.
    #[test]
    fn invariant_5_a_run_is_incomplete_until_all_has_come() {
        let check = |reports: &[Report], expected: bool| {
            let mut clients = clients();
            for (second, report) in (0..).zip(reports) {
                clients.report(report, at(second)).unwrap();
            }
            assert_eq!(clients.run(RUN).unwrap().is_incomplete(), expected, "{reports:#?}");
            // Forgotten by time, and known all the same.
            clients.sweep(at(3_600));
            assert_eq!(clients.run(RUN).unwrap().is_incomplete(), expected, "{reports:#?}");
        };
        let unsaid = |sequence, arms| Report { counted: Default::default(), ..says(1, sequence, 0, Some(arms)) };
        let goodbye = |report| Report { goodbye: true, ..report };
        check(&[says(1, 1, 20, Some(10))], false);
        check(&[says(1, 1, 20, None)], true);
        check(&[says(1, 1, 20, None), unsaid(2, 10)], false);
        check(&[goodbye(says(1, 1, 20, None))], true);
        check(&[says(1, 1, 20, None), goodbye(unsaid(2, 10))], false);
        // More was counted while some was missing.
        check(&[says(1, 1, 20, None), says(1, 2, 40, None), unsaid(3, 10)], true);
        check(&[says(1, 1, 20, None), says(2, 1, 20, Some(10))], true);
    }

    #[test]
    fn invariant_5_clients_that_there_is_no_room_for_are_missing() {
        let mut run = RunCounts::default();
        let client = |number: usize| InstanceId::new(number as u128);
        (0..COUNTED_CLIENTS_MAX).for_each(|number| run.counted(client(number), 1, at(1)));
        assert_eq!(run.reached(), COUNTED_CLIENTS_MAX);
        run.counted(client(COUNTED_CLIENTS_MAX), 0, at(2));
        let nobody = BTreeSet::new();
        assert_eq!(run.missing_since(&nobody), Some(at(1)), "who counts nothing needs no room");
        run = RunCounts::default();
        (0..COUNTED_CLIENTS_MAX).for_each(|number| run.told_mut(client(number)).came = 1);
        assert_eq!((run.missing_since(&nobody), run.is_incomplete()), (None, false));
        run.counted(client(COUNTED_CLIENTS_MAX), 1, at(2));
        run.counted(client(COUNTED_CLIENTS_MAX + 1), 1, at(3));
        assert_eq!((run.missing_since(&nobody), run.is_incomplete()), (Some(at(2)), true));
        assert_eq!(run.reached(), COUNTED_CLIENTS_MAX);
    }

    /// What it counted stays counted, and it was reached.
    #[test]
    fn who_told_all_and_said_goodbye_takes_no_room() {
        let check = |last: Report, room: usize| {
            let mut clients = clients();
            clients.report(&says(1, 1, 20, Some(10)), at(0)).unwrap();
            clients.report(&Report { goodbye: true, ..last }, at(1)).unwrap();
            clients.sweep(at(3_600));
            let run = clients.run(RUN).unwrap();
            assert_eq!((run.clients().count(), run.reached()), (room, 1));
            assert!(run.arm(Arm::Control).requests >= 10);
        };
        check(says(1, 2, 20, None), 0);
        check(says(1, 2, 40, Some(20)), 0);
        check(says(1, 2, 40, None), 1);
        let open = Report { arms: vec![arm(Arm::Control, 20, 0)], ..says(1, 2, 30, None) };
        check(open, 1);
    }

    proptest! {
        /// Whatever is lost, doubled or overtaken: a client whose reports say all they count is never found out.
        #[test]
        fn who_says_all_is_never_missed(
            steps in prop::collection::vec((0_u64..50, 0_u64..50, any::<bool>()), 1..40), twice in any::<bool>(),
        ) {
            let mut clients = clients();
            let (mut treated, mut control) = (0, 0);
            for (sequence, (more_treated, more_control, arrives)) in steps.into_iter().enumerate() {
                (treated, control) = (treated + more_treated, control + more_control);
                let arms = vec![arm(Arm::Treated, treated, treated), arm(Arm::Control, control, 0)];
                let counted = arms.iter().map(daybreak_model::wire::ArmCounts::events).sum();
                let report = Report { arms, counted: [(RUN, counted)].into(), ..report(1, sequence as u64 + 1) };
                for _ in 0..u8::from(arrives) * (1 + u8::from(twice)) {
                    clients.report(&report, at(sequence as i64)).unwrap();
                }
                prop_assert_eq!(missing(&clients, sequence as i64), None);
            }
        }

        /// Rows that take turns are late and not missing: nothing is waited for longer than a round takes.
        #[test]
        fn rows_that_take_turns_are_waited_for_a_round(
            stages in 2_u32..8, grows in prop::collection::vec(0_u64..20, 10..60),
        ) {
            let mut clients = clients();
            let mut requests = vec![0; stages as usize];
            for (sequence, more) in grows.into_iter().enumerate() {
                requests.iter_mut().for_each(|requests| *requests += more);
                let stage = sequence as u32 % stages;
                let mut arm = arm(Arm::Control, requests[stage as usize], 0);
                arm.stage = stage;
                let counted = [(RUN, requests.iter().sum())].into();
                let report = Report { arms: vec![arm], counted, ..report(1, sequence as u64 + 1) };
                clients.report(&report, at(sequence as i64)).unwrap();
                let since = missing(&clients, sequence as i64).unwrap_or(sequence as i64);
                prop_assert!(sequence as i64 - since < 2 * i64::from(stages));
            }
        }
    }
}
