//! What conditions, rules and answers mean, as tables; and what must hold of every answer.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are written in place"
)]

use std::collections::BTreeMap;

use daybreak_engine::bucket::{Purpose, bucket};
use daybreak_engine::{Snapshot, ValueRef, compile};
use daybreak_model::{Condition, Context, ErrorCode, Flag, Key, Reason};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn snapshot(flags: &Json, segments: &Json) -> Snapshot {
    let flags: BTreeMap<Key, Flag> = serde_json::from_value(flags.clone()).unwrap();
    let segments: BTreeMap<Key, Condition> = serde_json::from_value(segments.clone()).unwrap();
    compile(flags.iter().map(|(key, flag)| (key, flag, 7)), &segments)
}

fn test(test: Json) -> Json {
    json!({"attribute": {"attribute": "a", "test": test}})
}

fn rule(name: &str, when: Json) -> Json {
    json!({"name": name, "when": when, "serve": "on"})
}

fn boolean(rules: Json) -> Json {
    json!({"variants": {"on": true, "off": false}, "off": "off", "default": "off", "rules": rules})
}

/// What a condition comes to: "true", "false" or "unknown", told apart by asking for it and for its opposite.
fn truth(when: &Json, context: &Json) -> &'static str {
    let flags = json!({"f": boolean(json!([rule("yes", when.clone()), rule("no", json!({"not": when}))]))});
    let snapshot = snapshot(&flags, &json!({"s": test(json!({"equals": 1}))}));
    let context = Context::from_json(context).unwrap();
    match snapshot.evaluate("f", &context).rule().map(Key::as_str) {
        Some("yes") => "true",
        Some(_) => "false",
        None => "unknown",
    }
}

/// Whatever is written is served: nothing at all, what stands beside its flag, and what is too long for that.
#[test]
fn every_value_is_served_as_it_is_written() {
    let long = |length: usize| json!("ä".repeat(length));
    let cases = [
        vec![json!(""), json!("")],
        vec![json!(""), json!("a"), json!("")],
        vec![json!("a"), json!("ab"), json!("\0\"")],
        vec![long(127), long(128), long(129), json!("")],
        vec![long(5_000), long(129)],
        vec![json!(0), json!(-1), json!((1_i64 << 53))],
        vec![json!(0.5), json!(-1e300)],
        vec![json!(true), json!(false)],
        vec![json!({}), json!({"a": [1, ""]})],
    ];
    for values in cases {
        for (number, expected) in values.iter().enumerate() {
            let variants: BTreeMap<_, _> =
                values.iter().zip(0..).map(|(value, at)| (format!("v{at}"), value)).collect();
            let flags = json!({"f": {"variants": variants, "off": "v0", "default": format!("v{number}"), "rules": []}});
            let snapshot = snapshot(&flags, &json!({}));
            let detail = snapshot.evaluate("f", &Context::default());
            assert_eq!(detail.value().map(ValueRef::to_json).as_ref(), Some(expected), "{variants:?}");
        }
    }
}

#[test]
fn tests_have_three_values() {
    let cases = [
        (json!({"equals": "x"}), json!("x"), "true"),
        (json!({"equals": "x"}), json!("X"), "false"),
        (json!({"equals": "x"}), json!(null), "unknown"),
        (json!({"equals": 18}), json!("18"), "unknown"),
        (json!({"equals": true}), json!("true"), "unknown"),
        (json!({"equals": 1}), json!(1.0), "true"),
        (json!({"equals": 0}), json!(-0.0), "true"),
        (json!({"equals": "x"}), json!(["y", "x"]), "true"),
        (json!({"equals": "x"}), json!([]), "false"),
        (json!({"in": ["x", "y"]}), json!("y"), "true"),
        (json!({"in": [1, 2]}), json!("1"), "unknown"),
        (json!({"in": ["x"]}), json!(["y", "x"]), "true"),
        (json!({"not_in": ["x"]}), json!(["y", "x"]), "false"),
        (json!({"not_in": ["x"]}), json!(["y"]), "true"),
        (json!({"not_in": ["x"]}), json!([]), "true"),
        (json!({"not_in": ["x"]}), json!(null), "unknown"),
        (json!({"contains": "bc"}), json!("abcd"), "true"),
        (json!({"contains": "b"}), json!(["abc"]), "false"),
        (json!({"contains": 2}), json!([1, 2]), "true"),
        (json!({"starts_with": ["x", "a"]}), json!("abc"), "true"),
        (json!({"ends_with": ["bc"]}), json!("abc"), "true"),
        (json!({"ends_with": ["bc"]}), json!(5), "unknown"),
        (json!({"matches": {"regex": "^a+$"}}), json!("aaa"), "true"),
        (json!({"gt": 2.0}), json!(2), "false"),
        (json!({"gte": 2.0}), json!(2), "true"),
        (json!({"lt": 2.0}), json!("1"), "unknown"),
        (json!({"before": "2026-01-01T00:00:00Z"}), json!("2026-01-01T00:30:00+01:00"), "true"),
        (json!({"after": "2026-01-01T00:00:00Z"}), json!("soon"), "unknown"),
        (json!({"after": "2026-01-01T00:00:00Z"}), json!("2027-02-29T00:00:00Z"), "unknown"),
        (json!({"after": "2026-01-01T00:00:00Z"}), json!("2028-02-29T00:00:00.123Z"), "true"),
        (json!({"semver": ">=2.3.0"}), json!("2.4.0-rc.1"), "true"),
        (json!({"semver": ">=2.3.0"}), json!("v2.3.0-rc.1"), "false"),
        (json!({"semver": ">=2.3.0"}), json!("new"), "unknown"),
        (json!({"cidr": ["10.0.0.0/8"]}), json!("::ffff:10.0.0.1"), "true"),
        (json!({"cidr": ["10.0.0.0/8"]}), json!("11.0.0.1"), "false"),
        (json!({"cidr": ["10.0.0.0/8"]}), json!("here"), "unknown"),
        (json!({"cidr": ["::ffff:10.0.0.0/104"]}), json!("10.0.0.1"), "true"),
        (json!({"cidr": ["::ffff:10.0.0.0/104"]}), json!("::ffff:11.0.0.1"), "false"),
        (json!({"exists": true}), json!(null), "false"),
        (json!({"exists": false}), json!(null), "true"),
    ];
    for (asked, value, expected) in cases {
        assert_eq!(truth(&test(asked.clone()), &json!({"a": value})), expected, "{asked} of {value}");
    }
}

