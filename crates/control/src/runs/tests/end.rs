//! A run always ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daybreak_document::Source;
use daybreak_guard::admission::RefusalCode::{CoolingDown, NoArms};
use daybreak_model::wire::{ArmCounts, Metric, StoreId};
use daybreak_model::{Arm, Kind, RunId};
use daybreak_store::{EmbeddedOptions, EmbeddedStore};

use crate::clock::ManualClock;
use crate::runs::ENDED_MAX;
use crate::runs::tests::guarded::Shop;
use crate::testing::{Bench, DOCUMENT, MONDAY, TestClient, percent};
use crate::{Actor, ApplyOptions, Control, Options, Precondition, StartRequest};

fn ended(control: &Control, id: RunId) -> Option<String> {
    control.run(id).unwrap().ended.map(|ended| ended.to_string())
}

pub(super) fn arm(run: RunId, arm: Arm, requests: u64, struck: u64) -> ArmCounts {
    let counts = BTreeMap::from([(Metric::Requests, requests), (Metric::Struck, struck), (Metric::Strikes, struck)]);
    ArmCounts {
        run,
        stage: 0,
        arm,
        operation: "POST /checkout".to_owned(),
        counts,
        latency: BTreeMap::new(),
        keys: None,
    }
}

/// Invariant 1: a run ends when its time is up, with nobody's help.
#[tokio::test]
async fn invariant_1_a_run_always_ends() {
    let bench = Bench::new().await;
    let mut clients = [TestClient::new(1)];
    clients[0].report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    bench.pass(30 * 60 - 1, &mut clients).await;
    assert_eq!((ended(&bench.control, id), clients[0].report(&bench.control).runs.len()), (None, 1));
    bench.pass(1, &mut clients).await;
    assert_eq!(ended(&bench.control, id).as_deref(), Some("completed"));
    assert!(clients[0].report(&bench.control).runs.is_empty());
}

/// Invariant 1: also when somebody sets the wall clock back.
#[tokio::test]
async fn invariant_1_a_run_ends_whatever_the_wall_clock_says() {
    let bench = Bench::new().await;
    TestClient::new(1).report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    bench.clock.advance(Duration::from_secs(29 * 60));
    bench.clock.set_wall("2026-11-20T00:00:00Z".parse().unwrap());
    bench.control.tick().await;
    assert_eq!(ended(&bench.control, id), None);
    bench.clock.advance(Duration::from_secs(60));
    bench.control.tick().await;
    assert_eq!(ended(&bench.control, id).as_deref(), Some("completed"));
}

/// Invariant 1: deleting or disabling the fault ends its run, however that happens.
#[tokio::test]
async fn invariant_1_a_run_ends_with_its_fault() {
    for case in 0..4 {
        let bench = Bench::new().await;
        let mut client = TestClient::new(1);
        client.report(&bench.control);
        let id = bench.start("gateway-slow").await.unwrap().run.id;
        let (control, none, ada) = (&bench.control, Precondition::None, Actor::named("ada"));
        let changed = match case {
            0 => control.delete(Kind::Fault, "gateway-slow", none, ada).await,
            1 => control.disable(Kind::Fault, "gateway-slow", none, ada).await,
            2 => control.patch(Kind::Fault, "gateway-slow", Source::new("body", "enabled: false"), none, ada).await,
            _ => {
                let options = ApplyOptions { prune: true, ..ApplyOptions::default() };
                control.apply(vec![Source::new("a.yaml", "flags: { a: { default: off } }")], options, ada).await
            }
        };
        assert_eq!(changed.unwrap().ended, [id], "case {case}");
        assert_eq!(ended(control, id).as_deref(), Some("aborted: fault_removed"), "case {case}");
        assert!(client.report(control).runs.is_empty(), "case {case}");
    }
}

/// Invariant 1: nobody watched while the server was away.
#[tokio::test]
async fn invariant_1_a_restart_ends_every_run() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    let Bench { clock, store, .. } = bench;
    let again = Control::open(Options::new("test"), store, clock, [8; 32]).await.unwrap();
    assert_eq!(ended(&again, id).as_deref(), Some("aborted: server_restarted"));
    assert!(client.report(&again).runs.is_empty());
    let third =
        Control::open(Options::new("test"), Arc::clone(&again.inner.store), Arc::clone(&again.inner.clock), [9; 32]);
    assert_eq!(third.await.unwrap().position(), again.position(), "it is recorded once");
}

