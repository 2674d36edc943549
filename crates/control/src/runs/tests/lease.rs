//! Reports, and what they are answered with.

use std::time::Duration;

use daybreak_model::Millis;
use daybreak_model::limits::{LEASE_DEFAULT, REPORT_INTERVAL_ACTIVE, REPORT_INTERVAL_IDLE};

use crate::testing::{Bench, TestClient};
use crate::{Actor, Refusal};

/// Invariant 2, dead man's switch: the guard, the store and the halt each keep leases back.
#[tokio::test(start_paused = true)]
async fn invariant_2_no_lease_without_guard_store_or_while_halted() {
    #[derive(Debug)]
    enum Failure {
        Nothing,
        GuardStuck,
        StoreHangs,
        StoreFails,
        Halted,
        WallClockSetBack,
    }
    for failure in [
        Failure::Nothing,
        Failure::GuardStuck,
        Failure::StoreHangs,
        Failure::StoreFails,
        Failure::Halted,
        Failure::WallClockSetBack,
    ] {
        let bench = Bench::new().await;
        let mut client = TestClient::new(1);
        client.report(&bench.control);
        bench.start("gateway-slow").await.unwrap();
        let reply = client.report(&bench.control);
        assert_eq!((reply.lease, reply.runs.len(), reply.interval), (LEASE_DEFAULT, 1, REPORT_INTERVAL_ACTIVE));
        match failure {
            Failure::GuardStuck => bench.clock.advance(Duration::from_secs(4)),
            Failure::StoreHangs => bench.store.hang(),
            Failure::StoreFails => bench.store.fail(true),
            Failure::Halted => drop(bench.control.halt(Actor::default()).await.unwrap()),
            Failure::WallClockSetBack => bench.clock.set_wall("2026-11-23T09:00:00Z".parse().unwrap()),
            Failure::Nothing => {}
        }
        if !matches!(failure, Failure::GuardStuck) {
            bench.pass(4, &mut []).await;
        }
        let reply = client.report(&bench.control);
        let granted = (reply.lease, reply.runs.len());
        let expected = match failure {
            Failure::Nothing | Failure::WallClockSetBack => (LEASE_DEFAULT, 1),
            _ => (Millis::ZERO, 0),
        };
        assert_eq!(granted, expected, "{failure:?}");
    }
}

#[tokio::test]
async fn leases_are_for_those_who_may_act() {
    let bench = Bench::new().await;
    TestClient::new(9).report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    let mut forbidding = TestClient::new(1);
    forbidding.report.faults.allowed = false;
    assert_eq!(forbidding.report(&bench.control).lease, Millis::ZERO);
    let mut too_old = TestClient::new(2);
    too_old.report.unsupported = vec![id];
    assert!(too_old.report(&bench.control).runs.is_empty());
    let mut leaving = TestClient::new(3);
    leaving.report.goodbye = true;
    assert!(leaving.report(&bench.control).runs.is_empty());
    let mut foreign = TestClient::new(4);
    foreign.report.environment = Some("production".to_owned());
    let refused = bench.control.report(&foreign.report);
    assert!(matches!(refused, Err(Refusal::OtherEnvironment { .. })), "{refused:?}");
    assert_eq!(bench.control.clients().len(), 4);
    let run = bench.control.run(id).unwrap();
    assert_eq!((run.clients, run.unsupported), (0, 1));
}

#[tokio::test]
async fn a_reply_that_was_lost_is_given_again() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    bench.start("gateway-slow").await.unwrap();
    client.report.sequence += 1;
    for _ in 0..2 {
        assert_eq!(bench.control.report(&client.report).unwrap().runs.len(), 1);
    }
}

/// What is open when a run ends is awaited, and told as soon as before.
#[tokio::test]
async fn reports_are_asked_for_as_often_until_a_run_is_concluded() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let run = bench.start("gateway-slow").await.unwrap().run.id;
    client.report(&bench.control);
    bench.control.stop("gateway-slow", Actor::default()).await.unwrap();
    let mut intervals = Vec::new();
    for _ in 0..10 {
        let reply = client.report(&bench.control);
        intervals.push((reply.interval, bench.control.run(run).unwrap().verdict.is_some()));
        bench.pass(1, &mut []).await;
    }
    assert_eq!(intervals.first(), Some(&(REPORT_INTERVAL_ACTIVE, false)));
    assert_eq!(intervals.last(), Some(&(REPORT_INTERVAL_IDLE, true)));
    let alike = |(interval, concluded)| concluded == (interval == REPORT_INTERVAL_IDLE);
    assert!(intervals.iter().copied().all(alike), "{intervals:?}");
}

#[tokio::test]
async fn nothing_runs_nothing_is_listed() {
    let bench = Bench::new().await;
    let reply = TestClient::new(1).report(&bench.control);
    assert_eq!((reply.interval, reply.runs.len(), reply.halted), (REPORT_INTERVAL_IDLE, 0, false));
    assert_eq!((reply.environment.as_str(), reply.position), ("test", bench.control.position()));
}