#[test]
fn conditions_follow_kleene() {
    let (yes, no, unknown) = (test(json!({"exists": true})), test(json!({"exists": false})), test(json!({"gt": 1.0})));
    let cases = [
        (json!({"all": [yes, unknown]}), "unknown"),
        (json!({"all": [unknown, no]}), "false"),
        (json!({"all": [yes, yes]}), "true"),
        (json!({"any": [no, unknown]}), "unknown"),
        (json!({"any": [unknown, yes]}), "true"),
        (json!({"any": [no, no]}), "false"),
        (json!({"not": unknown}), "unknown"),
        (json!({"segment": "s"}), "unknown"),
    ];
    for (when, expected) in cases {
        assert_eq!(truth(&when, &json!({"a": "text"})), expected, "{when}");
    }
}

#[test]
fn names_with_dots_walk_into_objects_unless_they_are_literal() {
    let when = json!({"attribute": {"attribute": "device.os", "test": {"equals": "linux"}}});
    assert_eq!(truth(&when, &json!({"device": {"os": "linux"}})), "true");
    assert_eq!(truth(&when, &json!({"device": {"os": "linux"}, "device.os": "mac"})), "false");
    assert_eq!(truth(&when, &json!({"device": "linux"})), "unknown");
}

#[test]
fn case_is_folded_while_comparing() {
    let when = |test: Json| json!({"attribute": {"attribute": "a", "test": test, "ignore_case": true}});
    for test in [
        json!({"equals": "ÄPFEL"}),
        json!({"in": ["x", "ÄPFEL"]}),
        json!({"contains": "PFE"}),
        json!({"starts_with": ["ÄP"]}),
        json!({"ends_with": ["FEL"]}),
    ] {
        assert_eq!(truth(&when(test.clone()), &json!({"a": "äpfel"})), "true", "{test}");
    }
}

#[test]
fn answers_say_why() {
    let half = json!([{"name": "half", "percentage": 50_000, "serve": "on"}]);
    let full = json!([{"name": "full", "percentage": 100_000, "serve": "on"}]);
    let split = json!([{"name": "split", "rollout": {"on": 50_000, "off": 50_000}}]);
    let short = json!([{"name": "short", "rollout": {"on": 50_000, "off": 40_000}}]);
    let with = |mut flag: Json, field: &str, value: Json| {
        flag[field] = value;
        flag
    };
    let plain = boolean(json!([]));
    let flags = json!({
        "plain": plain,
        "disabled": with(plain.clone(), "enabled", json!(false)),
        "half": boolean(half), "full": boolean(full), "split": boolean(split), "short": boolean(short),
        "missing-segment": boolean(json!([rule("r", json!({"segment": "none"}))])),
        "match": boolean(json!([rule("r", test(json!({"exists": false})))])),
        "no-match": boolean(json!([rule("r", test(json!({"exists": true})))])),
        "needs-disabled": with(with(plain.clone(), "prerequisites", json!({"disabled": "off"})), "default", json!("on")),
        "needs-plain": with(with(plain.clone(), "prerequisites", json!({"plain": "off"})), "default", json!("on")),
        "one": with(plain.clone(), "prerequisites", json!({"two": "off"})),
        "two": with(plain, "prerequisites", json!({"one": "off"})),
    });
    let snapshot = snapshot(&flags, &json!({}));
    let cases = [
        ("plain", Some("off"), "STATIC", None),
        ("disabled", Some("off"), "DISABLED", None),
        ("half", None, "ERROR", Some("TARGETING_KEY_MISSING")),
        ("full", Some("on"), "SPLIT", None),
        ("split", None, "ERROR", Some("TARGETING_KEY_MISSING")),
        ("short", None, "ERROR", Some("PARSE_ERROR")),
        ("missing-segment", None, "ERROR", Some("PARSE_ERROR")),
        ("match", Some("on"), "TARGETING_MATCH", None),
        ("no-match", Some("off"), "DEFAULT", None),
        ("needs-disabled", Some("off"), "DISABLED", None),
        ("needs-plain", Some("on"), "STATIC", None),
        ("one", None, "ERROR", Some("PARSE_ERROR")),
        ("nowhere", None, "ERROR", Some("FLAG_NOT_FOUND")),
    ];
    let nobody = Context::new("");
    for (flag, variant, reason, error) in cases {
        let detail = snapshot.evaluate(flag, &nobody);
        let got =
            (detail.variant().map(Key::as_str), detail.reason().as_str(), detail.error().map(|error| error.as_str()));
        assert_eq!(got, (variant, reason, error), "{flag}");
    }
    assert_eq!(snapshot.evaluate("needs-disabled", &nobody).prerequisite(), Some(&key("disabled")));
}