/// Invariant 1: the same where the store is what outlived the server.
#[tokio::test]
async fn invariant_1_a_restart_ends_every_run_of_a_store_that_lasts() {
    let folder = tempfile::TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::new(MONDAY.parse().unwrap()));
    let open = async |seed: u8| {
        let options = EmbeddedOptions::new(folder.path(), StoreId::new(seed.into()));
        let store = Arc::new(EmbeddedStore::open(options).unwrap());
        Control::open(Options::new("test"), store, Arc::<ManualClock>::clone(&clock), [seed; 32]).await.unwrap()
    };
    let first = open(1).await;
    first.apply(vec![Source::new("a.yaml", DOCUMENT)], ApplyOptions::default(), Actor::default()).await.unwrap();
    let mut client = TestClient::new(1);
    assert!(client.report(&first).first);
    let started = first.start("gateway-slow", StartRequest::default(), Actor::named("ada")).await.unwrap();
    let reply = client.report(&first);
    assert_eq!((reply.runs.len(), reply.first), (1, false));
    drop(first);
    let again = open(2).await;
    assert_eq!(ended(&again, started.run.id).as_deref(), Some("aborted: server_restarted"));
    let reply = client.report(&again);
    assert!(reply.runs.is_empty() && reply.first, "the store lasts, but what clients reported does not");
    let at = again.position();
    assert_eq!((at.store, at.revision), (started.position.store, started.position.revision + 1));
    let export = again.export();
    drop(again);
    assert_eq!(open(3).await.export(), export);
}

#[tokio::test]
async fn two_lost_clients_that_struck_abort_a_run() {
    for (goodbye, expected) in [(false, Some("aborted: clients_lost")), (true, None)] {
        let bench = Bench::new().await;
        let mut clients = [TestClient::new(1), TestClient::new(2), TestClient::new(3)];
        clients.iter_mut().for_each(|client| drop(client.report(&bench.control)));
        let id = bench.start("gateway-slow").await.unwrap().run.id;
        for client in &mut clients {
            client.report.arms = vec![arm(id, Arm::Treated, 1, 1), arm(id, Arm::Control, 99, 0)];
            client.report.operations.get_mut("POST /checkout").unwrap().requests = 100;
            client.report.goodbye = goodbye;
            client.report(&bench.control);
        }
        bench.pass(6, &mut clients[2..]).await;
        assert_eq!(ended(&bench.control, id).as_deref(), expected, "goodbye: {goodbye}");
    }
}

#[tokio::test]
async fn more_strikes_than_asked_for_abort_a_run() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    client.report.operations.get_mut("POST /checkout").unwrap().requests = 10_000;
    client.report.arms = vec![arm(id, Arm::Treated, 200, 200), arm(id, Arm::Control, 9_800, 0)];
    client.report(&bench.control);
    bench.control.tick().await;
    assert_eq!(ended(&bench.control, id).as_deref(), Some("aborted: blast_radius"));
}

/// Invariant 4: two runs, each of which strikes less than the limit, and together more.
#[tokio::test]
async fn invariant_4_runs_that_strike_too_much_together_end_with_the_youngest() {
    let bench = Bench::with(Options { max_blast_radius: percent("1.5%"), ..Options::new("test") }).await;
    let patch = Source::new("body", "percentage: 0.5%\nhours: always");
    bench.control.patch(Kind::Fault, "stock-slow", patch, Precondition::None, Actor::default()).await.unwrap();
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let old = bench.start("gateway-slow").await.unwrap().run.id;
    bench.clock.advance(Duration::from_secs(1));
    bench.control.tick().await;
    let young = bench.start("stock-slow").await.unwrap().run.id;
    client.report.operations.get_mut("POST /checkout").unwrap().requests = 100_000;
    let arms = |id, struck| [arm(id, Arm::Treated, struck, struck), arm(id, Arm::Control, 100_000 - struck, 0)];
    client.report.arms = [arms(old, 1_400), arms(young, 700)].concat();
    client.report(&bench.control);
    bench.control.tick().await;
    assert_eq!(ended(&bench.control, young).as_deref(), Some("aborted: blast_radius"));
    let reason = bench.control.run(young).unwrap().end_reason.unwrap();
    assert!(reason.starts_with("2 runs together struck 2.100 %"), "{reason}");
    bench.control.tick().await;
    assert_eq!(ended(&bench.control, old), None, "alone it is below the limit");
}

/// A run that can strike nobody says so.
#[tokio::test]
async fn a_run_without_eligible_requests_warns() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    let mut warnings = |requests: u64, eligible: u64| {
        client.report.operations.get_mut("POST /checkout").unwrap().requests = requests;
        client.report.arms = vec![arm(id, Arm::Control, eligible, 0)];
        client.report(&bench.control);
        let run = bench.control.run(id).unwrap();
        assert_eq!((run.counts.requests, run.counts.eligible), (requests, eligible));
        run.warnings
    };
    assert!(warnings(99, 0).is_empty());
    let found = warnings(150, 0).pop().unwrap();
    let words = ["of 150 root requests", "`payment.gateway`", "`when` held for none", "(`vip`)"];
    assert_eq!(found.code.as_str(), "strikes_nobody");
    assert!(words.iter().all(|word| found.sentence.contains(word)), "{found:?}");
    assert!(warnings(200, 1).is_empty());
}

