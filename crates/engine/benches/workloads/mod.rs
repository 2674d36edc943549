//! The workloads of docs/benchmarks.md, for every benchmark of the engine.

use std::collections::BTreeMap;

use daybreak_engine::{Run, Snapshot, ValueRef, compile};
use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::wire::RunSpec;
use daybreak_model::{
    Condition, Context, DrawBy, Effect, Flag, Key, Percentage, Rule, RunId, Scalar, Serve, Value, Values,
};

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A flag of two variants.
pub(crate) fn flag(default: &str, variants: [(&str, Value); 2], rules: Vec<Rule>) -> Flag {
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

pub(crate) fn test(attribute: &str, test: Test) -> Condition {
    Condition::Attribute(AttributeTest { attribute: attribute.into(), test, ignore_case: false })
}

pub(crate) fn rule(name: &str, when: Option<Condition>, serve: Serve) -> Rule {
    Rule { name: key(name), description: None, when, percentage: None, by: None, serve }
}

fn texts(texts: impl IntoIterator<Item = String>) -> Values {
    texts.into_iter().map(|text| Scalar::Text(text.into())).collect()
}

/// W1: a boolean without rules.
pub(crate) fn boolean() -> Flag {
    flag("on", [("off", false.into()), ("on", true.into())], Vec::new())
}

/// W2: five rules over six attributes, of which the last matches.
pub(crate) fn five_rules() -> Flag {
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
pub(crate) fn split() -> Flag {
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

pub(crate) fn context() -> Context {
    Context::new("user-50")
        .with("country", "US")
        .with("plan", "free")
        .with("appVersion", "2.2.0")
        .with("email", "somebody@example.org")
        .with("age", 41)
        .with("beta", false)
}

pub(crate) fn snapshot<'f>(flags: impl IntoIterator<Item = (&'f Key, &'f Flag)>) -> Snapshot {
    compile(flags.into_iter().map(|(key, flag)| (key, flag, 1)), &segments())
}

/// Evaluates and reads the value, as a caller does.
pub(crate) fn ask(snapshot: &Snapshot, key: &str, context: &Context) -> usize {
    match snapshot.evaluate(key, context).value() {
        Some(ValueRef::String(text)) => text.len(),
        Some(ValueRef::Boolean(boolean)) => usize::from(boolean),
        _ => 0,
    }
}

/// A run that draws by request.
pub(crate) fn run() -> Run {
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
    Run::compile(RunId::new(1), spec).unwrap_or_else(|error| panic!("{error}"))
}
