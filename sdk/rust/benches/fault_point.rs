//! What passing a fault point costs while nothing strikes, and beside it the bare limits: what a pass cannot do
//! without.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use daybreak_sdk::faults::{Faults, Settings};
use daybreak_sdk::{InjectedFault, Pass, Point};
use points::{POINT, grant, open, pass};

mod points;
mod threads;

thread_local! {
    static COUNTER: Cell<u64> = const { Cell::new(0) };
}

tokio::task_local! {
    static LOCAL: std::sync::Arc<u64>;
}

/// As [`pass`], by a function that does nothing.
fn call(point: &Point, times: u64) {
    async fn nothing(_: &Point) -> Result<Pass, InjectedFault> {
        Ok(Pass::default())
    }
    let calling = async {
        for _ in 0..times {
            let _ = black_box(nothing(black_box(point)).await);
        }
    };
    let _ = futures_util::FutureExt::now_or_never(calling);
}

/// How long that takes.
fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn limits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limits");
    let armed = AtomicBool::new(false);
    group.bench_function("one relaxed load", |b| b.iter(|| black_box(&armed).load(Ordering::Relaxed)));
    let add = || COUNTER.set(black_box(COUNTER.get()) + 1);
    group.bench_function("adding to a thread-local counter", |b| b.iter(add));
    LOCAL.sync_scope(std::sync::Arc::new(1), || {
        let local = || LOCAL.try_with(|local| **local).unwrap_or_default();
        group.bench_function("a task-local access", |b| b.iter(|| black_box(local())));
    });
    let point = Faults::new(Settings::default()).point(POINT);
    group.bench_function("an async call that does nothing", |b| {
        b.iter_custom(|times| timed(|| call(&point, times)));
    });
    for count in [1, 2] {
        group.bench_function(format!("adding to a thread-local counter, {count} thread(s)"), |b| {
            b.iter_custom(|times| threads::together(count, || (0..times).for_each(|_| add())));
        });
    }
    group.finish();
}

fn fault_point(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fault_point");
    let faults = Faults::new(Settings::default());
    let point = faults.point(POINT);

    group.bench_function("by handle, nothing running, no scope", |b| {
        b.iter_custom(|times| timed(|| pass(&point, times)));
    });
    open(&faults).scope().enter(|| {
        group.bench_function("by handle, nothing running", |b| {
            b.iter_custom(|times| timed(|| pass(&point, times)));
        });
        group.bench_function("by handle, nothing running, blocking", |b| b.iter(|| black_box(&point).pass_blocking()));
        group.bench_function("by name, nothing running", |b| {
            b.iter(|| futures_util::FutureExt::now_or_never(faults.fault_point(black_box(POINT))));
        });
    });
    for count in [1, 2] {
        group.bench_function(format!("by handle, nothing running, {count} thread(s)"), |b| {
            b.iter_custom(|times| {
                threads::together(count, || {
                    let point = point.clone();
                    open(&faults).scope().enter(|| pass(&point, times));
                })
            });
        });
    }
    group.finish();
}

/// Requests of which each passes every point for the first time.
fn first_passes(criterion: &mut Criterion) {
    const REQUESTS: u64 = 1_000;
    let mut group = criterion.benchmark_group("fault_point");
    let faults = Faults::new(Settings::default());
    let points: Vec<_> = (0..10).map(|number| faults.point(&format!("point-{number}"))).collect();
    for passed in [0, 1, 10] {
        group.bench_function(format!("entering a scope and passing {passed} points"), |b| {
            b.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                for begin in (0..times).step_by(REQUESTS as usize) {
                    let requests: Vec<_> = (begin..times.min(begin + REQUESTS)).map(|_| open(&faults)).collect();
                    let pass_all = || points.iter().take(passed).for_each(|point| pass(point, 1));
                    spent += timed(|| requests.iter().for_each(|request| request.scope().enter(pass_all)));
                }
                spent
            });
        });
    }
    group.finish();
}

/// Passes while a run is active, there or elsewhere.
fn running(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fault_point");
    let faults = Faults::new(Settings::default());
    let point = faults.point(POINT);
    open(&faults).scope().enter(|| {
        let granted = grant(&faults, 1, "catalogue.search").is_ok();
        assert!(granted, "the run of the benchmark is sound");
        group.bench_function("by handle, another running", |b| {
            b.iter_custom(|times| timed(|| pass(&point, times)));
        });
        let granted = grant(&faults, 2, POINT).is_ok();
        assert!(granted, "the run of the benchmark is sound");
        group.bench_function("by handle, running here, in the control arm", |b| {
            b.iter_custom(|times| timed(|| pass(&point, times)));
        });
    });
    group.finish();
}

criterion_group!(benches, limits, fault_point, first_passes, running);
criterion_main!(benches);
