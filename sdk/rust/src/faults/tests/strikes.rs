//! Who is struck, and how often.

use std::num::NonZeroU32;

use daybreak_engine::Run;
use daybreak_model::limits::FAULT_POINTS_MAX;
use daybreak_model::{DrawKey, Effect, Percentage};
use proptest::prelude::*;

use super::super::fixtures::{error, grant_all, reply, report, run_grant, spec};
use super::*;
use crate::scope::fixtures::values;
use crate::scope::{RootRequest, Scope};

#[tokio::test]
async fn invariant_4_one_draw_for_each_root_request() {
    let (faults, _) = faults(Settings::default());
    let half = Percentage::from_thousandths(50_000).unwrap();
    let mut grant = run_grant(&faults, 1, &spec(POINT, error(500)));
    grant.percentage = half;
    faults.grant(&reply(&faults, vec![grant]), faults.now());
    let pass = || async { faults.fault_point(POINT).await.is_err() };
    for _ in 0..200 {
        let all = async {
            let retries = [pass().await, pass().await];
            let nested = faults.request_with("nested", Context::default(), pass(), done).await;
            let branches: (bool, bool) = futures_util::future::join(pass(), pass()).await;
            [retries[0], retries[1], nested, branches.0, branches.1]
        };
        let all = faults.request_with(OPERATION, Context::default(), all, done).await;
        assert!(all.iter().all(|struck| *struck == all[0]), "{all:?}");
    }
    let of = |arm, metric| counted(&faults, 1, arm, metric);
    let treated = of(Arm::Treated, Metric::Requests);
    assert_eq!(treated + of(Arm::Control, Metric::Requests), 200);
    assert!(treated > 0 && treated < 200, "both arms have some: {treated}");
    assert_eq!((of(Arm::Treated, Metric::Struck), of(Arm::Treated, Metric::Strikes)), (treated, treated * 5));
}

#[tokio::test]
async fn invariant_4_a_new_stage_keeps_the_first_draw() {
    let (faults, _) = faults(Settings::default());
    let stage = |stage, percentage| {
        let mut grant = run_grant(&faults, 1, &spec(POINT, error(500)));
        (grant.stage, grant.percentage) = (stage, percentage);
        faults.grant(&reply(&faults, vec![grant]), faults.now());
    };
    stage(0, Percentage::ZERO);
    let across = async {
        let before = faults.fault_point(POINT).await.is_err();
        stage(1, Percentage::FULL);
        (before, faults.fault_point(POINT).await.is_err())
    };
    assert_eq!(faults.request_with(OPERATION, Context::default(), across, done).await, (false, false));
    assert!(is_struck(&faults).await, "the next request is drawn by the new stage");
    let arms: Vec<_> = report(&faults).arms.into_iter().map(|counts| (counts.stage, counts.arm)).collect();
    assert_eq!(arms, [(0, Arm::Control), (1, Arm::Treated)]);
}

#[tokio::test]
async fn invariant_4_runs_draw_before_any_of_them_strikes() {
    let (faults, _) = faults(Settings::default());
    grant_all(&faults, [(1, spec(POINT, error(500))), (2, spec(POINT, error(503)))]);
    assert!(is_struck(&faults).await);
    let requests = [1, 2].map(|run| counted(&faults, run, Arm::Treated, Metric::Requests));
    let struck = [1, 2].map(|run| counted(&faults, run, Arm::Treated, Metric::Struck));
    assert_eq!((requests, struck), ([1, 1], [1, 0]), "what the first broke still counts for the second");
}

#[tokio::test]
async fn times_lets_the_retry_through_and_shadows_strike_nothing() {
    let (faults, _) = with_run(RunSpec { times: NonZeroU32::new(1), ..spec(POINT, error(500)) });
    let retry = async { (faults.fault_point(POINT).await.is_err(), faults.fault_point(POINT).await.is_err()) };
    assert_eq!(faults.request_with(OPERATION, Context::default(), retry, done).await, (true, false));

    let (shadow, _) = with_run(RunSpec { shadow: true, ..spec(POINT, error(500)) });
    assert!(!is_struck(&shadow).await);
    let counts = [Metric::Requests, Metric::Struck].map(|metric| counted(&shadow, 1, Arm::Treated, metric));
    assert_eq!(counts, [1, 0]);
}

#[tokio::test]
async fn invariant_6_outside_a_request_nothing_strikes() {
    let (faults, _) = with_run(spec(POINT, error(500)));
    assert!(faults.fault_point(POINT).await.is_ok(), "no scope");
    let spawned = faults.clone();
    let lost = async move { tokio::spawn(async move { spawned.fault_point(POINT).await.is_err() }).await.unwrap() };
    assert!(!faults.request_with(OPERATION, Context::default(), lost, done).await, "a spawned task lost its scope");
    let probe = faults.open(|| RootRequest::new("GET /healthz", Context::default()).exempt());
    assert!(faults.fault_point_in(POINT, probe.scope()).await.is_ok(), "a health check");
    assert!(faults.fault_point_blocking_in(POINT, probe.scope()).is_ok());
    let counts = &report(&faults).points[POINT];
    assert_eq!((counts.passes, counts.unscoped), (4, 2));
    assert_eq!(report(&faults).operations.len(), 1, "health checks are no root requests");
    let carried = faults.open(|| RootRequest::new(OPERATION, Context::default()));
    assert!(carried.scope().enter(|| faults.fault_point_blocking(POINT)).is_err(), "carried into a thread");
}

