//! The engine against docs/vectors: a table of cases for each sentence about evaluation, and the buckets.
//!
//! `UPDATE=1 cargo test -p daybreak-tests --test vectors` writes the buckets anew. They must never change:
//! a changed algorithm gets a new name.

#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use daybreak_document::{Source, decode};
use daybreak_engine::bucket::{Purpose, bucket};
use daybreak_engine::{Detail, Snapshot, ValueRef, compile};
use daybreak_model::{Condition, Context, Key};
use serde_json::{Value, json};

fn file(name: &str) -> PathBuf {
    daybreak_tests::root().join("docs/vectors").join(name)
}

fn read(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(file(name)).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Compiles a document, which must be good.
fn snapshot(document: &Value) -> Snapshot {
    let source = Source::new("vectors", document.to_string());
    let decoded = decode(std::slice::from_ref(&source));
    let errors: Vec<_> =
        decoded.diagnostics.iter().filter(|d| d.severity == daybreak_document::Severity::Error).collect();
    assert!(errors.is_empty(), "{document}: {errors:#?}");
    let segments: BTreeMap<Key, Condition> =
        decoded.resources.segments.iter().map(|(key, segment)| (key.clone(), segment.when.clone())).collect();
    compile(decoded.resources.flags.iter().map(|(key, flag)| (key, flag.as_ref(), 1)), &segments)
}

fn context(json: &Value) -> Context {
    Context::from_json(json).unwrap()
}

#[test]
fn conditions_mean_what_their_page_says() {
    for case in read("conditions.yaml") {
        let when = &case["when"];
        // Two flags tell the three values apart: whether the condition is true, and whether its negation is.
        let flag = |when: Value| json!({"default": "off", "rules": [{"name": "r", "when": when, "serve": "on"}]});
        let segments = case.get("segments").cloned().unwrap_or_else(|| json!({}));
        let document =
            json!({"segments": segments, "flags": {"is": flag(when.clone()), "is-not": flag(json!({"not": when}))}});
        let snapshot = snapshot(&document);
        for ask in case["cases"].as_array().unwrap() {
            let context = context(&ask["context"]);
            let on = |key| snapshot.evaluate(key, &context).variant().is_some_and(|variant| variant == "on");
            let truth = match (on("is"), on("is-not")) {
                (true, false) => json!(true),
                (false, true) => json!(false),
                (false, false) => json!("unknown"),
                (true, true) => panic!("{}: a condition and its negation hold", case["says"]),
            };
            assert_eq!(truth, ask["is"], "{}: {}", case["says"], ask["context"]);
        }
    }
}

#[test]
fn flags_answer_what_their_page_says() {
    for case in read("evaluation.yaml") {
        let snapshot = snapshot(&json!({ "flags": case["flags"] }));
        for ask in case["asks"].as_array().unwrap() {
            let context = context(&ask["context"]);
            let detail = snapshot.evaluate("f", &context);
            for (what, expected) in ask.as_object().unwrap() {
                let answer = answer(&snapshot, &detail, what, expected, &context);
                assert_eq!(&answer, expected, "{}: {what} of {}", case["says"], ask["context"]);
            }
        }
    }
}

/// What the engine says of one thing that a case names.
fn answer(snapshot: &Snapshot, detail: &Detail<'_>, what: &str, expected: &Value, context: &Context) -> Value {
    let same =
        |other: Detail<'_>| if other.variant() == detail.variant() { expected.clone() } else { json!(other.variant()) };
    match what {
        "context" => expected.clone(),
        "variant" => json!(detail.variant()),
        "value" => json!(detail.value().map(ValueRef::to_json)),
        "reason" => json!(detail.reason()),
        "rule" => json!(detail.rule()),
        "error" => json!(detail.error()),
        "prerequisite" => json!(detail.prerequisite()),
        "integer" => json!(matches!(detail.value(), Some(ValueRef::Integer(_)))),
        "same_as" => same(snapshot.evaluate("f", &self::context(expected))),
        "same_as_flag" => same(snapshot.evaluate(expected.as_str().unwrap(), context)),
        other => panic!("`{other}` is nothing that can be asked"),
    }
}

/// Invariant 7, the same answer everywhere: these numbers are what every implementation must come to.
#[test]
fn invariant_7_buckets_never_change() {
    let purposes = [("flag", Purpose::Rollout), ("in", Purpose::Rule), ("fault", Purpose::Fault)];
    let keys = ["user-1", "user-2", "42", "-7", "ü", "0123456789abcdef0123456789abcdef", &"long".repeat(100)];
    let mut vectors = Vec::new();
    for (name, purpose) in purposes {
        for salt in ["new-checkout", "", "ß salt"] {
            for key in keys {
                let bucket = bucket(purpose, salt, key.as_bytes());
                vectors.push(json!({ "purpose": name, "salt": salt, "key": key, "bucket": bucket }));
            }
        }
    }
    let text = format!("{}\n", serde_json::to_string_pretty(&vectors).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file("buckets.json"), &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file("buckets.json")).unwrap(), text);
}
