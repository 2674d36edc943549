//! What a start asks, pins and refuses.

use daybreak_guard::admission::RefusalCode::{
    BlastRadius, CoolingDown, DoesNotFit, DurationRaised, FaultDisabled, Halted, InsufficientData, ListsTooLong,
    NoArms, NoClients, OutsideHours, PercentageRaised, PointBusy, ShadowFirst,
};
use daybreak_model::wire::RunSpec;
use daybreak_model::{Arm, Kind, Millis};
use jiff::Timestamp;

use super::codes;
use super::end::arm;
use crate::testing::{Bench, TestClient, key, percent};
use crate::{Actor, Options, Precondition, Refusal, StartRequest};

#[tokio::test]
async fn a_start_pins_what_it_depends_on() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let request = StartRequest {
        duration: Some(Millis::from_secs(600)),
        percentage: Some(percent("0.5%")),
        hypothesis: Some("checkout falls back".to_owned()),
        ..StartRequest::default()
    };
    let started = bench.control.start("gateway-slow", request, Actor::named("ada")).await.unwrap();
    assert_eq!(started.run.ends_at.as_second() - started.run.started_at.as_second(), 600);
    assert_eq!(started.run.started_by.as_deref(), Some("ada"));
    let grant = client.report(&bench.control).runs.remove(0);
    let spec: RunSpec = grant.spec.unwrap().decode().unwrap();
    assert_eq!((grant.percentage, spec.point.as_str(), spec.salt.len()), (percent("0.5%"), "payment.gateway", 32));
    assert_eq!(spec.segments.keys().map(|key| key.as_str()).collect::<Vec<_>>(), ["eu", "vip"]);
    assert_eq!(spec.protect, [key("vip")]);
    // Known now: it is not sent again, and an edit does not reach it.
    let patch = daybreak_document::Source::new("body", "percentage: 0.1%");
    bench.control.patch(Kind::Fault, "gateway-slow", patch, Precondition::None, Actor::default()).await.unwrap();
    let grant = client.report(&bench.control).runs.remove(0);
    assert_eq!((grant.percentage, grant.spec.is_none()), (percent("0.5%"), true));
}

#[tokio::test]
async fn each_run_has_a_salt_of_its_own() {
    let bench = Bench::new().await;
    let mut salts = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let mut client = TestClient::new(1);
        client.report.sequence = salts.len() as u64 * 10_000;
        client.report(&bench.control);
        bench.start("gateway-slow").await.unwrap();
        let spec: RunSpec = client.report(&bench.control).runs.remove(0).spec.unwrap().decode().unwrap();
        salts.insert(spec.salt);
        bench.control.stop("gateway-slow", Actor::default()).await.unwrap();
        bench.pass(601, &mut [client]).await;
    }
    assert_eq!(salts.len(), 2);
}

/// A list of a million ids is for flags: what a run selects by is sent to each client with it.
#[tokio::test]
async fn long_lists_are_not_sent_with_a_run() {
    for (values, refused) in [(99_000, None), (100_001, Some(vec![ListsTooLong]))] {
        let bench = Bench::new().await;
        TestClient::new(1).report(&bench.control);
        let ids: Vec<String> = (0..values).map(|number| format!("user-{number}")).collect();
        let segment = serde_json::json!({"when": {"userId": {"in": ids}}}).to_string();
        let source = daybreak_document::Source::new("body", segment);
        bench.control.put(Kind::Segment, "vip", source, Precondition::None, Actor::default()).await.unwrap();
        let started = bench.start("gateway-slow").await;
        assert_eq!(started.err().map(|refusal| codes(&refusal)), refused, "{values}");
    }
}

