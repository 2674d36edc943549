//! What an evaluation costs: the workloads of docs/benchmarks.md.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use daybreak_engine::{Run, Snapshot, ValueRef, compile};
use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::wire::RunSpec;
use daybreak_model::{
    Condition, Context, DrawBy, DrawKey, Effect, Flag, Key, Percentage, Rule, RunId, Scalar, Serve, Value, Values,
};

const FLAGS: usize = 10_000;

fn key(text: &str) -> Key {
    Key::new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn flag(default: &str, variants: [(&str, Value); 2], rules: Vec<Rule>) -> Flag {
    Flag {
        description: None,
        owner: None,
        tags: Vec::new(),
        metadata: BTreeMap::new(),
        client: false,
        enabled: true,
        expires: None,
        variants: variants.into_iter().map(|(name, value)| (key(name), value)).collect(),
        off: None,
        default: key(default),
        rules,
        prerequisites: BTreeMap::new(),
        salt: None,
    }
}

fn test(attribute: &str, test: Test) -> Condition {
    Condition::Attribute(AttributeTest { attribute: attribute.into(), test, ignore_case: false })
}

fn rule(name: &str, when: Option<Condition>, serve: Serve) -> Rule {
    Rule { name: key(name), description: None, when, percentage: None, by: None, serve }
}

fn texts(texts: impl IntoIterator<Item = String>) -> Values {
    texts.into_iter().map(|text| Scalar::Text(text.into())).collect()
}

/// W1: a boolean without rules.
fn boolean() -> Flag {
    flag("on", [("off", false.into()), ("on", true.into())], Vec::new())
}

/// W2: five rules over six attributes, of which the last matches.
fn five_rules() -> Flag {
    let countries = ["DE", "FR", "NO", "SE", "FI", "DK", "NL", "BE", "AT", "CH"].map(str::to_owned);
    let conditions = [
        test("country", Test::In(texts(countries))),
        test("plan", Test::Equals("pro".into())),
        test("appVersion", ">=2.3.0".parse().map(Test::Semver).unwrap_or_else(|error| panic!("{error}"))),
        test("email", Test::EndsWith(vec!["@shop.example".into()])),
        Condition::Segment(key("pilots")),
    ];
    let names = ["country", "plan", "version", "staff", "pilots"];
    let rules = names.into_iter().zip(conditions).map(|(name, when)| rule(name, Some(when), Serve::Serve(key("b"))));
    flag("a", [("a", "first".into()), ("b", "second".into())], rules.collect())
}

/// W3: a split into 25 % and 75 %.
fn split() -> Flag {
    let shares = [("a", 25_000), ("b", 75_000)];
    let share =
        |(name, thousandths)| (key(name), Percentage::from_thousandths(thousandths).unwrap_or(Percentage::ZERO));
    let rollout = rule("split", None, Serve::Rollout(shares.into_iter().map(share).collect()));
    flag("a", [("a", "first".into()), ("b", "second".into())], vec![rollout])
}

fn segments() -> BTreeMap<Key, Condition> {
    let pilots = (0..100).map(|number| format!("user-{number}"));
    BTreeMap::from([(key("pilots"), test("targetingKey", Test::In(texts(pilots))))])
}

fn context() -> Context {
    Context::new("user-50")
        .with("country", "US")
        .with("plan", "free")
        .with("appVersion", "2.2.0")
        .with("email", "somebody@example.org")
        .with("age", 41)
        .with("beta", false)
}

fn snapshot<'f>(flags: impl IntoIterator<Item = (&'f Key, &'f Flag)>) -> Snapshot {
    compile(flags.into_iter().map(|(key, flag)| (key, flag, 1)), &segments())
}

/// Evaluates and reads the value, as a caller does.
fn ask(snapshot: &Snapshot, key: &str, context: &Context) -> usize {
    match snapshot.evaluate(key, context).value() {
        Some(ValueRef::String(text)) => text.len(),
        Some(ValueRef::Boolean(boolean)) => usize::from(boolean),
        _ => 0,
    }
}

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
    let spec = RunSpec {
        fault: key("slow"),
        point: key("payment.gateway"),
        operation: None,
        host: None,
        when: None,
        segments: BTreeMap::new(),
        protect: Vec::new(),
        by: DrawBy::Request,
        salt: "salt".to_owned(),
        effect: Effect { abort: true, ..Effect::default() },
        times: None,
        shadow: false,
        measure: None,
    };
    let Ok(run) = Run::compile(RunId::new(1), spec) else { return };
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
