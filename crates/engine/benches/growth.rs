//! How evaluating grows with what there is: flags, rules of a flag, ids of a list, threads. The last part of each name is how
//! many there are, so that `cargo xtask bench` draws them.
//!
//! What is not flat, and why: among many flags a flag that was not asked for lately waits for memory; so does an id among many.
//! Rules are asked one after the other until one matches, so the last of a thousand comes after 999.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main, measurement::WallTime};
use daybreak_engine::{FlagIndex, Snapshot, ValueRef, compile};
use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::{Condition, Context, Flag, Key, Rule, Scalar, Serve, Values};

const FLAGS: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const RULES: [usize; 4] = [1, 10, 100, 1_000];
const IDS: [usize; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const THREADS: [usize; 2] = [1, 2];
/// Contexts that ask about a list: enough that what one finds in a cache, the one before it did not bring there.
const USERS: usize = 4_096;

fn key(text: &str) -> Key {
    Key::new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn test(attribute: &str, test: Test, ignore_case: bool) -> Condition {
    Condition::Attribute(AttributeTest { attribute: attribute.into(), test, ignore_case })
}

/// A flag whose rules serve `on`, and which serves `off` else.
fn flag(conditions: impl IntoIterator<Item = Condition>) -> Flag {
    let rule = |(number, when)| Rule {
        name: key(&format!("rule-{number}")),
        description: None,
        when: Some(when),
        percentage: None,
        by: None,
        serve: Serve::Serve(key("on")),
    };
    Flag {
        description: None,
        owner: None,
        tags: Vec::new(),
        metadata: BTreeMap::new(),
        client: false,
        enabled: true,
        expires: None,
        variants: [(key("off"), false.into()), (key("on"), true.into())].into(),
        off: None,
        default: key("off"),
        rules: conditions.into_iter().enumerate().map(rule).collect(),
        prerequisites: BTreeMap::new(),
        salt: None,
    }
}

fn plan(plan: &str) -> Condition {
    test("plan", Test::Equals(plan.into()), false)
}

fn is_on(snapshot: &Snapshot, key: &str, context: &Context) -> bool {
    matches!(snapshot.evaluate(key, context).value(), Some(ValueRef::Boolean(true)))
}

fn is_on_at(snapshot: &Snapshot, index: FlagIndex, context: &Context) -> bool {
    matches!(snapshot.evaluate_at(index, context).value(), Some(ValueRef::Boolean(true)))
}

/// Places in an order that no cache foresees: 7,919 is prime to all powers of ten.
fn shuffled(count: usize) -> impl Iterator<Item = usize> + Clone {
    (0..count).map(move |number| number * 7_919 % count)
}

fn flags(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth over flags");
    let (flag, context) = (flag([plan("free"), plan("pro")]), Context::new("user-7").with("plan", "pro"));
    for count in FLAGS {
        let keys: Vec<Key> = (0..count).map(|number| key(&format!("flag-{number}"))).collect();
        let snapshot = compile(keys.iter().map(|key| (key, &flag, 1)), &BTreeMap::new());
        assert!(keys.iter().all(|key| is_on(&snapshot, key.as_str(), &context)), "every flag's second rule matches");
        let order: Vec<&str> = shuffled(count).map(|at| keys[at].as_str()).collect();
        let places: Vec<FlagIndex> = order.iter().filter_map(|key| snapshot.index(key)).collect();
        assert_eq!(places.len(), count, "every flag is found");
        group.bench_function(BenchmarkId::new("one of them, by key", count), |bencher| {
            bencher.iter(|| is_on(&snapshot, black_box("flag-7"), &context));
        });
        group.bench_function(BenchmarkId::new("each in turn, by key", count), |bencher| {
            let mut keys = order.iter().cycle();
            bencher.iter(|| keys.next().map(|key| is_on(&snapshot, black_box(key), &context)));
        });
        group.bench_function(BenchmarkId::new("each in turn, by place", count), |bencher| {
            let mut places = places.iter().cycle();
            bencher.iter(|| places.next().map(|place| is_on_at(&snapshot, black_box(*place), &context)));
        });
    }
    group.finish();
}

fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth over rules");
    for count in RULES {
        let flag = flag((0..count).map(|number| plan(&format!("plan-{number}"))));
        let ruled = key("ruled");
        let snapshot = compile([(&ruled, &flag, 1)], &BTreeMap::new());
        for (name, number) in [("the first matches", 0), ("the last matches", count - 1)] {
            let context = Context::new("user-7").with("plan", format!("plan-{number}").as_str());
            let rule = snapshot.evaluate("ruled", &context).rule().map(Key::as_str);
            assert_eq!(rule, Some(&*format!("rule-{number}")), "{name}");
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| is_on(&snapshot, black_box("ruled"), &context));
            });
        }
    }
    group.finish();
}

fn ids(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth over ids of a segment");
    for count in IDS {
        let values: Values = (0..count).map(|number| Scalar::Text(format!("user-{number:09}").into())).collect();
        let segments = BTreeMap::from([
            (key("exact"), test("targetingKey", Test::In(values.clone()), false)),
            (key("folded"), test("targetingKey", Test::In(values), true)),
        ]);
        let (exact, folded) = (key("by-exact"), key("by-folded"));
        let flags = [flag([Condition::Segment(key("exact"))]), flag([Condition::Segment(key("folded"))])];
        let snapshot = compile([(&exact, &flags[0], 1), (&folded, &flags[1], 1)], &segments);
        let among = |number: usize| Context::new(&format!("user-{:09}", number * 7_919 % count));
        let beside = |number: usize| Context::new(&format!("user-{:09}", count + number));
        let members: Vec<Context> = (0..USERS).map(among).collect();
        let others: Vec<Context> = (0..USERS).map(beside).collect();
        let cases = [
            ("one of them", "by-exact", &members, true),
            ("not one of them", "by-exact", &others, false),
            ("one of them, case folded", "by-folded", &members, true),
        ];
        for (name, flag, users, expected) in cases {
            assert!(users.iter().all(|user| is_on(&snapshot, flag, user) == expected), "{name}");
            ask_all(&mut group, BenchmarkId::new(name, count), users, |user| is_on(&snapshot, black_box(flag), user));
        }
    }
    group.finish();
}

fn ask_all(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    users: &[Context],
    ask: impl Fn(&Context) -> bool,
) {
    group.bench_function(id, |bencher| {
        let mut users = users.iter().cycle();
        bencher.iter(|| users.next().map(&ask));
    });
}

/// The time of one evaluation on each of several threads, of which none waits for another.
fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth over threads");
    let (asked, flag) = (key("asked"), flag([plan("free"), plan("pro")]));
    let snapshot = compile([(&asked, &flag, 1)], &BTreeMap::new());
    for count in THREADS {
        group.bench_function(BenchmarkId::new("engine, by key", count), |bencher| {
            bencher.iter_custom(|times| together(count, || evaluate(&snapshot, times)));
        });
    }
    group.finish();
}

fn evaluate(snapshot: &Snapshot, times: u64) -> Duration {
    let context = Context::new("user-7").with("plan", "pro");
    assert!(is_on(snapshot, "asked", &context), "its second rule matches");
    let began = Instant::now();
    for _ in 0..times {
        black_box(is_on(snapshot, black_box("asked"), &context));
    }
    began.elapsed()
}

/// The longest that one of the threads takes.
fn together(threads: usize, work: impl Fn() -> Duration + Sync) -> Duration {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).max().unwrap_or_default()
    })
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
}

criterion_group! { name = benches; config = short(); targets = flags, rules, ids, threads }
criterion_main!(benches);