#[tokio::test]
async fn points_are_bounded_and_bad_names_harmless() {
    let (faults, _) = faults(Settings::default());
    for name in ["", "a b", "$x", &"x".repeat(200)] {
        assert!(faults.fault_point(name).await.is_ok());
    }
    for number in 0..FAULT_POINTS_MAX + 10 {
        assert!(faults.fault_point(&format!("p{number}")).await.is_ok());
    }
    grant_all(&faults, [(1, spec("p505", error(500)))]);
    let beyond = faults.request(OPERATION, Context::default(), faults.fault_point("p505")).await;
    assert!(beyond.is_ok(), "what cannot be reported is not struck");
    assert_eq!(report(&faults).points.len(), FAULT_POINTS_MAX);
}

#[tokio::test]
async fn data_is_handed_over_and_an_injected_fault_says_so() {
    let effect = Effect { data: Some(serde_json::json!({ "stock": 0 })), ..Effect::default() };
    let (faults, _) = with_run(spec(POINT, effect));
    let pass = request(&faults).await.unwrap();
    assert_eq!(pass.data(), Some(&serde_json::json!({ "stock": 0 })));
    let (failing, _) = with_run(spec(POINT, error(429)));
    let fault = request(&failing).await.unwrap_err();
    assert_eq!((fault.status(), fault.is_abort(), fault.fault().as_str()), (429, false, "fault"));
    assert!(fault.to_string().contains("injected"), "{fault}");
}

/// A request that its root sends again is struck again, and counts once.
#[test]
fn retries_of_another_root_are_one_request() {
    let settings = || Settings { trust_baggage: true, ..Settings::default() };
    let (faults, _) = faults(settings());
    grant_all(&faults, [(1, spec(POINT, error(500)))]);
    for key in [7, 7, 8, 7] {
        let header = format!("daybreak={};op=root;0000000000000001.0.t", DrawKey::new(key));
        let headers = [("baggage", header.as_str())];
        let root = RootRequest::new("leaf", Context::default());
        let open = faults.open(|| root.arriving(&settings(), "/", |name| values(&headers, name)));
        assert!(open.scope().enter(|| faults.fault_point_blocking(POINT)).is_err());
    }
    let counted = |metric| counted(&faults, 1, Arm::Treated, metric);
    assert_eq!((counted(Metric::Struck), counted(Metric::Strikes)), (2, 4));
}

#[tokio::test]
async fn a_root_that_drew_otherwise_lowers() {
    let settings = || Settings { trust_baggage: true, ..Settings::default() };
    let key = "0".repeat(31) + "7";
    for (draws, struck) in [("", false), (";0000000000000001.0.c", false), (";0000000000000001.0.t", true)] {
        let (faults, _) = faults(settings());
        grant_all(&faults, [(1, spec(POINT, error(500)))]);
        let header = format!("daybreak={key};op=root{draws}");
        let headers = [("baggage", header.as_str())];
        let headers = |name| values(&headers, name);
        let root = RootRequest::new("leaf", Context::default()).arriving(&settings(), "/", headers);
        let open = faults.open(|| root);
        let outcome = open.scope().clone().instrument(faults.fault_point(POINT)).await;
        assert_eq!(outcome.is_err(), struck, "{header}");
        assert_eq!(counted(&faults, 1, Arm::Treated, Metric::Requests), 0, "requests are counted at the root");
    }
}

proptest! {
    /// The draw of a scope is the engine's, for any key and share.
    #[test]
    fn invariant_7_draws_are_the_engines(key: u128, share in 0..=100_000_u32) {
        let (faults, _) = faults(Settings { trust_baggage: true, ..Settings::default() });
        let mut grant = run_grant(&faults, 1, &spec(POINT, error(500)));
        grant.percentage = Percentage::from_thousandths(share).unwrap();
        let engine = Run::compile(grant.id, spec(POINT, error(500))).unwrap();
        let expected = engine.draw(grant.percentage, DrawKey::new(key), &Context::default());
        faults.grant(&reply(&faults, vec![grant]), faults.now());
        let header = format!("daybreak={};op=a;0000000000000001.0.t", DrawKey::new(key));
        let headers = [("baggage", header.as_str())];
        let headers = |name| values(&headers, name);
        let root = RootRequest::new("a", Context::default()).arriving(faults.settings(), "/", headers);
        let open = faults.open(|| root);
        let struck = Scope::enter(open.scope(), || faults.fault_point_blocking(POINT)).is_err();
        prop_assert_eq!(struck, expected == Some(Arm::Treated));
    }
}
