//! What an evaluation costs: the workloads of docs/benchmarks.md.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use daybreak_model::{Context, DrawKey, Key, Percentage};

use workloads::{ask, boolean, context, five_rules, key, run, snapshot, split};

mod workloads;

const FLAGS: usize = 10_000;

fn evaluation(criterion: &mut Criterion) {
    let (w1, w2, w3) = (key("w1"), key("w2"), key("w3"));
    let flags = [(&w1, &boolean()), (&w2, &five_rules()), (&w3, &split())];
    let snapshot = snapshot(flags);
    let context = context();
    assert_eq!(snapshot.evaluate("w2", &context).rule(), Some(&key("pilots")), "the last rule matches");
    for (name, flag) in [("W1 boolean, no rules", "w1"), ("W2 five rules, the last matches", "w2")] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| ask(&snapshot, black_box(flag), &context));
        });
    }
    let users: Vec<Context> = (0..1_000).map(|number| Context::new(&format!("user-{number}"))).collect();
    criterion.bench_function("W3 25/75 rollout", |bencher| {
        let mut users = users.iter().cycle();
        bencher.iter(|| users.next().map(|user| ask(&snapshot, black_box("w3"), user)));
    });
    criterion.bench_function("the floor: look-up by key alone", |bencher| {
        bencher.iter(|| snapshot.index(black_box("w1")));
    });
}

fn many(criterion: &mut Criterion) {
    let keys: Vec<Key> = (0..FLAGS).map(|number| key(&format!("flag-{number}"))).collect();
    let flag = five_rules();
    let snapshot = snapshot(keys.iter().map(|key| (key, &flag)));
    let context = context();
    // Every flag once, in an order that no cache foresees: 7,919 is prime to their number.
    let order: Vec<&str> = (0..FLAGS).map(|number| keys[number * 7_919 % FLAGS].as_str()).collect();
    criterion.bench_function("W4 W2 among 10,000 flags, shuffled", |bencher| {
        let mut keys = order.iter().cycle();
        bencher.iter(|| keys.next().map(|key| ask(&snapshot, black_box(key), &context)));
    });
}

fn threads(criterion: &mut Criterion) {
    let w2 = key("w2");
    let snapshot = snapshot([(&w2, &five_rules())]);
    for threads in [1, 2] {
        criterion.bench_function(&format!("W5 W2 on {threads} thread(s)"), |bencher| {
            bencher.iter_custom(|times| {
                let work = || {
                    let context = context();
                    let began = Instant::now();
                    for _ in 0..times {
                        black_box(ask(&snapshot, black_box("w2"), &context));
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

fn draws(criterion: &mut Criterion) {
    let run = run();
    let one = Percentage::from_thousandths(1_000).unwrap_or(Percentage::ZERO);
    let context = context();
    criterion.bench_function("a draw", |bencher| {
        let mut bits = 0_u128;
        bencher.iter(|| {
            bits += 1;
            run.draw(one, DrawKey::new(bits), &context)
        });
    });
}

criterion_group!(benches, evaluation, many, threads, draws);
criterion_main!(benches);
