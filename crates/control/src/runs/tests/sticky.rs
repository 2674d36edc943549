//! Faults that draw by an attribute: admitted by their keys, and watched by them.

use daybreak_document::Source;
use daybreak_guard::admission::RefusalCode::InsufficientData;
use daybreak_model::wire::{ArmCounts, ArmKeys, Metric, PointKeys, SketchWanted};
use daybreak_model::{Arm, KeyHash, RunId};

use super::codes;
use super::guarded::Shop;
use crate::testing::{Bench, TestClient};
use crate::{Actor, StartRequest};

const STICKY: &str = r#"
faults:
  sticky: { point: stock, percentage: 5%, by: account, effect: { abort: true }, hours: always, guard: none, max_duration: 5m }
"#;

/// The guarded fault of [`Shop`], drawing by an attribute.
const GUARDED: &str = r#"
faults:
  guarded:
    point: payment.gateway
    percentage: 1%
    by: account
    effect: { abort: true }
    hours: always
    guard: { slo: checkout, min_budget: 20% }
    max_duration: 30m
"#;

fn hash(number: u64) -> KeyHash {
    KeyHash::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// What a client tells of so many accounts that passed once, and of one that passed so often.
fn accounts(wanted: &SketchWanted, count: u64, heaviest: u64) -> PointKeys {
    let SketchWanted { point, attribute, salt } = wanted.clone();
    let keys = (0..count).map(hash).collect();
    PointKeys {
        point,
        attribute,
        salt,
        slice: 0,
        requests: count + heaviest - 1,
        keys,
        heaviest: [(hash(0), heaviest)].into(),
    }
}

fn arm(run: RunId, arm: Arm, bad: std::ops::Range<u64>) -> ArmCounts {
    let requests = 10 * (bad.end - bad.start);
    let bad = bad.map(hash);
    let keys = ArmKeys {
        drawn: bad.clone().collect(),
        struck: bad.clone().collect(),
        bad: [(Metric::Error, bad.collect())].into(),
        full: false,
    };
    let counts = [(Metric::Requests, requests), (Metric::Settled, requests), (Metric::Error, requests)].into();
    let operation = "POST /checkout".to_owned();
    ArmCounts { run, stage: 0, arm, operation, counts, latency: Default::default(), keys: Some(keys) }
}

#[tokio::test]
async fn invariant_5_a_sticky_start_needs_keys_of_the_last_hour() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    assert!(client.report(&bench.control).sketches.is_empty());
    let sources = vec![Source::new("sticky.yaml", STICKY)];
    bench.control.apply(sources, crate::ApplyOptions::default(), Actor::default()).await.unwrap();
    let wanted = client.report(&bench.control).sketches;
    assert_eq!((wanted.len(), wanted[0].point.as_str(), wanted[0].attribute.as_str()), (1, "stock", "account"));
    let refused = async || bench.start("sticky").await.err().map(|refusal| (codes(&refusal), refusal.to_string()));
    assert_eq!(refused().await.unwrap().0, [InsufficientData]);
    client.report.keys = vec![accounts(&wanted[0], 900, 1)];
    client.report(&bench.control);
    assert_eq!(refused().await.unwrap().0, [InsufficientData], "5 % of 900 are 45");
    // Of 2,200 accounts enough are drawn; but one of them has more than 1 %.
    client.report.keys = vec![accounts(&wanted[0], 2_200, 30)];
    client.report(&bench.control);
    assert_eq!(refused().await.unwrap().0, [InsufficientData]);
    client.report.keys = vec![accounts(&wanted[0], 5_000, 30)];
    client.report(&bench.control);
    bench
        .control
        .start("sticky", StartRequest { dry_run: true, ..StartRequest::default() }, Actor::default())
        .await
        .unwrap();
    // An hour later nobody knows any more.
    client.report.keys.clear();
    bench.clock.advance(std::time::Duration::from_secs(3_700));
    bench.pass(2, std::slice::from_mut(&mut client)).await;
    assert_eq!(refused().await.unwrap().0, [InsufficientData]);
}

/// A key that is bad in three processes, ten times in each, is one.
#[tokio::test]
async fn keys_count_once_over_all_processes() {
    let bench = Bench::new().await;
    let sources = vec![Source::new("sticky.yaml", STICKY)];
    bench.control.apply(sources, crate::ApplyOptions::default(), Actor::default()).await.unwrap();
    let mut clients: Vec<_> = (1..=3).map(TestClient::new).collect();
    let wanted = clients[0].report(&bench.control).sketches;
    clients[0].report.keys = vec![accounts(&wanted[0], 5_000, 1)];
    bench.pass(1, &mut clients).await;
    let run = bench.start("sticky").await.unwrap().run.id;
    for client in &mut clients {
        client.report.arms = vec![arm(run, Arm::Treated, 0..7), arm(run, Arm::Control, 100..140)];
    }
    bench.pass(3, &mut clients).await;
    let view = bench.control.run(run).unwrap();
    assert_eq!((view.active, view.counts.treated, view.counts.control), (true, 210, 1_200), "requests");
    let evidence = view.evidence.unwrap();
    let outcomes = |arm: &str| (evidence[arm]["requests"].clone(), evidence[arm]["error"].clone());
    assert_eq!(
        (outcomes("treated"), outcomes("control")),
        ((7.into(), 7.into()), (40.into(), 40.into())),
        "{evidence}"
    );
}

/// A budget is made of requests, whatever the arms are made of.
#[tokio::test]
async fn what_a_sticky_run_spends_is_told_in_requests() {
    let mut shop = Shop::open().await;
    let sources = vec![Source::new("sticky.yaml", GUARDED)];
    shop.control().apply(sources, crate::ApplyOptions::default(), Actor::default()).await.unwrap();
    let control = shop.control().clone();
    let wanted = shop.client.report(&control).sketches;
    shop.client.report.keys = vec![accounts(&wanted[0], 20_000, 1)];
    shop.serve(1, [0, 50], [0, 0]).await;
    shop.shadow().await;
    let run = shop.start(false).await.unwrap();
    shop.serve(5, [10, 90], [1, 0]).await;
    let evidence = shop.view(run).evidence.unwrap();
    // The run was granted with the report of its first second; the clients have told of no keys.
    assert_eq!((&evidence["spent"]["bad"], &evidence["treated"]["bad"]), (&4.into(), &0.into()), "{evidence}");
}
