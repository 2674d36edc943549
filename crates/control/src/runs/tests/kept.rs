//! What a run showed outlives a server that ends before the run does.

use std::time::Duration;

use daybreak_model::RunId;
use daybreak_store::{EventFilter, Store};
use serde_json::Value;

use super::guarded::{Shop, verdict};
use crate::{Actor, RunView};

/// What the store keeps of runs in between.
async fn notes(shop: &Shop) -> Vec<Value> {
    shop.bench.store.notes("evidence/".to_owned()).await.unwrap().into_values().collect()
}

fn count(view: &RunView, pointer: &str) -> u64 {
    view.evidence.as_ref().and_then(|evidence| evidence.pointer(pointer)).and_then(Value::as_u64).unwrap_or_default()
}

fn sentence(view: &RunView) -> &str {
    view.evidence.as_ref().and_then(|evidence| evidence["sentence"].as_str()).unwrap_or_default()
}

/// A run of a shop whose arms are served for so long, with so many failures.
async fn served(shop: &mut Shop, seconds: u64, failed: [u64; 2]) -> RunId {
    shop.shadow().await;
    let run = shop.start(false).await.unwrap();
    shop.serve(seconds, [1, 99], failed).await;
    run
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_crash_ended_shows_what_was_kept_of_it() {
    let mut shop = Shop::open().await;
    let run = served(&mut shop, 28, [0, 0]).await;
    let before = shop.view(run);
    let bench = shop.bench.restarted().await;
    let after = bench.control.run(run).unwrap();
    assert_eq!(after.ended.map(|ended| ended.to_string()).as_deref(), Some("aborted: server_restarted"));
    assert_eq!(verdict(&after), Some("inconclusive"));
    let kept = count(&after, "/treated/requests");
    assert!((15..=28).contains(&kept), "kept each 10 s: {kept} of {}", count(&before, "/treated/requests"));
    assert_eq!((after.counts.treated, after.counts.control), (kept, 99 * kept));
    assert_eq!(count(&after, "/spent/bad"), 0);
    let evidence = after.evidence.clone().unwrap();
    assert!(evidence["timeline"].as_array().is_some_and(|moments| moments.len() > 1), "{evidence}");
    assert!(evidence["control"]["rate"]["upper"].as_f64().is_some_and(|upper| upper < 0.01), "{evidence}");
    let as_of = evidence["as_of"].as_str().unwrap();
    assert!(sentence(&after).starts_with(&format!("as of {as_of}, ")), "{}", sentence(&after));
    // It is on record now, so that another restart changes nothing, and the log tells of it.
    let filter = EventFilter { kind: Some("run.concluded".to_owned()), ..EventFilter::default() };
    let events = bench.store.events(filter, 100).await.unwrap().events;
    let told = events.iter().map(|recorded| &recorded.event).find(|event| event.data["as_of"] == as_of).unwrap();
    assert_eq!((told.data["verdict"].as_str(), told.data["treated"].as_u64()), (Some("inconclusive"), Some(kept)));
    let again = bench.restarted().await;
    assert_eq!(again.control.run(run).unwrap(), after);
    again.pass(1, &mut []).await;
    assert!(again.store.notes("evidence/".to_owned()).await.unwrap().is_empty(), "the run's record has it");
}

#[tokio::test(start_paused = true)]
async fn what_a_run_had_shown_when_the_server_ended_is_its_verdict() {
    // Failures of treated requests and of the others, each second, for so long; and what that shows.
    let cases = [(650, [0, 0], "resilient", "ruled out"), (60, [1, 0], "harmful", "did worse")];
    for (seconds, failed, expected, words) in cases {
        let mut shop = Shop::open().await;
        let run = served(&mut shop, seconds, failed).await;
        let after = shop.bench.restarted().await.control.run(run).unwrap();
        assert_eq!(verdict(&after), Some(expected), "{after:?}");
        assert!(sentence(&after).contains(words), "{}", sentence(&after));
        assert!(count(&after, "/treated/requests") > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_5_what_was_kept_before_reports_went_stale_shows_no_resilience() {
    let mut shop = Shop::open().await;
    let run = served(&mut shop, 650, [0, 0]).await;
    let before = shop.bench.store.notes("evidence/".to_owned()).await.unwrap();
    assert!(before.values().all(|note| note["verdict"] == "resilient"), "{before:?}");
    shop.bench.pass(6, &mut []).await;
    // As where the server ends before it keeps what the run shows at its end.
    let before = before.into_iter().map(|(name, note)| (name, Some(note))).collect();
    shop.bench.store.put_notes(before).await.unwrap();
    let after = shop.bench.restarted().await.control.run(run).unwrap();
    assert_eq!(after.ended.map(|ended| ended.to_string()).as_deref(), Some("aborted: stale_reports"));
    assert_eq!(verdict(&after), Some("inconclusive"));
    assert!(sentence(&after).contains("went stale"), "{}", sentence(&after));
}

#[tokio::test(start_paused = true)]
async fn a_clean_stop_keeps_everything() {
    let mut shop = Shop::open().await;
    let run = served(&mut shop, 28, [0, 0]).await;
    let before = shop.view(run);
    shop.control().keep_counts().await;
    let after = shop.bench.restarted().await.control.run(run).unwrap();
    assert_eq!(after.counts, before.counts);
    assert_eq!(count(&after, "/counts/treated"), count(&before, "/counts/treated"));
}

/// It is kept at once when a run ends, and goes with the verdict.
#[tokio::test(start_paused = true)]
async fn the_end_is_kept_at_once_and_only_until_the_verdict() {
    let mut shop = Shop::open().await;
    let run = served(&mut shop, 4, [0, 0]).await;
    assert!(notes(&shop).await.is_empty(), "a run that has just begun has shown nothing");
    shop.control().stop("guarded", Actor::default()).await.unwrap();
    shop.serve(1, [0, 100], [0, 0]).await;
    let kept = notes(&shop).await;
    let counted: Vec<_> = kept.iter().map(|note| note["counts"]["treated"].as_u64()).collect();
    assert_eq!(counted, [Some(shop.view(run).counts.treated)]);
    assert!(counted > vec![Some(0)]);
    shop.serve(32, [0, 100], [0, 0]).await;
    assert_eq!(verdict(&shop.view(run)), Some("inconclusive"));
    assert!(notes(&shop).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_it_is_told_again() {
    let mut shop = Shop::open().await;
    let run = served(&mut shop, 12, [0, 0]).await;
    let of = |notes: Vec<Value>| notes.first().and_then(|note| note["counts"]["treated"].as_u64());
    let first = of(notes(&shop).await);
    shop.bench.store.fail(true);
    shop.serve(12, [1, 99], [0, 0]).await;
    shop.bench.store.fail(false);
    assert_eq!(of(notes(&shop).await), first);
    shop.serve(1, [1, 99], [0, 0]).await;
    assert!(of(notes(&shop).await) > first, "run {run}");
}

/// A thousand runs are kept.
#[tokio::test(start_paused = true)]
async fn what_is_kept_of_a_run_is_bounded() {
    let mut shop = Shop::open().await;
    served(&mut shop, 30 * 60 - 5, [0, 0]).await;
    shop.control().keep_counts().await;
    let kept = notes(&shop).await;
    let (moments, bytes) = (kept[0]["timeline"].as_array().map_or(0, Vec::len), kept[0].to_string().len());
    assert!((55..=62).contains(&moments), "{moments} moments");
    assert!(bytes < 24 * 1024, "{bytes} bytes");
}

/// Nobody waits for the store to keep what is shown.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_up_no_tick() {
    let mut shop = Shop::open().await;
    let run = served(&mut shop, 20, [0, 0]).await;
    let of = |notes: Vec<Value>| notes.first().and_then(|note| note["counts"]["treated"].as_u64());
    let before = of(notes(&shop).await);
    shop.bench.store.hang();
    // What is shown is due again within this time, and clients still get leave to strike.
    let ticked = shop.control().inner.vitals.lock().ticked;
    shop.serve(3, [1, 99], [0, 0]).await;
    let ticked_again = shop.control().inner.vitals.lock().ticked;
    assert_eq!(ticked_again.zip(ticked).map(|(again, once)| again - once), Some(Duration::from_secs(3)));
    assert!(shop.control().inner.evidence_keeper.try_lock().is_err(), "the store is asked");
    assert!(shop.view(run).ended.is_none(), "{:?}", shop.view(run).ended);
    shop.bench.store.release();
    shop.serve(1, [1, 99], [0, 0]).await;
    assert!(of(notes(&shop).await) > before, "{before:?}");
}
