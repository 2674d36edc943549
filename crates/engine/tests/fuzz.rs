//! No context makes an evaluation panic, and what is explained is what was answered.
//!
//! `cargo test` runs it for some seconds; `BOLERO_RANDOM_TEST_TIME_MS=60000` runs longer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_engine::{RuleOutcome, Snapshot, compile};
use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::{Condition, Context, Flag, Key, Pattern, Percentage, Reason, Rule, Serve};

/// Names that the snapshot asks for, and values that its tests can judge: so that a fuzzed context reaches them.
const NAMES: [&str; 7] = ["targetingKey", "a", "b", "a.b", "device.os", "tags", "when"];
const VALUES: [&str; 14] = [
    "null",
    "true",
    "-0.0",
    "7",
    "1e300",
    "\"\"",
    "\"user-7\"",
    "\"DE\"",
    "\"2.3.0-rc.1\"",
    "\"::ffff:10.0.0.1\"",
    "\"2026-01-01T00:00:00Z\"",
    "[]",
    "[1, \"DE\", [true], {\"b\": 1}]",
    "{\"b\": {\"os\": \"ß\"}, \"os\": 7}",
];

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn tests() -> Vec<Test> {
    vec![
        Test::Equals("DE".into()),
        Test::In(vec!["DE".into(), daybreak_model::Scalar::Number(7.0), daybreak_model::Scalar::Boolean(true)]),
        Test::NotIn(vec!["user-7".into()]),
        Test::Contains("E".into()),
        Test::StartsWith(vec!["user".into()]),
        Test::EndsWith(vec!["SS".into()]),
        Test::Matches(Pattern::new("^u.*7$", true).unwrap()),
        Test::Gt(1.0),
        Test::Lte(7.0),
        Test::Before("2026-06-01T00:00:00Z".parse().unwrap()),
        Test::After("2025-06-01T00:00:00Z".parse().unwrap()),
        Test::Semver(">=2.3.0".parse().unwrap()),
        Test::Cidr(vec!["10.0.0.0/8".parse().unwrap()]),
        Test::Exists(false),
    ]
}

/// A flag for each test, each asked of every name, in every combination of conditions.
fn snapshot() -> Snapshot {
    let attribute = |name: &str, test: &Test| {
        Condition::Attribute(AttributeTest { attribute: name.into(), test: test.clone(), ignore_case: name == "b" })
    };
    let rule =
        |name: &str, when, serve| Rule { name: key(name), description: None, when, percentage: None, by: None, serve };
    let half = Percentage::from_thousandths(50_000).unwrap();
    let flags: BTreeMap<Key, Flag> = tests()
        .iter()
        .enumerate()
        .map(|(number, test)| {
            let each: Vec<Condition> = NAMES.iter().map(|name| attribute(name, test)).collect();
            let rules = vec![
                rule("all", Some(Condition::All(each.clone())), Serve::Serve(key("on"))),
                Rule {
                    percentage: Some(half),
                    ..rule("none", Some(Condition::Not(Box::new(Condition::Any(each)))), Serve::Serve(key("on")))
                },
                rule("segment", Some(Condition::Segment(key("segment"))), Serve::Serve(key("off"))),
                rule("rest", None, Serve::Rollout(BTreeMap::from([(key("off"), half), (key("on"), half)]))),
            ];
            let flag = Flag {
                description: None,
                owner: None,
                tags: Vec::new(),
                metadata: BTreeMap::new(),
                client: false,
                enabled: true,
                expires: None,
                variants: BTreeMap::from([(key("off"), false.into()), (key("on"), true.into())]),
                off: None,
                default: key("off"),
                rules,
                prerequisites: BTreeMap::new(),
                salt: None,
            };
            (key(&format!("flag-{number}")), flag)
        })
        .collect();
    let segments = BTreeMap::from([(key("segment"), attribute("device.os", &Test::Exists(true)))]);
    compile(flags.iter().map(|(key, flag)| (key, flag, 1)), &segments)
}

/// A context in JSON: names and values by the bytes, or the bytes themselves.
fn json(bytes: &[u8]) -> String {
    let Some((&first, rest)) = bytes.split_first() else { return "{}".to_owned() };
    if first % 4 == 0 {
        return String::from_utf8_lossy(rest).into_owned();
    }
    let member = |pair: &[u8]| {
        let value = pair.get(1).copied().unwrap_or_default();
        format!("\"{}\": {}", NAMES[usize::from(pair[0]) % NAMES.len()], VALUES[usize::from(value) % VALUES.len()])
    };
    format!("{{{}}}", rest.chunks(2).map(member).collect::<Vec<_>>().join(", "))
}

/// Invariant 6: whatever the context, an evaluation answers. Invariant 7: and an explanation says the same.
#[test]
fn invariant_6_no_context_makes_an_evaluation_panic() {
    let snapshot = snapshot();
    bolero::check!().with_test_time(Duration::from_secs(5)).for_each(|bytes: &[u8]| {
        let Ok(json) = serde_json::from_str(&json(bytes)) else { return };
        let Ok(context) = Context::from_json(&json) else { return };
        for flag in snapshot.flags() {
            let detail = snapshot.evaluate_at(flag.index, &context);
            let explanation = snapshot.explain(flag.key.as_str(), &context).unwrap();
            let answered =
                |outcome| explanation.rules.iter().find(|trace| trace.outcome == outcome).map(|trace| &trace.rule);
            let expected = if detail.reason() == Reason::Error { RuleOutcome::Failed } else { RuleOutcome::Matched };
            assert_eq!(answered(expected), detail.rule(), "{json}");
        }
    });
}