/// So does one that treats requests and strikes none of them for long.
#[tokio::test]
async fn a_run_that_treats_and_never_strikes_warns() {
    // Seconds since its start, treated and struck requests, whether it is a shadow run; and whether it warns.
    let cases = [
        (30, 20, 0, false, true),
        (29, 500, 0, false, false),
        (300, 19, 0, false, false),
        (300, 500, 1, false, false),
        (300, 500, 0, true, false),
    ];
    for (seconds, treated, struck, shadow, expected) in cases {
        let bench = Bench::new().await;
        let mut client = TestClient::new(1);
        client.report(&bench.control);
        let request = StartRequest { shadow, ..StartRequest::default() };
        let id = bench.control.start("gateway-slow", request, Actor::default()).await.unwrap().run.id;
        bench.clock.advance(Duration::from_secs(seconds));
        client.report.arms = vec![arm(id, Arm::Treated, treated, struck), arm(id, Arm::Control, 99 * treated, 0)];
        client.report(&bench.control);
        let warnings = bench.control.run(id).unwrap().warnings;
        assert_eq!(!warnings.is_empty(), expected, "{seconds} {treated} {struck} {shadow}: {warnings:?}");
        let words = ["treated, and none was struck", "`payment.gateway`", "`when` does not hold", "(`vip`)", "lease"];
        let said = warnings.iter().all(|found| words.iter().all(|word| found.sentence.contains(word)));
        assert!(said, "{warnings:?}");
    }
}

#[tokio::test]
async fn the_last_requests_are_counted_for_a_while() {
    let bench = Bench::new().await;
    let mut clients = [TestClient::new(1)];
    clients[0].report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    bench.control.stop("gateway-slow", Actor::default()).await.unwrap();
    for (seconds, requests, counted) in [(10, 5, 5), (19, 7, 7), (1, 9, 9), (1, 11, 9)] {
        clients[0].report.arms = vec![arm(id, Arm::Treated, requests, 0)];
        bench.pass(seconds, &mut clients).await;
        assert_eq!(bench.control.run(id).unwrap().counts.treated, counted, "{requests}");
    }
}

#[tokio::test]
async fn runs_that_ended_long_ago_are_forgotten_also_by_the_store() {
    let bench = Bench::new().await;
    let shadow = || StartRequest { shadow: true, ..StartRequest::default() };
    for _ in 0..=ENDED_MAX {
        TestClient::new(1).report(&bench.control);
        bench.control.start("gateway-slow", shadow(), Actor::default()).await.unwrap();
        bench.control.stop("gateway-slow", Actor::default()).await.unwrap();
    }
    assert_eq!(bench.control.runs().len(), ENDED_MAX);
    bench.control.start("gateway-slow", shadow(), Actor::default()).await.unwrap();
    let kept = daybreak_store::Store::load(&*bench.store).await.unwrap().runs.len();
    assert_eq!(kept, ENDED_MAX + 1, "those that are shown, and the active one");
}

/// As many runs as are shown, one after the other, on another point.
async fn crowd(control: &Control) {
    let fault =
        "{ point: stock, percentage: 1%, effect: { abort: true }, hours: always, guard: none, max_duration: 30m }";
    let source = Source::new("crowd.yaml", fault);
    control.put(Kind::Fault, "crowd", source, Precondition::default(), Actor::default()).await.unwrap();
    for _ in 0..ENDED_MAX {
        let shadow = StartRequest { shadow: true, ..StartRequest::default() };
        control.start("crowd", shadow, Actor::default()).await.unwrap();
        control.stop("crowd", Actor::default()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_shadow_run_need_not_be_repeated_however_many_runs_follow() {
    let mut shop = Shop::open().await;
    let shadow = shop.shadow().await;
    crowd(shop.control()).await;
    assert!(shop.control().run(shadow).is_ok());
    assert_eq!(shop.control().runs().len(), ENDED_MAX);
    let run = shop.start(false).await.unwrap();
    shop.control().stop("guarded", Actor::default()).await.unwrap();
    crowd(shop.control()).await;
    // That run did not start without one.
    assert!(shop.control().run(shadow).is_err() && shop.control().run(run).is_ok());
    assert_eq!(shop.start(false).await, Err(vec![CoolingDown]));
    let bench = shop.bench.restarted().await;
    TestClient::new(2).report(&bench.control);
    assert_eq!(super::codes(&bench.start("guarded").await.unwrap_err()), [NoArms, CoolingDown]);
}
