//! No context makes an evaluation panic, and what is explained is what was answered. No run that the wire could bring
//! makes a draw panic, or strikes longer or more often than was asked.
//!
//! `cargo test` runs each for a second, and the kept corpus first; `BOLERO_RANDOM_TEST_TIME_MS=60000` runs longer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_engine::{RuleOutcome, Run, Snapshot, compile};
use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::limits::EFFECT_DURATION_MAX;
use daybreak_model::wire::RunSpec;
use daybreak_model::{Arm, Condition, Context, DrawKey, Flag, Key, Pattern, Percentage, Reason, Rule, RunId, Serve};

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
        Test::In(
            ["DE".into(), daybreak_model::Scalar::Number(7.0), daybreak_model::Scalar::Boolean(true)]
                .into_iter()
                .collect(),
        ),
        Test::NotIn(["user-7".into()].into_iter().collect()),
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
    // So it does after a space: the kept corpus can be read.
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
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes: &[u8]| {
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

/// What the kept contexts are for: each outcome of a rule, and each reason that these flags can give.
#[test]
fn the_kept_contexts_reach_every_outcome() {
    let folder =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/__fuzz__/invariant_6_no_context_makes_an_evaluation_panic/corpus");
    let snapshot = snapshot();
    let mut outcomes = Vec::new();
    let mut reasons = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = json(&std::fs::read(file.unwrap().path()).unwrap());
        let Ok(Ok(context)) = serde_json::from_str(&text).map(|json| Context::from_json(&json)) else { continue };
        for flag in snapshot.flags() {
            let explanation = snapshot.explain(flag.key.as_str(), &context).unwrap();
            outcomes.extend(explanation.rules.iter().map(|trace| format!("{} {:?}", trace.rule, trace.outcome)));
            reasons.push(snapshot.evaluate_at(flag.index, &context).reason());
        }
    }
    for outcome in [
        "all Matched",
        "all NotMatched",
        "none Matched",
        "none NotMatched",
        "segment Matched",
        "segment NotMatched",
        "rest Matched",
        "rest Failed",
        "rest NotAsked",
    ] {
        assert!(outcomes.iter().any(|reached| reached == outcome), "no kept context reaches `{outcome}`");
    }
    for reason in [Reason::TargetingMatch, Reason::Split, Reason::Error] {
        assert!(reasons.contains(&reason), "no kept context is answered with {reason:?}");
    }
}

/// A run as the wire brings it: parts by the bytes, or the bytes themselves after a space.
fn run_json(bytes: &[u8]) -> String {
    const EFFECTS: [&str; 10] = [
        r#"{"abort": true}"#,
        r#"{"error": {"status": 599, "code": "x"}, "abort": true}"#,
        r#"{"latency": {"fixed": "30s", "max": "1ms"}}"#,
        r#"{"latency": {"uniform": {"from": "0ms", "to": "30s"}, "max": "29s"}}"#,
        r#"{"latency": {"normal": {"mean": "1ms", "sd": "30s"}, "max": "30s"}}"#,
        r#"{"latency": {"lognormal": {"median": "30s", "sigma": 1e300}, "max": "5s"}}"#,
        r#"{"latency": {"exponential": {"mean": "0ms"}, "max": "5s"}}"#,
        r#"{"latency": {"pareto": {"scale": "1ms", "shape": 1e-300}, "max": "5s"}}"#,
        r#"{"hang": {"max": "30s"}, "data": [null]}"#,
        "{}",
    ];
    const REST: [&str; 12] = [
        r#""times": 1"#,
        r#""shadow": true"#,
        r#""by": {"attribute": "a.b"}"#,
        r#""by": {"attribute": "targetingKey"}"#,
        r#""operation": "GET /""#,
        r#""host": "A.example""#,
        r#""when": {"a": 7}"#,
        r#""when": {"segment": "s"}"#,
        r#""when": {"not": {"any": [{"segment": "s"}, {"device.os": {"exists": false}}]}}"#,
        r#""segments": {"s": {"segment": "s"}}"#,
        r#""segments": {"s": {"b": {"matches": "^(a|b)*$"}}}"#,
        r#""protect": ["s"]"#,
    ];
    match bytes.split_first() {
        Some((b' ', rest)) => String::from_utf8_lossy(rest).into_owned(),
        Some((&first, rest)) => {
            let effect = EFFECTS[usize::from(first) % EFFECTS.len()];
            let mut chosen: Vec<usize> = rest.iter().take(5).map(|byte| usize::from(*byte) % REST.len()).collect();
            // A field that comes twice is refused, which would be most of what is tried.
            let name = |part: &usize| REST[*part].split(':').next();
            chosen.sort_unstable();
            chosen.dedup_by(|a, b| name(a) == name(b));
            let by =
                if chosen.iter().any(|part| REST[*part].starts_with("\"by\"")) { "" } else { r#""by": "request","# };
            let parts: Vec<&str> = chosen.iter().map(|part| REST[*part]).collect();
            let comma = if parts.is_empty() { "" } else { "," };
            format!(
                r#"{{"fault": "f", "point": "p", "salt": "s", {by} "effect": {effect} {comma} {}}}"#,
                parts.join(", ")
            )
        }
        None => String::new(),
    }
}

/// Holds what a run does to requests against what was asked.
fn never_more_than_asked(run: &Run, text: &str) {
    let contexts = [Context::default(), Context::new("user-7").with("a", 7.0).with("b", "ab")];
    for number in 0..4 {
        let key = DrawKey::new(number);
        for context in &contexts {
            let _ = run.selects("GET /", Some("a.EXAMPLE"), context);
            assert_ne!(run.draw(Percentage::ZERO, key, context), Some(Arm::Treated), "{text}");
            assert_ne!(run.draw(Percentage::FULL, key, context), Some(Arm::Control), "{text}");
        }
        for pass in [0, 1, u32::MAX] {
            let Some(strike) = run.strike(key, pass) else { continue };
            let spec = run.spec();
            assert!(!spec.shadow && spec.times.is_none_or(|times| pass < times.get()), "{text}");
            let longest = spec.effect.latency.map(|latency| latency.max.to_duration());
            assert!(strike.latency <= longest, "{text}: {strike:?}");
            let waits = [strike.latency, strike.hang].into_iter().flatten().max().unwrap_or_default();
            assert!(waits <= EFFECT_DURATION_MAX.to_duration(), "{text}: {strike:?}");
        }
    }
}

#[test]
fn invariant_4_no_run_strikes_more_than_asked() {
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes: &[u8]| {
        let text = run_json(bytes);
        let Ok(spec) = serde_json::from_str::<RunSpec>(&text) else { return };
        if let Ok(run) = Run::compile(RunId::new(7), spec) {
            never_more_than_asked(&run, &text);
        }
    });
}
