//! What asking for a flag costs through the client: W1 by key and by handle, usage counted; making the context that it is
//! asked for; then two threads over one.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use daybreak_sdk::{Context, TestClient};

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

/// Six attributes, as an application knows them of a request.
fn contexts(criterion: &mut Criterion) {
    criterion.bench_function("a context of six attributes, made and dropped", |bencher| {
        bencher.iter(|| {
            Context::new(black_box("user-000123"))
                .with("country", black_box("DE"))
                .with("plan", black_box("enterprise"))
                .with("appVersion", black_box("2.3.7"))
                .with("email", black_box("ada@example.com"))
                .with("beta", black_box(true))
        });
    });
}

criterion_group!(benches, one_thread, contexts, several_threads);
criterion_main!(benches);
