//! Injected waits, and what ends them.

use std::time::Duration;

use daybreak_model::wire::{Measure, RunsChanged};
use daybreak_model::{Effect, Good, Hang, Key, Millis, RunId};
use futures_util::future::{join, join_all};
use tokio::time::Instant;

use super::super::fixtures::{error, grant_all, latency, report, spec};
use super::*;
use crate::scope::RootRequest;

const WAIT: Millis = Millis::from_secs(5);

fn slow_then_failing() -> RunSpec {
    spec(POINT, Effect { error: error(500).error, ..latency(WAIT) })
}

#[tokio::test(start_paused = true)]
async fn waits_last_as_long_as_asked_and_then_the_rest_strikes() {
    let (faults, _) = with_run(slow_then_failing());
    let begin = Instant::now();
    assert!(is_struck(&faults).await);
    assert_eq!(begin.elapsed(), WAIT.to_duration());
    let (hanging, _) =
        with_run(spec(POINT, Effect { hang: Some(Hang { max: Millis::from_secs(3) }), ..latency(WAIT) }));
    let begin = Instant::now();
    assert!(!is_struck(&hanging).await);
    assert_eq!(begin.elapsed(), Duration::from_secs(8));
}

/// What stops a run.
type Stop = (&'static str, fn(&Faults, &TestClock));

#[tokio::test(start_paused = true)]
async fn invariant_3_whatever_stops_a_run_wakes_those_who_wait_in_it() {
    let stops: [Stop; 5] = [
        ("stop", |faults, _| {
            faults.runs_changed(&RunsChanged { ended: vec![RunId::new(1)], ..RunsChanged::default() });
        }),
        ("halt", |faults, _| faults.runs_changed(&RunsChanged { halted: true, ..RunsChanged::default() })),
        ("halt of this process", |faults, _| faults.halt()),
        ("a reply that does not list it", |faults, _| grant_all(faults, [])),
        ("a lapsed lease", |faults, clock| {
            clock.pass(Duration::from_secs(10));
            faults.expire();
        }),
    ];
    for (what, stop) in stops {
        let (faults, clock) = with_run(slow_then_failing());
        let begin = Instant::now();
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(report(&faults).faults.in_flight, 1);
            stop(&faults, &clock);
        };
        let (outcome, ()) = join(request(&faults), stopping).await;
        assert!(outcome.is_ok(), "{what}: the request goes on unharmed");
        assert_eq!(begin.elapsed(), Duration::from_millis(100), "{what}: at once");
        assert_eq!(report(&faults).faults.in_flight, 0, "{what}");
    }
}

/// A strike that its run's end cuts short is one all the same, once it has made the request too slow.
#[tokio::test(start_paused = true)]
async fn who_was_held_until_too_slow_is_struck() {
    let hang = || Effect { hang: Some(Hang { max: Millis::from_secs(30) }), ..Effect::default() };
    let good = Good { status: None, latency: Some(Millis::from_secs(1)) };
    let measure = Measure { slo: Key::new("checkout").unwrap(), revision: 1, operation: OPERATION.to_owned(), good };
    for (held, measured, expected) in [(999, true, 0), (1_000, true, 1), (1_000, false, 0), (9_000, true, 1)] {
        let measure = measured.then(|| measure.clone());
        let (faults, clock) = with_run(RunSpec { measure, ..spec(POINT, hang()) });
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            clock.pass(Duration::from_millis(held));
            faults.runs_changed(&RunsChanged { ended: vec![RunId::new(1)], ..RunsChanged::default() });
        };
        let (outcome, ()) = join(request(&faults), stopping).await;
        assert!(outcome.is_ok());
        let of = |metric| counted(&faults, 1, Arm::Treated, metric);
        assert_eq!((of(Metric::Strikes), of(Metric::Struck)), (1, expected), "{held} ms, measured: {measured}");
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_2_a_wait_ends_with_its_lease_without_being_told() {
    let (faults, clock) = with_run(slow_then_failing());
    let begin = Instant::now();
    let suspending = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        clock.suspend(Duration::from_secs(60));
    };
    let (outcome, ()) = join(request(&faults), suspending).await;
    assert!(outcome.is_ok() && begin.elapsed() <= Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn invariant_4_the_cap_is_exact_and_what_it_spares_is_counted() {
    let (faults, _) = with_run(spec(POINT, latency(WAIT)));
    let begin = Instant::now();
    let all = join_all((0..100).map(|_| async {
        let _ = request(&faults).await;
        begin.elapsed()
    }));
    let waited = all.await.into_iter().filter(|waited| !waited.is_zero()).count();
    let of = |metric| counted(&faults, 1, Arm::Treated, metric);
    assert_eq!((waited, of(Metric::Struck), of(Metric::Spared), of(Metric::Requests)), (64, 64, 36, 100));
    assert_eq!(report(&faults).faults.in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn invariant_6_a_dropped_request_gives_its_place_back() {
    let (faults, _) = with_run(spec(POINT, latency(WAIT)));
    for _ in 0..200 {
        let given_up = tokio::time::timeout(Duration::from_millis(10), request(&faults)).await;
        assert!(given_up.is_err());
    }
    let report = report(&faults);
    assert_eq!((report.faults.in_flight, report.operations[OPERATION].open), (0, 0));
    assert_eq!(counted(&faults, 1, Arm::Treated, Metric::Spared), 0);
}

#[tokio::test(start_paused = true)]
async fn invariant_4_all_waits_of_one_pass_stay_within_the_limit() {
    let (faults, _) = faults(Settings { wait_max: Duration::from_secs(7), ..Settings::default() });
    grant_all(&faults, [(1, spec(POINT, latency(WAIT))), (2, spec(POINT, latency(WAIT)))]);
    let begin = Instant::now();
    let _ = request(&faults).await;
    assert_eq!(begin.elapsed(), Duration::from_secs(7));
}

#[test]
fn invariant_3_threads_that_wait_are_woken_too() {
    let (faults, _) = with_run(spec(POINT, latency(Millis::from_secs(30))));
    let open = faults.open(|| RootRequest::new(OPERATION, Context::default()));
    let (waiting, scope) = (faults.clone(), open.scope().clone());
    let thread = std::thread::spawn(move || waiting.fault_point_blocking_in(POINT, &scope).is_ok());
    while report(&faults).faults.in_flight == 0 {
        std::thread::yield_now();
    }
    faults.halt();
    assert!(thread.join().unwrap(), "joined long before the wait was over, or this test would time out");
}
