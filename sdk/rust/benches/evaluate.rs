//! What asking for a flag costs through the client: W1 by key and by handle, usage counted; then two threads
//! over one.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use daybreak_sdk::{Context, Telemetry, TestClient};

mod threads;

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
}

/// The time that each of `count` threads takes for as many evaluations as one.
fn several_threads(criterion: &mut Criterion) {
    let client = client();
    for count in [1, 2] {
        let flag = client.flag::<bool>("new-checkout");
        criterion.bench_function(&format!("W5 boolean by handle, {count} thread(s)"), |bencher| {
            bencher.iter_custom(|times| {
                threads::together(count, || {
                    let (flag, context) = (flag.clone(), Context::new("user-7"));
                    for _ in 0..times {
                        black_box(flag.get(black_box(&context), false));
                    }
                })
            });
        });
    }
}

/// What it costs to be told: nobody; a trace that is not recorded; `tracing` where nobody listens.
fn told(criterion: &mut Criterion) {
    let context = Context::new("user-7");
    let mut clients =
        vec![("nobody", TestClient::new()), ("tracing, unheard", TestClient::with_telemetry(Telemetry::tracing()))];
    #[cfg(feature = "opentelemetry")]
    clients.push(("OpenTelemetry, unrecorded", TestClient::with_telemetry(Telemetry::opentelemetry())));
    for (name, client) in clients {
        // The keys are good.
        let _ = client.set("new-checkout", true);
        let flag = client.flag::<bool>("new-checkout");
        criterion.bench_function(&format!("telemetry: {name}, by handle"), |bencher| {
            bencher.iter(|| flag.get(black_box(&context), false));
        });
        #[cfg(feature = "metrics")]
        criterion.bench_function(&format!("telemetry: {name}, the whole of the metrics"), |bencher| {
            bencher.iter(|| client.metrics());
        });
    }
}

criterion_group!(benches, one_thread, several_threads, told);
criterion_main!(benches);