#[test]
fn a_flag_that_is_broken_can_still_be_turned_off() {
    let mut flag = boolean(json!([rule("r", json!({"segment": "missing"}))]));
    let broken = snapshot(&json!({ "f": flag }), &json!({}));
    let context = Context::default();
    assert_eq!(broken.evaluate("f", &context).error(), Some(ErrorCode::ParseError));
    flag["enabled"] = json!(false);
    let off = snapshot(&json!({ "f": flag }), &json!({}));
    let detail = off.evaluate("f", &context);
    assert_eq!((detail.reason(), detail.error(), detail.value().is_some()), (Reason::Disabled, None, true));
}

#[test]
fn a_long_chain_of_prerequisites_is_broken_and_does_not_overflow() {
    let mut flags = serde_json::Map::new();
    for at in 0..5_000 {
        let mut flag = boolean(json!([]));
        flag["prerequisites"] = json!({ (format!("f{}", at + 1)): "off" });
        flags.insert(format!("f{at}"), flag);
    }
    let snapshot = snapshot(&flags.into(), &json!({}));
    assert_eq!(snapshot.evaluate("f0", &Context::default()).error().map(|error| error.as_str()), Some("PARSE_ERROR"));
}

#[test]
fn rules_that_lead_to_too_many_segments_break_their_flag() {
    let segment = |at: usize| match at {
        0 => json!({"attribute": {"attribute": "a", "test": {"exists": true}}}),
        at => json!({"any": [{"segment": format!("s{}", at - 1)}, {"segment": format!("s{}", at - 1)}]}),
    };
    let segments: serde_json::Map<_, _> = (0..12).map(|at| (format!("s{at}"), segment(at))).collect();
    let rules = |count| -> Vec<Json> {
        (0..count).map(|at| json!({"name": format!("r{at}"), "when": {"segment": "s11"}, "serve": "on"})).collect()
    };
    // The last segment costs 4,095 steps, and one evaluation may take 10,000.
    for (count, error) in [(2, None), (3, Some(ErrorCode::ParseError))] {
        let snapshot = snapshot(&json!({ "f": boolean(json!(rules(count))) }), &segments.clone().into());
        assert_eq!(snapshot.evaluate("f", &Context::default()).error(), error, "{count}");
    }
}

proptest! {
    #[test]
    fn invariant_4_growing_a_percentage_moves_nobody_out(user in "[a-z0-9]{1,12}", one in 0_u32..=100_000, two in 0_u32..=100_000) {
        let (small, large) = (one.min(two), one.max(two));
        let of = |share: u32| {
            let rules = json!([{"name": "r", "percentage": share, "serve": "on"}]);
            let snapshot = snapshot(&json!({"f": boolean(rules)}), &json!({}));
            snapshot.evaluate("f", &Context::new(&user)).variant().cloned()
        };
        prop_assert!(of(small) != Some(key("on")) || of(large) == Some(key("on")));
    }
}

/// One percent of 10^6 draws is within its 99.9 % interval, and two purposes are independent.
#[test]
fn invariant_4_shares_are_what_was_asked() {
    let (mut one, mut both) = (0_u32, 0_u32);
    for user in 0..1_000_000_u32 {
        let user = user.to_string();
        let first = bucket(Purpose::Fault, "one", user.as_bytes()) < 1_000;
        one += u32::from(first);
        both += u32::from(first && bucket(Purpose::Fault, "two", user.as_bytes()) < 50_000);
    }
    assert!((10_000 - 328..=10_000 + 328).contains(&one), "{one}");
    assert!((5_000 - 233..=5_000 + 233).contains(&both), "{both}");
}
