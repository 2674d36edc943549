//! What asking for a flag costs through the client: W1 by key and by handle, usage counted; then two threads
//! over one, and a fault point where nothing runs.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use daybreak_sdk::{Context, TestClient};

fn client() -> TestClient {
    let client = TestClient::new();
    // The keys are good.
    let _ = client.set("new-checkout", true);
    client
}

fn one_thread(criterion: &mut Criterion) {
    let client = client();
    let context = Context::new("user-7");
    criterion.bench_function("W1 boolean by key", |bencher| {
        bencher.iter(|| client.bool(black_box("new-checkout"), &context, false));
    });
    let flag = client.flag::<bool>("new-checkout");
    criterion.bench_function("W1 boolean by handle", |bencher| {
        bencher.iter(|| flag.get(black_box(&context), false));
    });
    let point = client.point("payment.gateway");
    criterion.bench_function("fault point by handle, outside a scope, nothing running", |bencher| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().ok();
        bencher.iter_custom(|times| {
            let Some(runtime) = &runtime else { return Duration::ZERO };
            runtime.block_on(async {
                let began = Instant::now();
                for _ in 0..times {
                    let _ = black_box(point.pass().await);
                }
                began.elapsed()
            })
        });
    });
}

/// The time that each of `threads` takes for as many evaluations as one.
fn threads(criterion: &mut Criterion) {
    let client = client();
    for threads in [1, 2] {
        let flag = client.flag::<bool>("new-checkout");
        criterion.bench_function(&format!("W5 boolean by handle, {threads} thread(s)"), |bencher| {
            bencher.iter_custom(|times| {
                let work = || {
                    let (flag, context) = (flag.clone(), Context::new("user-7"));
                    let began = Instant::now();
                    for _ in 0..times {
                        black_box(flag.get(black_box(&context), false));
                    }
                    began.elapsed()
                };
                std::thread::scope(|scope| {
                    let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                    workers.into_iter().filter_map(|worker| worker.join().ok()).max().unwrap_or_default()
                })
            });
        });
    }
}

criterion_group!(benches, one_thread, threads);
criterion_main!(benches);
