//! What passing a fault point costs while nothing strikes.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use daybreak_model::wire::{Enveloped, Position, Reply, RunGrant, RunSpec, StoreId};
use daybreak_model::{Context, DrawBy, Effect, Key, Millis, Percentage, RunId};
use daybreak_sdk::Point;
use daybreak_sdk::faults::{Faults, Settings};
use daybreak_sdk::scope::RootRequest;
use jiff::SignedDuration;

const POINT: &str = "payment.gateway";

/// Passes to the end without a runtime: nothing waits here.
fn pass(point: &Point) {
    let passing = std::pin::pin!(black_box(point).pass());
    let _ = black_box(futures_util::FutureExt::now_or_never(passing));
}

/// Grants a run at this point, which treats nobody.
fn grant(faults: &Faults, point: &str) -> Result<(), Box<dyn std::error::Error>> {
    let spec = RunSpec {
        fault: Key::new("slow")?,
        point: Key::new(point)?,
        operation: None,
        host: None,
        when: None,
        segments: Default::default(),
        protect: Vec::new(),
        by: DrawBy::Request,
        salt: "salt".to_owned(),
        effect: Effect { abort: true, ..Effect::default() },
        times: None,
        shadow: false,
    };
    let now = faults.now();
    let run = RunGrant {
        id: RunId::new(1),
        stage: 0,
        percentage: Percentage::ZERO,
        cap: 64,
        ends_at: now.wall + SignedDuration::from_hours(1),
        spec: Some(Enveloped::new(1, &spec)?),
    };
    let reply = Reply {
        environment: "bench".to_owned(),
        position: Position { store: StoreId::new(1), revision: 1 },
        now: now.wall,
        lease: Millis::from_secs(30),
        interval: Millis::from_secs(2),
        halted: false,
        runs: vec![run],
    };
    faults.grant(&reply, now);
    Ok(())
}

fn fault_point(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fault_point");
    let faults = Faults::new(Settings::default());
    let point = faults.point(POINT);
    let open = faults.open(RootRequest::new("POST /checkout", Context::default()));

    group.bench_function("by handle, nothing running, no scope", |b| b.iter(|| pass(&point)));
    open.scope().enter(|| {
        group.bench_function("by handle, nothing running", |b| b.iter(|| pass(&point)));
        group.bench_function("by name, nothing running", |b| {
            b.iter(|| pass(&faults.point(black_box(POINT))));
        });
        let granted = grant(&faults, "catalogue.search").is_ok();
        assert!(granted, "the run of the benchmark is sound");
        group.bench_function("by handle, another running", |b| b.iter(|| pass(&point)));
        let granted = grant(&faults, POINT).is_ok();
        assert!(granted, "the run of the benchmark is sound");
        group.bench_function("by handle, running here, in the control arm", |b| b.iter(|| pass(&point)));
    });
    group.finish();
}

criterion_group!(benches, fault_point);
criterion_main!(benches);