/// Invariant 4, never more than asked: a start lowers, it never raises.
#[tokio::test]
async fn invariant_4_start_never_raises() {
    let cases = [
        (Some("2%"), None, Some(vec![PercentageRaised])),
        (None, Some(31 * 60), Some(vec![DurationRaised])),
        (Some("1.001%"), Some(31 * 60), Some(vec![PercentageRaised, DurationRaised])),
        (Some("1%"), Some(30 * 60), None),
        (Some("0.001%"), Some(1), None),
    ];
    for (percentage, duration, refused) in cases {
        let bench = Bench::new().await;
        TestClient::new(1).report(&bench.control);
        let request = StartRequest {
            percentage: percentage.map(percent),
            duration: duration.map(Millis::from_secs),
            // Not even an admin raises.
            override_reason: Some("because".to_owned()),
            may_override: true,
            ..StartRequest::default()
        };
        let started = bench.control.start("gateway-slow", request, Actor::default()).await;
        assert_eq!(started.as_ref().err().map(codes), refused, "{percentage:?} {duration:?}");
        assert_eq!(bench.control.runs().len(), usize::from(started.is_ok()));
    }
}

/// Invariant 5, never blind: what cannot report cannot inject.
#[tokio::test]
async fn invariant_5_no_clients_no_start() {
    let forbidding = |client: &mut TestClient| client.report.faults.allowed = false;
    let not_permitting = |client: &mut TestClient| {
        client.report.points.values_mut().for_each(|point| point.permitted = false);
    };
    let elsewhere = |client: &mut TestClient| client.report.points.clear();
    let gone = |client: &mut TestClient| client.report.goodbye = true;
    let changes: [&dyn Fn(&mut TestClient); 4] = [&forbidding, &not_permitting, &elsewhere, &gone];
    for (case, change) in changes.into_iter().enumerate() {
        let bench = Bench::new().await;
        let mut client = TestClient::new(1);
        change(&mut client);
        client.report(&bench.control);
        assert_eq!(codes(&bench.start("gateway-slow").await.unwrap_err()), [NoClients], "case {case}");
    }
    let bench = Bench::new().await;
    assert_eq!(codes(&bench.start("gateway-slow").await.unwrap_err()), [NoClients], "nobody");
    TestClient::new(1).report(&bench.control);
    bench.pass(31, &mut []).await;
    assert_eq!(codes(&bench.start("gateway-slow").await.unwrap_err()), [NoClients], "silent for 31 s");
}

#[tokio::test]
async fn every_reason_is_told_at_once() {
    let bench = Bench::new().await;
    let night: Timestamp = "2026-11-23T10:45:00Z".parse().unwrap();
    bench.clock.set_wall(night);
    assert_eq!(codes(&bench.start("stock-slow").await.unwrap_err()), [DoesNotFit, NoClients]);
    bench.clock.set_wall("2026-11-23T20:00:00Z".parse().unwrap());
    bench.control.halt(Actor::default()).await.unwrap();
    bench.control.disable(Kind::Fault, "stock-slow", Precondition::None, Actor::default()).await.unwrap();
    assert_eq!(codes(&bench.start("stock-slow").await.unwrap_err()), [Halted, FaultDisabled, OutsideHours, NoClients]);
    bench.control.lift(Actor::default()).await.unwrap();
    TestClient::new(1).report(&bench.control);
    assert_eq!(codes(&bench.start("stock-slow").await.unwrap_err()), [FaultDisabled, OutsideHours, BlastRadius]);
    let refused = codes(&bench.start("guarded").await.unwrap_err());
    assert_eq!(refused, [InsufficientData, NoArms, ShadowFirst]);
    assert!(
        matches!(bench.start("gateway-slov").await, Err(Refusal::NotFound { nearest: Some(near), .. }) if near == "gateway-slow")
    );
}

