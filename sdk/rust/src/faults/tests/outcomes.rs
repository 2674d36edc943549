//! What requests come to, as it is reported: by SLO, and by the arm and stage of the draw.

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_model::wire::{Measure, Report};
use daybreak_model::{Good, Key, Millis, Percentage, StatusBound};

use super::super::fixtures::{error, latency, reply, run_grant, spec};
use super::*;
use crate::scope::{OpenScope, RootRequest};

const DEADLINE: Duration = Duration::from_millis(400);

/// Good: below 500, within 400 ms.
fn measure() -> Measure {
    let good = Good { status: Some(StatusBound(500)), latency: Some(Millis::new(400)) };
    Measure { slo: Key::new("checkout").unwrap(), revision: 3, operation: OPERATION.to_owned(), good }
}

/// Faults that count by the measure, with one run that has it too and treats this share.
fn measured(share: Percentage) -> (Faults, Arc<TestClock>) {
    let (faults, clock) = faults(Settings::default());
    let spec = RunSpec { measure: Some(measure()), ..spec(POINT, latency(Millis::ZERO)) };
    let mut grant = run_grant(&faults, 1, &spec);
    grant.percentage = share;
    let mut reply = reply(&faults, vec![grant]);
    reply.measures = vec![measure()];
    faults.grant(&reply, faults.now());
    (faults, clock)
}

fn open(faults: &Faults) -> OpenScope {
    faults.open(|| RootRequest::new(OPERATION, Context::default()))
}

/// Requests of an arm, and settled ones, errors, slow ones and cancelled ones: by the SLO, and in an arm.
type Row = [u64; 5];

const METRICS: [Metric; 5] = [Metric::Requests, Metric::Settled, Metric::Error, Metric::Slow, Metric::Cancelled];

fn by_slo(faults: &Faults) -> Row {
    let counts = report(faults).slos.pop().map(|slo| slo.counts).unwrap_or_default();
    METRICS.map(|metric| counts.get(&metric).copied().unwrap_or_default())
}

fn in_arm(faults: &Faults, arm: Arm) -> Row {
    METRICS.map(|metric| counted(faults, 1, arm, metric))
}

