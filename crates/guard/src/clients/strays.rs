//! Strikes without a run: those that clients report of runs that are not open any more, or never were.
//!
//! A client goes on to tell what it counted of a run that has ended, and who was cut off tells late what it struck while it
//! had its lease. None of that is stray. So a run that is not open is first left alone until every lease of it has lapsed;
//! then the first word of each of its arms is where that arm stands, and only what it grows by from there was struck
//! without a run. One that strays goes on telling, and is seen by its next word.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use daybreak_model::limits::LEASE_MAX;
use daybreak_model::wire::{ArmCounts, Metric};
use daybreak_model::{Arm, InstanceId, Millis, RunId};
use jiff::Timestamp;

use super::{SHOWN_AFTER_SILENCE, silence_since};
use crate::span::signed;

/// How long a report may be under way.
const UNDER_WAY_MAX: Millis = Millis::from_secs(10);
/// Runs that are remembered; of those beyond nothing is counted.
const RUNS_MAX: usize = 256;
/// Arms of clients that are remembered, over all runs; of those beyond nothing is counted.
const ARMS_MAX: usize = 100_000;

/// A client that struck without a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Who it is.
    pub client: InstanceId,
    /// The service that it is part of.
    pub service: String,
    /// The run that it named.
    pub run: RunId,
    /// How often it struck since its report before.
    pub strikes: u64,
}

/// What is remembered of runs that are not open.
#[derive(Debug, Default)]
pub(super) struct Strays {
    runs: BTreeMap<RunId, Closed>,
    /// Arms over all runs.
    arms: usize,
    strikes: u64,
    new: Vec<Stray>,
}

/// A run that is not open.
#[derive(Debug)]
struct Closed {
    /// When anything was first told of it since, and last.
    since: Timestamp,
    told: Timestamp,
    /// Strikes by client and arm, as last told.
    arms: BTreeMap<(InstanceId, u64), u64>,
    /// Whether anybody was found to stray in it.
    strayed: bool,
}

impl Strays {
    /// Takes in what a client tells of runs that are not open, in a report that is newer than any before it.
    pub(super) fn take_in<'r>(
        &mut self,
        client: InstanceId,
        service: &str,
        counted: impl Iterator<Item = &'r ArmCounts>,
        now: Timestamp,
    ) {
        // Who has struck nothing takes no room.
        let struck = counted.filter_map(|arm| match arm.counts.get(&Metric::Strikes) {
            Some(strikes) if arm.arm == Arm::Treated && *strikes > 0 => Some((arm, *strikes)),
            _ => None,
        });
        for (arm, strikes) in struck {
            let grown = self.grown(client, arm, strikes, now);
            self.strikes = self.strikes.saturating_add(grown);
            // One of a run is enough to look for.
            if grown > 0
                && let Some(run) = self.runs.get_mut(&arm.run).filter(|run| !run.strayed)
            {
                run.strayed = true;
                self.new.push(Stray { client, service: service.to_owned(), run: arm.run, strikes: grown });
            }
        }
    }

    /// By how much an arm grew since all leases have lapsed.
    fn grown(&mut self, client: InstanceId, arm: &ArmCounts, strikes: u64, now: Timestamp) -> u64 {
        if self.runs.len() >= RUNS_MAX && !self.runs.contains_key(&arm.run) {
            return 0;
        }
        let new = Closed { since: now, told: now, arms: BTreeMap::new(), strayed: false };
        let run = self.runs.entry(arm.run).or_insert(new);
        // A wall clock may have been put back.
        run.since = run.since.min(now);
        run.told = now;
        if silence_since(run.since, now) < signed(LEASE_MAX) + signed(UNDER_WAY_MAX) {
            return 0;
        }
        let name = (client, name_of(arm));
        match run.arms.get_mut(&name) {
            Some(known) => {
                let grown = strikes.saturating_sub(*known);
                *known = strikes.max(*known);
                grown
            }
            None if self.arms < ARMS_MAX => {
                run.arms.insert(name, strikes);
                self.arms += 1;
                0
            }
            None => 0,
        }
    }

    /// How often anybody struck without a run.
    pub(super) const fn strikes(&self) -> u64 {
        self.strikes
    }

    /// Takes those that were found since the last time: the first of each run.
    pub(super) fn take(&mut self) -> Vec<Stray> {
        std::mem::take(&mut self.new)
    }

    /// Forgets the runs of which nobody tells any more.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.runs.retain(|_, run| silence_since(run.told, now) <= signed(SHOWN_AFTER_SILENCE));
        self.arms = self.runs.values().map(|run| run.arms.len()).sum();
    }
}

