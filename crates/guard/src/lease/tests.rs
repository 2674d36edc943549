use daybreak_model::wire::FaultSupport;
use daybreak_model::{Cause, Ended, RunId};
use proptest::prelude::*;

use super::*;
use crate::fixtures::{at, percentage, report, run};
use crate::run::{End, Event};

/// A server in good order, at `at(100)`.
fn conditions() -> Conditions<'static> {
    Conditions {
        environment: "staging",
        guard_ticked_at: Some(at(99)),
        leader_confirmed_at: Some(at(98)),
        halted: false,
    }
}

fn ids(conditions: &Conditions<'_>, runs: &[Run], report: &Report) -> Vec<RunId> {
    grants(conditions, runs, report, at(100)).into_iter().map(|grant| grant.id).collect()
}

#[test]
fn invariant_2_no_lease_unless_guard_and_store_are_known_to_work() {
    let good = conditions();
    let check = |conditions: Conditions<'_>, expected: Result<(), Withheld>| {
        assert_eq!(may_grant(&conditions, &report(1, 1), at(100)), expected, "{conditions:?}");
        assert_eq!(ids(&conditions, &[run()], &report(1, 1)).is_empty(), expected.is_err(), "{conditions:?}");
    };
    check(good, Ok(()));
    check(Conditions { guard_ticked_at: Some(at(97)), leader_confirmed_at: Some(at(97)), ..good }, Ok(()));
    check(Conditions { halted: true, ..good }, Err(Withheld::Halted));
    check(Conditions { guard_ticked_at: None, ..good }, Err(Withheld::GuardStale));
    check(Conditions { guard_ticked_at: Some(at(96)), ..good }, Err(Withheld::GuardStale));
    check(Conditions { leader_confirmed_at: None, ..good }, Err(Withheld::LeadershipStale));
    check(Conditions { leader_confirmed_at: Some(at(96)), ..good }, Err(Withheld::LeadershipStale));
    // The wall clock was put back: the tick may be of any age.
    check(Conditions { guard_ticked_at: Some(at(104)), ..good }, Err(Withheld::GuardStale));
    check(Conditions { environment: "production", ..good }, Err(Withheld::OtherEnvironment));
}

#[test]
fn invariant_2_no_lease_for_a_client_that_forbids_faults_or_leaves() {
    let check = |report: Report, expected: Result<(), Withheld>| {
        assert_eq!(may_grant(&conditions(), &report, at(100)), expected);
        assert_eq!(ids(&conditions(), &[run()], &report).is_empty(), expected.is_err());
    };
    check(Report { faults: FaultSupport::default(), ..report(1, 1) }, Err(Withheld::FaultsForbidden));
    check(Report { goodbye: true, ..report(1, 1) }, Err(Withheld::Goodbye));
    check(Report { environment: None, ..report(1, 1) }, Ok(()));
}

#[test]
fn invariant_1_only_active_runs_are_granted() {
    let ended = End { ended: Ended::Aborted(Cause::Halted), at: at(50), actor: None, reason: None };
    let runs = [
        Run { id: RunId::new(1), ..run() },
        Run { id: RunId::new(2), end: Some(ended), ..run() },
        Run { id: RunId::new(3), ends_at: at(100), ..run() },
        Run { id: RunId::new(4), ends_at: at(101), ..run() },
    ];
    assert_eq!(ids(&conditions(), &runs, &report(1, 1)), [RunId::new(1), RunId::new(4)]);
}

#[test]
fn the_specification_comes_once() {
    let run = Run { stage: 2, percentage: percentage("0.5%"), ..run() };
    let granted = |known: &[RunId]| {
        let counted = known.iter().map(|run| (*run, 0)).collect();
        let report = Report { runs: known.to_vec(), counted, ..report(1, 1) };
        grants(&conditions(), [&run], &report, at(100)).remove(0)
    };
    let first = granted(&[]);
    assert_eq!((first.stage, first.percentage, first.ends_at), (2, percentage("0.5%"), at(600)));
    let spec = first.spec.unwrap();
    assert_eq!(spec.revision, run.revision);
    assert_eq!(spec.decode::<daybreak_model::wire::RunSpec>().unwrap(), run.spec);
    assert!(granted(&[run.id]).spec.is_none());
}

/// Else arms that do not come would be missed by nobody.
#[test]
fn invariant_5_no_lease_for_a_client_that_does_not_say_how_much_it_counted() {
    let runs = [1, 2, 3].map(|id| Run { id: RunId::new(id), ..run() });
    let report = Report {
        runs: vec![RunId::new(1), RunId::new(2)],
        counted: [(RunId::new(2), 7), (RunId::new(9), 7)].into(),
        ..report(1, 1)
    };
    assert_eq!(ids(&conditions(), &runs, &report), [RunId::new(2), RunId::new(3)]);
}

proptest! {
    /// Whatever the conditions: a lease means that guard and store were heard within three seconds, that
    /// nothing is halted, and that the run has not ended.
    #[test]
    fn invariant_2_whatever_is_granted_was_allowed(
        ticked in prop::option::of(80..120_i64),
        confirmed in prop::option::of(80..120_i64),
        halted in any::<bool>(),
        stopped in any::<bool>(),
        ends in 90..110_i64,
    ) {
        let conditions = Conditions {
            environment: "staging",
            guard_ticked_at: ticked.map(at),
            leader_confirmed_at: confirmed.map(at),
            halted,
        };
        let mut run = Run { ends_at: at(ends), ..run() };
        if stopped {
            let _ = run.step(Event::Stop { actor: None, reason: None }, at(5));
        }
        let fresh = |at: Option<i64>| at.is_some_and(|at| (97..=103).contains(&at));
        let allowed = fresh(ticked) && fresh(confirmed) && !halted && !stopped && ends > 100;
        prop_assert_eq!(!ids(&conditions, &[run], &report(1, 1)).is_empty(), allowed);
    }
}