#[tokio::test]
async fn a_point_is_busy_and_then_cools_down_if_anything_was_treated() {
    for (treated, struck) in [(1, 1), (1, 0), (0, 0)] {
        let bench = Bench::new().await;
        let mut clients = [TestClient::new(1)];
        clients[0].report(&bench.control);
        let id = bench.start("gateway-slow").await.unwrap().run.id;
        clients[0].report.arms = vec![arm(id, Arm::Treated, treated, struck), arm(id, Arm::Control, 99, 0)];
        bench.pass(1, &mut clients).await;
        assert_eq!(codes(&bench.start("gateway-down").await.unwrap_err()), [PointBusy]);
        bench.control.stop("gateway-slow", Actor::default()).await.unwrap();
        assert_eq!(codes(&bench.start("gateway-down").await.unwrap_err()), [CoolingDown], "it may still have struck");
        bench.pass(31, &mut clients).await;
        // Who struck may have died before it told.
        if treated == 0 {
            bench.start("gateway-down").await.unwrap();
            continue;
        }
        bench.pass(568, &mut clients).await;
        assert_eq!(codes(&bench.start("gateway-down").await.unwrap_err()), [CoolingDown]);
        bench.pass(1, &mut clients).await;
        bench.start("gateway-down").await.unwrap();
    }
}

#[tokio::test]
async fn a_shadow_run_needs_no_recovery_and_touches_nothing() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    bench.clock.set_wall("2026-11-23T09:30:00Z".parse().unwrap());
    bench.control.tick().await;
    client.report(&bench.control);
    let shadow = StartRequest { shadow: true, ..StartRequest::default() };
    bench.control.start("stock-slow", shadow, Actor::default()).await.unwrap();
    let spec: RunSpec = client.report(&bench.control).runs.remove(0).spec.unwrap().decode().unwrap();
    assert!(spec.shadow);
    bench.control.stop("stock-slow", Actor::default()).await.unwrap();
    assert_eq!(codes(&bench.start("stock-slow").await.unwrap_err()), [BlastRadius]);
}

#[tokio::test]
async fn what_is_waived_is_on_the_record_and_needs_leave_and_a_reason() {
    for (may_override, reason, starts) in [
        (false, Some("fire drill"), false),
        (true, None, false),
        (true, Some(" "), false),
        (true, Some("fire drill"), true),
    ] {
        let bench = Bench::with(Options { max_blast_radius: percent("100%"), ..Options::new("test") }).await;
        bench.clock.set_wall("2026-11-23T20:00:00Z".parse().unwrap());
        TestClient::new(1).report(&bench.control);
        let request =
            StartRequest { override_reason: reason.map(str::to_owned), may_override, ..StartRequest::default() };
        let started = bench.control.start("stock-slow", request, Actor::named("ada")).await;
        assert_eq!(started.is_ok(), starts, "{may_override} {reason:?}");
        let Ok(started) = started else { continue };
        assert_eq!(started.run.waived, [OutsideHours]);
        let events = bench.control.events(Default::default(), 1).await.unwrap().events;
        assert_eq!(events[0].event.data["override"], "fire drill");
        assert_eq!(events[0].event.data["waived"][0], "outside_hours");
        bench.control.tick().await;
        assert!(bench.control.run(started.run.id).unwrap().active, "a waived reason stays waived");
    }
}

#[tokio::test]
async fn a_dry_run_starts_nothing() {
    let bench = Bench::new().await;
    TestClient::new(1).report(&bench.control);
    let before = bench.control.position();
    let request = StartRequest { dry_run: true, ..StartRequest::default() };
    let started = bench.control.start("gateway-slow", request, Actor::default()).await.unwrap();
    assert!(started.dry_run && bench.control.runs().is_empty());
    assert_eq!(bench.control.position(), before);
}

#[tokio::test]
async fn without_a_commit_there_is_no_run() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let before = bench.control.position();
    bench.store.fail(true);
    assert!(matches!(bench.start("gateway-slow").await, Err(Refusal::Store(_))));
    bench.store.fail(false);
    assert_eq!((bench.control.position(), bench.control.runs().len()), (before, 0));
    assert!(client.report(&bench.control).runs.is_empty());
}