/// Which requests: a number for the stage and the operation, which may be long.
fn name_of(arm: &ArmCounts) -> u64 {
    let mut hasher = DefaultHasher::new();
    (arm.stage, &arm.operation).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use daybreak_model::wire::Report;

    use super::*;
    use crate::clients::Clients;
    use crate::fixtures::{RUN, arm, at, report};

    fn tells(client: u128, sequence: u64, struck: u64) -> Report {
        Report { arms: vec![arm(Arm::Treated, struck, struck)], ..report(client, sequence) }
    }

    /// When, by whom, and how many strikes are told.
    type Words = &'static [(i64, u128, u64)];

    /// What is told of a run that is over, and how many strikes of that are stray.
    #[test]
    fn what_is_struck_after_a_run_is_stray_and_what_is_told_late_is_not() {
        let cases: [(&str, Words, u64); 9] = [
            ("it is told on and on", &[(106, 1, 5), (150, 1, 5), (160, 1, 5), (190, 1, 5)], 0),
            ("one strikes on", &[(106, 1, 5), (150, 1, 5), (160, 1, 8), (170, 1, 9)], 4),
            ("a lease had not lapsed", &[(106, 1, 5), (120, 1, 9), (150, 1, 9), (160, 1, 9)], 0),
            ("one was cut off", &[(106, 1, 5), (900, 2, 700), (902, 2, 700)], 0),
            ("one was cut off and strikes on", &[(106, 1, 5), (700, 1, 5), (900, 2, 700), (902, 2, 703)], 3),
            ("nobody told at first", &[(4_000, 1, 9), (4_041, 1, 9), (4_050, 1, 10)], 1),
            ("a count that shrinks", &[(106, 1, 5), (150, 1, 5), (152, 1, 3), (154, 1, 5), (156, 1, 6)], 1),
            ("another that counts more", &[(106, 1, 5), (150, 1, 5), (151, 2, 9), (152, 2, 9)], 0),
            ("at once", &[(106, 1, 5), (108, 1, 9)], 0),
        ];
        for (what, told, expected) in cases {
            let mut clients = Clients::default();
            clients.open_run(RUN);
            clients.report(&tells(1, 1, 5), at(90)).unwrap();
            clients.close_run(RUN);
            for (sequence, (second, client, struck)) in (2..).zip(told) {
                clients.report(&tells(*client, sequence, *struck), at(*second)).unwrap();
            }
            assert_eq!(clients.stray_strikes(), expected, "{what}");
            let strays = clients.take_strays();
            assert_eq!(strays.len(), usize::from(expected > 0), "{what}: {strays:?}");
        }
    }

    #[test]
    fn an_open_run_has_no_strays_and_one_that_never_was_open_has() {
        let told = |open: bool| {
            let mut clients = Clients::default();
            if open {
                clients.open_run(RUN);
            }
            for (sequence, (second, struck)) in (1..).zip([(0, 1), (41, 2), (43, 4), (45, 7)]) {
                clients.report(&tells(1, sequence, struck), at(second)).unwrap();
            }
            (clients.stray_strikes(), clients.take_strays())
        };
        assert_eq!(told(true), (0, Vec::new()));
        let first = Stray { client: InstanceId::new(1), service: "shop".to_owned(), run: RUN, strikes: 2 };
        assert_eq!(told(false), (5, vec![first]));
    }

    /// A report may have no room for all arms: one that comes later than another is no strike.
    #[test]
    fn each_arm_stands_for_itself() {
        let mut clients = Clients::default();
        let of =
            |operation: &str, struck| ArmCounts { operation: operation.to_owned(), ..arm(Arm::Treated, 9, struck) };
        let reports = [(0, of("a", 5)), (50, of("a", 5)), (52, of("b", 9)), (54, of("a", 5)), (56, of("b", 10))];
        for (sequence, (second, arm)) in (1..).zip(reports) {
            clients.report(&Report { arms: vec![arm], ..report(1, sequence) }, at(second)).unwrap();
        }
        assert_eq!(clients.stray_strikes(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_goes() {
        let mut clients = Clients::default();
        let runs = |count: u64| (0..count).map(|id| ArmCounts { run: RunId::new(id), ..arm(Arm::Treated, 1, 1) });
        let many = |sequence| Report { arms: runs(2 * RUNS_MAX as u64).collect(), ..report(1, sequence) };
        clients.report(&many(1), at(0)).unwrap();
        let operation = |number| ArmCounts { operation: format!("GET /{number}"), ..arm(Arm::Treated, 1, 1) };
        let arms = |sequence| Report { arms: (0..ARMS_MAX + 9).map(operation).collect(), ..report(1, sequence) };
        clients.report(&arms(2), at(50)).unwrap();
        assert_eq!((clients.strays.runs.len(), clients.strays.arms), (RUNS_MAX, ARMS_MAX));
        clients.sweep(at(700));
        assert_eq!((clients.strays.runs.len(), clients.strays.arms), (0, 0));
    }
}
