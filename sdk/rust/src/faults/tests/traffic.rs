//! What is counted of passes where nothing runs: admission and the blast radius build on it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use daybreak_model::wire::PointCounts;

use super::super::fixtures::report;
use super::*;
use crate::scope::{RootRequest, Scope};

fn counts(faults: &Faults, point: &str) -> PointCounts {
    report(faults).points.remove(point).unwrap()
}

/// Passes, those without a scope, and requests of [`OPERATION`] that passed.
fn of_point(faults: &Faults) -> (u64, u64, u64) {
    let counts = counts(faults, POINT);
    (counts.passes, counts.unscoped, counts.requests.get(OPERATION).copied().unwrap_or_default())
}

fn open(faults: &Faults) -> crate::scope::OpenScope {
    faults.open(|| RootRequest::new(OPERATION, Context::default()))
}

fn pass(faults: &Faults) {
    assert!(faults.fault_point_blocking(POINT).is_ok());
}

/// What happens in one request, and what is counted.
type Case = (&'static str, fn(&Faults, &Scope), (u64, u64, u64));

#[test]
fn invariant_4_requests_that_pass_a_point_are_counted_once_each() {
    let cases: [Case; 8] = [
        ("nothing", |faults, _| drop(faults.point(POINT)), (0, 0, 0)),
        ("twice", |faults, scope| scope.enter(|| (pass(faults), pass(faults)).0), (2, 0, 1)),
        ("in and out", |faults, scope| (0..3).for_each(|_| scope.enter(|| pass(faults))), (3, 0, 1)),
        (
            "nested",
            |faults, scope| {
                scope.enter(|| {
                    pass(faults);
                    scope.enter(|| pass(faults));
                    pass(faults);
                });
            },
            (3, 0, 1),
        ),
        (
            "inside and outside",
            |faults, scope| {
                pass(faults);
                scope.enter(|| pass(faults));
                pass(faults);
            },
            (3, 2, 1),
        ),
        ("in the scope as given", |faults, scope| drop(faults.fault_point_blocking_in(POINT, scope)), (1, 0, 1)),
        (
            "on eight threads",
            |faults, scope| {
                std::thread::scope(|threads| {
                    for _ in 0..8 {
                        threads.spawn(|| (0..100).for_each(|_| scope.enter(|| pass(faults))));
                    }
                });
            },
            (800, 0, 1),
        ),
        (
            "with a panic",
            |faults, scope| {
                let panics = || {
                    pass(faults);
                    panic!("a panic of the test");
                };
                assert!(catch_unwind(AssertUnwindSafe(|| scope.enter(panics))).is_err());
                pass(faults);
            },
            (2, 1, 1),
        ),
    ];
    for (what, happens, expected) in cases {
        let (faults, _) = faults(Settings::default());
        let request = open(&faults);
        happens(&faults, request.scope());
        assert_eq!(of_point(&faults), expected, "{what}");
    }
}

#[tokio::test]
async fn requests_that_take_turns_on_a_thread_are_told_apart() {
    let (faults, _) = faults(Settings::default());
    let request = |operation: &'static str, passes: u32| {
        let faults = &faults;
        faults.request(operation, Context::default(), async move {
            for _ in 0..passes {
                assert!(faults.fault_point(POINT).await.is_ok());
                tokio::task::yield_now().await;
            }
        })
    };
    futures_util::future::join3(request("a", 3), request("b", 2), request("c", 0)).await;
    let counts = counts(&faults, POINT);
    assert_eq!((counts.passes, counts.unscoped), (5, 0));
    assert_eq!(counts.requests, BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]));
}

#[test]
fn points_beyond_those_that_a_thread_knows_are_counted_alike() {
    let (faults, _) = faults(Settings::default());
    let names: Vec<_> = (0..200).map(|number| format!("p{number}")).collect();
    for request in [open(&faults), open(&faults)] {
        let pass_all = || names.iter().for_each(|name| drop(faults.fault_point_blocking(name)));
        request.scope().enter(|| (0..3).for_each(|_| pass_all()));
    }
    for name in &names {
        let counts = counts(&faults, name);
        assert_eq!((counts.passes, counts.unscoped, counts.requests[OPERATION]), (6, 0, 2), "{name}");
    }
}

#[tokio::test]
async fn what_is_dropped_with_its_request_passes_inside_of_it() {
    struct PassesLate(Faults);
    impl Drop for PassesLate {
        fn drop(&mut self) {
            pass(&self.0);
        }
    }
    let (faults, _) = faults(Settings::default());
    let late = PassesLate(faults.clone());
    let pending = faults.request(OPERATION, Context::default(), async move {
        let _late = late;
        std::future::pending::<()>().await;
    });
    assert!(tokio::time::timeout(std::time::Duration::ZERO, pending).await.is_err());
    assert_eq!(of_point(&faults), (1, 0, 1));
}

#[test]
fn exempt_requests_are_traffic_and_no_root_requests() {
    let (faults, _) = faults(Settings::default());
    let probe = faults.open(|| RootRequest::new(OPERATION, Context::default()).exempt());
    probe.scope().enter(|| pass(&faults));
    assert_eq!(of_point(&faults), (1, 0, 0));
}
