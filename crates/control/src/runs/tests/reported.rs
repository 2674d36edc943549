//! A run is looked at as soon as clients have reported of it: no tick is needed. Time is tokio's, which stands still.

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_model::wire::{ArmCounts, Metric};
use daybreak_model::{Arm, Cause, Ended, RunId};

use super::super::look::LOOK_EVERY;
use crate::testing::{Bench, TestClient};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A run of 1 %, and a client that has it. No look is under way.
async fn begun() -> (Bench, TestClient, RunId) {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let run = bench.start("gateway-slow").await.unwrap().run.id;
    client.report(&bench.control);
    tokio::time::sleep(LOOK_EVERY).await;
    (bench, client, run)
}

/// Reports so many struck ones among 10,000 requests: above 150 it is half as much again as was asked for.
fn report(bench: &Bench, client: &mut TestClient, run: RunId, struck: u64) {
    let arm = |arm, requests, struck| ArmCounts {
        run,
        stage: 0,
        arm,
        operation: "POST /checkout".to_owned(),
        counts: BTreeMap::from([(Metric::Requests, requests), (Metric::Settled, requests), (Metric::Struck, struck)]),
        latency: BTreeMap::new(),
        keys: None,
    };
    client.report.operations.get_mut("POST /checkout").unwrap().requests = 10_000;
    client.report.arms = vec![arm(Arm::Treated, 200, struck), arm(Arm::Control, 9_800, 0)];
    client.report(&bench.control);
}

fn ended(bench: &Bench, run: RunId) -> Option<Ended> {
    bench.control.run(run).unwrap().ended
}

const TOO_WIDE: Option<Ended> = Some(Ended::Aborted(Cause::BlastRadius));

#[tokio::test(start_paused = true)]
async fn invariant_4_a_report_that_shows_harm_ends_the_run_before_the_next_tick() {
    let (bench, mut client, run) = begun().await;
    report(&bench, &mut client, run, 160);
    tokio::time::sleep(MILLISECOND).await;
    assert_eq!(ended(&bench, run), TOO_WIDE);
    assert!(client.report(&bench.control).runs.is_empty(), "nobody may act on it any more");
    let restarted = bench.restarted().await;
    assert_eq!(ended(&restarted, run), TOO_WIDE, "and it is recorded");
}

/// However many report: after a look, the next is a while away; but it comes, and needs no other report.
#[tokio::test(start_paused = true)]
async fn reports_that_come_at_once_are_looked_at_together() {
    let (bench, mut client, run) = begun().await;
    report(&bench, &mut client, run, 100);
    tokio::time::sleep(LOOK_EVERY / 2).await;
    report(&bench, &mut client, run, 160);
    tokio::time::sleep(LOOK_EVERY / 2 - 2 * MILLISECOND).await;
    assert_eq!(ended(&bench, run), None);
    tokio::time::sleep(4 * MILLISECOND).await;
    assert_eq!(ended(&bench, run), TOO_WIDE);
}

/// What tells of no active run has nobody look.
#[tokio::test(start_paused = true)]
async fn a_report_of_no_active_run_is_not_looked_at() {
    let (bench, mut client, run) = begun().await;
    report(&bench, &mut client, RunId::new(99), 160);
    client.report.arms.clear();
    client.report(&bench.control);
    assert!(!bench.control.inner.due.lock().is_looking());
    report(&bench, &mut client, run, 100);
    assert!(bench.control.inner.due.lock().is_looking());
    tokio::time::sleep(LOOK_EVERY + MILLISECOND).await;
    assert!(!bench.control.inner.due.lock().is_looking(), "nor does anybody look on");
}
