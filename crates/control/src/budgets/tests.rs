//! Budgets last, follow their SLOs, and wait for no store.

use std::sync::Arc;
use std::time::Duration;

use daybreak_document::Source;
use daybreak_guard::budget::State;
use daybreak_model::Kind;
use daybreak_model::wire::StoreId;
use daybreak_store::{EmbeddedOptions, EmbeddedStore};

use crate::clock::ManualClock;
use crate::testing::{Bench, DOCUMENT, MONDAY, key};
use crate::{Actor, Control, Options};

/// Requests that `checkout` counts, second by second.
async fn count(bench: &Bench, seconds: u64, good: u64, bad: u64) {
    for _ in 0..seconds {
        bench.clock.advance(Duration::from_secs(1));
        let revision = bench.control.state().revision(Kind::Slo, "checkout").unwrap();
        bench.control.count(&key("checkout"), revision, good, bad);
        bench.control.tick().await;
    }
}

fn counted(bench: &Bench) -> (u64, u64) {
    let status = bench.control.budget("checkout").unwrap().status;
    (status.total, status.bad)
}

async fn put(bench: &Bench, slo: &str) {
    let source = Source::new("slo.yaml", slo);
    bench.control.put(Kind::Slo, "checkout", source, Default::default(), Actor::default()).await.unwrap();
    bench.control.tick().await;
}

#[tokio::test]
async fn a_budget_outlives_the_server() {
    let bench = Bench::new().await;
    count(&bench, 100, 99, 1).await;
    let before = bench.control.budget("checkout").unwrap();
    assert_eq!((before.status.total, before.status.bad), (10_000, 100));
    bench.control.keep_counts().await;
    let bench = bench.restarted().await;
    let after = bench.control.budget("checkout").unwrap();
    assert_eq!(after.status.alerts, before.status.alerts);
    assert_eq!(after.history, before.history);
    count(&bench, 1, 99, 1).await;
    assert_eq!(counted(&bench), (10_100, 101));
}

#[tokio::test]
async fn a_crash_costs_seconds() {
    let bench = Bench::new().await;
    count(&bench, 103, 99, 1).await;
    // Nobody says that it ends.
    let (total, _) = counted(&bench.restarted().await);
    assert!((9_700..=10_300).contains(&total), "{total}");
}

#[tokio::test]
async fn what_counts_something_else_begins_anew() {
    let bench = Bench::new().await;
    count(&bench, 10, 99, 1).await;
    put(&bench, r#"{ objective: 99%, window: 7d, sli: { operation: "POST /checkout", good: { status: "<500" } } }"#)
        .await;
    assert_eq!(counted(&bench), (1_000, 10), "the promise is another, the question is not");
    put(&bench, r#"{ objective: 99%, window: 7d, sli: { operation: "GET /", good: { status: "<500" } } }"#).await;
    assert_eq!(counted(&bench), (0, 0));
    count(&bench, 1, 5, 0).await;
    bench.control.keep_counts().await;
    let bench = bench.restarted().await;
    assert_eq!(counted(&bench), (5, 0), "what was before does not come back");
    bench.control.delete(Kind::Fault, "guarded", Default::default(), Actor::default()).await.unwrap();
    bench.control.delete(Kind::Slo, "checkout", Default::default(), Actor::default()).await.unwrap();
    bench.control.tick().await;
    bench.control.keep_counts().await;
    assert!(bench.control.budget("checkout").is_err());
    let bench = bench.restarted().await;
    put(&bench, r#"{ objective: 99%, window: 7d, sli: { operation: "GET /", good: { status: "<500" } } }"#).await;
    assert_eq!(counted(&bench), (0, 0));
}

#[tokio::test]
async fn a_store_that_fails_costs_nothing() {
    let bench = Bench::new().await;
    count(&bench, 10, 99, 1).await;
    bench.store.fail(true);
    count(&bench, 20, 99, 1).await;
    assert_eq!(counted(&bench), (3_000, 30));
    bench.store.fail(false);
    count(&bench, 1, 99, 1).await;
    bench.control.keep_counts().await;
    assert_eq!(counted(&bench.restarted().await), (3_100, 31));
}

#[tokio::test]
async fn budgets_last_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(MONDAY.parse().unwrap()));
    let open = || async {
        let options = EmbeddedOptions::new(folder.path(), StoreId::new(1));
        let store = Arc::new(EmbeddedStore::open(options).unwrap());
        Control::open(Options::new("test"), store, Arc::<ManualClock>::clone(&clock), [7; 32]).await.unwrap()
    };
    let count = |control: &Control, good, bad| {
        let revision = control.state().revision(Kind::Slo, "checkout").unwrap();
        control.count(&key("checkout"), revision, good, bad);
    };
    let counted = |control: &Control| control.budget("checkout").unwrap().status.total;
    let control = open().await;
    control.apply(vec![Source::new("test.yaml", DOCUMENT)], Default::default(), Actor::default()).await.unwrap();
    for day in 0..40 {
        count(&control, 99, 1);
        clock.advance(Duration::from_secs(86_400));
        if day % 10 == 0 {
            control.keep_counts().await;
        }
    }
    control.keep_counts().await;
    let before = counted(&control);
    assert_eq!(before, 2_800);
    drop(control);
    let control = open().await;
    assert_eq!(counted(&control), before);
    let other = r#"{ objective: 99%, window: 7d, sli: { operation: "GET /", good: { status: "<500" } } }"#;
    let source = Source::new("slo.yaml", other);
    control.put(Kind::Slo, "checkout", source, Default::default(), Actor::default()).await.unwrap();
    count(&control, 5, 0);
    control.keep_counts().await;
    drop(control);
    assert_eq!(counted(&open().await), 5, "what was counted for another question is gone");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_not_waited_for() {
    let bench = Bench::new().await;
    bench.store.hang();
    count(&bench, 12, 99, 1).await;
    assert_eq!(counted(&bench), (1_200, 12));
    bench.store.release();
    // What was taken out is kept as soon as the store answers.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    bench.control.keep_counts().await;
    assert_eq!(counted(&bench.restarted().await), (1_200, 12));
}

#[tokio::test]
async fn invariant_5_an_slo_of_which_nothing_is_known_says_so() {
    let bench = Bench::empty(Options::new("test")).await;
    put(&bench, r#"{ objective: 99%, window: month, sli: { prometheus: { good: good_total, total: all_total } } }"#)
        .await;
    let view = bench.control.budget("checkout").unwrap();
    assert_eq!((view.status.state, view.source), (State::InsufficientData, None));
    let warnings = bench.control.health().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("--prometheus")), "{warnings:?}");
    let refusal = bench.control.budget("chekout").unwrap_err().to_string();
    assert!(refusal.contains("chekout"), "{refusal}");
}