/// What happens to a request, and what is counted of it by the SLO and in its arm, where every request of an arm
/// counts.
type Case = (&'static str, fn(&Faults, &TestClock), Row, Row);

fn pass(faults: &Faults, open: &OpenScope) {
    open.scope().enter(|| assert!(faults.fault_point_blocking(POINT).is_ok()));
}

const CASES: [Case; 10] = [
    (
        "a good one",
        |faults, clock| {
            let mut open = open(faults);
            pass(faults, &open);
            clock.pass(DEADLINE / 2);
            open.end(Outcome::Status(200));
        },
        [0, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
    ),
    (
        "an error",
        |faults, _| {
            let mut open = open(faults);
            pass(faults, &open);
            open.end(Outcome::Status(502));
            open.end(Outcome::Status(200));
        },
        [0, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
    ),
    (
        "a slow error is an error",
        |faults, clock| {
            let mut open = open(faults);
            pass(faults, &open);
            clock.pass(DEADLINE);
            open.end(Outcome::Failure);
        },
        [0, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
    ),
    (
        "one that hangs is slow while it is open, and once",
        |faults, clock| {
            let mut open = open(faults);
            pass(faults, &open);
            clock.pass(DEADLINE);
            faults.expire();
            assert_eq!((by_slo(faults), in_arm(faults, Arm::Treated)), ([0, 1, 0, 1, 0], [1, 1, 0, 1, 0]));
            clock.pass(DEADLINE);
            faults.expire();
            open.end(Outcome::Status(500));
        },
        [0, 1, 0, 1, 0],
        [1, 1, 0, 1, 0],
    ),
    (
        "whose client goes early",
        |faults, clock| {
            let open = open(faults);
            pass(faults, &open);
            clock.pass(DEADLINE / 2);
            drop(open);
        },
        [0, 1, 0, 0, 1],
        [1, 1, 0, 0, 1],
    ),
    (
        "whose client goes late",
        |faults, clock| {
            let open = open(faults);
            pass(faults, &open);
            clock.pass(DEADLINE);
            drop(open);
        },
        [0, 1, 0, 1, 0],
        [1, 1, 0, 1, 0],
    ),
    (
        "whose head was in time, and the body not",
        |faults, clock| {
            let mut open = open(faults);
            pass(faults, &open);
            open.respond();
            clock.pass(2 * DEADLINE);
            faults.expire();
            open.end(Outcome::Status(200));
        },
        [0, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
    ),
    (
        "that panics",
        |faults, _| {
            let panics = || {
                let open = open(faults);
                pass(faults, &open);
                panic!("a panic of the test");
            };
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        },
        [0, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
    ),
    ("that passes no point", |faults, _| open(faults).end(Outcome::Status(200)), [0, 1, 0, 0, 0], [0; 5]),
    (
        "of another operation",
        |faults, _| {
            let mut open = faults.open(|| RootRequest::new("GET /", Context::default()));
            pass(faults, &open);
            open.end(Outcome::Status(500));
        },
        [0; 5],
        [0; 5],
    ),
];

#[test]
fn outcomes_count_once_each_in_the_slo_and_in_the_arm_of_the_draw() {
    for (what, happens, slo, arm) in CASES {
        for (share, own, other) in
            [(Percentage::FULL, Arm::Treated, Arm::Control), (Percentage::ZERO, Arm::Control, Arm::Treated)]
        {
            if what.contains("hangs") && own == Arm::Control {
                continue;
            }
            let (faults, clock) = measured(share);
            drop(faults.point(POINT));
            happens(&faults, &clock);
            assert_eq!(by_slo(&faults), slo, "{what}");
            assert_eq!((in_arm(&faults, own), in_arm(&faults, other)), (arm, [0; 5]), "{what}, {own:?}");
        }
    }
}

/// Requests that are open when the deadline passes are told of with the next report, whatever their number.
#[test]
fn open_requests_beyond_the_deadline_are_bad_with_the_next_report() {
    let (faults, clock) = measured(Percentage::FULL);
    let mut open: Vec<_> = (0..500).map(|_| open(&faults)).collect();
    open.iter().for_each(|open| pass(&faults, open));
    clock.pass(DEADLINE - Duration::from_millis(1));
    assert_eq!(by_slo(&faults), [0; 5]);
    open.drain(..200).for_each(|mut open| open.end(Outcome::Status(200)));
    clock.pass(Duration::from_millis(1));
    assert_eq!(by_slo(&faults), [0, 500, 0, 300, 0]);
    assert_eq!(in_arm(&faults, Arm::Treated), [500, 500, 0, 300, 0]);
    drop(open);
    assert_eq!(by_slo(&faults), [0, 500, 0, 300, 0]);
}

#[test]
fn invariant_2_after_its_end_a_request_is_neither_drawn_nor_struck() {
    let (faults, _) = super::with_run(spec(POINT, error(500)));
    let mut open = open(&faults);
    let scope = open.scope().clone();
    open.end(Outcome::Status(200));
    assert!(faults.fault_point_blocking_in(POINT, &scope).is_ok(), "what goes on behind is no request");
    assert_eq!(counted(&faults, 1, Arm::Treated, Metric::Requests), 0);
}

#[test]
fn a_root_without_the_point_draws_when_it_opens() {
    for (own_point, passes, expected) in [(false, false, 1), (true, false, 0), (true, true, 1)] {
        let (faults, _) = measured(Percentage::FULL);
        if own_point {
            drop(faults.point(POINT));
        }
        let mut open = open(&faults);
        let sent_on = open.scope().baggage().map(|baggage| baggage.draws.len());
        assert_eq!(sent_on, Some(usize::from(!own_point)));
        if passes {
            pass(&faults, &open);
        }
        open.end(Outcome::Status(503));
        assert_eq!(in_arm(&faults, Arm::Treated), [expected, expected, expected, 0, 0], "{own_point} {passes}");
    }
}

#[test]
fn latencies_are_reported_in_steps() {
    let (faults, clock) = measured(Percentage::FULL);
    for millis in [1, 10, 10, 100, 300] {
        let mut open = open(&faults);
        clock.pass(Duration::from_millis(millis));
        open.end(Outcome::Status(200));
    }
    let arms = report(&faults).arms;
    let steps: BTreeMap<u64, u64> = arms.into_iter().flat_map(|arm| arm.latency).collect();
    assert_eq!(steps.values().copied().collect::<Vec<_>>(), [1, 2, 1, 1]);
    for (step, millis) in steps.keys().zip([1_000, 10_000, 100_000, 300_000]) {
        assert!((millis..=millis + millis / 16).contains(step), "{step} µs for {millis} µs");
    }
}

#[test]
fn an_slo_that_changed_is_counted_anew() {
    let (faults, _) = measured(Percentage::FULL);
    open(&faults).end(Outcome::Status(200));
    let again = |revision| {
        let mut reply = reply(&faults, Vec::new());
        reply.measures = vec![Measure { revision, ..measure() }];
        faults.grant(&reply, faults.now());
        let slo = report(&faults).slos.pop().unwrap();
        (slo.revision, slo.counts.get(&Metric::Settled).copied())
    };
    assert_eq!(again(3), (3, Some(1)));
    assert_eq!(again(4), (4, None));
}

/// A future that is ready with an error has failed, whoever runs it.
#[tokio::test]
async fn what_a_future_comes_to_is_read_off_its_output() {
    async fn check<T: crate::HasOutcome>(output: T, errors: u64) {
        let (faults, _) = measured(Percentage::ZERO);
        faults.request(OPERATION, Context::default(), std::future::ready(output)).await;
        assert_eq!(by_slo(&faults), [0, 1, errors, 0, 0]);
    }
    check((), 0).await;
    check(Ok::<_, ()>(1), 0).await;
    check(Err::<(), _>("no"), 1).await;
    check(Outcome::Status(404), 0).await;
    check(Outcome::Status(500), 1).await;
    let (faults, _) = measured(Percentage::FULL);
    assert!(!is_struck(&faults).await);
    faults.request_with(OPERATION, Context::default(), std::future::ready(Err::<(), _>("no")), done).await.unwrap_err();
    assert_eq!(by_slo(&faults), [0, 2, 0, 0, 0], "unless it is said otherwise");
}

/// A request meets the runs of its own operation alone, however many others there are.
#[test]
fn runs_elsewhere_cost_only_the_requests_that_they_concern() {
    let (faults, _) = faults(Settings::default());
    let elsewhere = |run: u64| {
        let measure = Measure { operation: format!("GET /{run}"), ..measure() };
        (run, RunSpec { measure: Some(measure), ..spec("stock", error(500)) })
    };
    let own = (100, RunSpec { measure: Some(measure()), ..spec("stock", error(500)) });
    grant_all(&faults, (0..20).map(elsewhere).chain([own]));
    let met = |operation: &str| faults.0.elsewhere.met_by(operation);
    assert_eq!((met(OPERATION), met("GET /7"), met("GET /other")), (1, 1, 0));
    open(&faults).end(Outcome::Status(200));
    let drawn: Vec<_> = report(&faults).arms.into_iter().map(|arm| arm.run).collect();
    assert_eq!(drawn, [RunId::new(100)]);
    // A point that is named here is no longer elsewhere.
    drop(faults.point("stock"));
    assert_eq!((met(OPERATION), met("GET /7")), (0, 0));
}

/// What is told of runs adds up, whatever was counted.
#[test]
fn invariant_5_a_report_says_how_much_was_counted_of_each_active_run() {
    let (faults, _) = measured(Percentage::FULL);
    assert_eq!(report(&faults).counted, [(RunId::new(1), 0)].into());
    let opened = open(&faults);
    pass(&faults, &opened);
    assert_eq!(report(&faults).counted, [(RunId::new(1), 2)].into(), "a draw and a strike");
    let mut brief = Report { runs: Vec::new(), counted: BTreeMap::new(), arms: Vec::new(), ..report(&faults) };
    faults.fill_briefly(&mut brief);
    let expected = (vec![RunId::new(1)], [(RunId::new(1), 2)].into(), Vec::new());
    assert_eq!((brief.runs, brief.counted, brief.arms), expected, "also one that says no more of them");
    drop(opened);
    let told = report(&faults);
    let events: u64 = told.arms.iter().map(daybreak_model::wire::ArmCounts::events).sum();
    assert_eq!((told.counted, events), ([(RunId::new(1), 3)].into(), 3));
    grant_all(&faults, []);
    let ended = report(&faults);
    assert_eq!((ended.counted.len(), ended.arms.len()), (0, 1));
}
