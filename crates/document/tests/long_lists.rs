//! Lists of many ids: how they are read, told, and bounded.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use daybreak_document::{Change, Decoded, Source, Told, decode, diff, encode, tell_resource};
use daybreak_model::limits::{
    DOCUMENT_BYTES_MAX, DOCUMENT_PARTS_MAX, DOCUMENT_TEXT_BYTES_MAX, LISTED_BYTES_MAX, VALUES_SHOWN, VALUES_TOLD_MAX,
};
use daybreak_model::{Kind, Resources};
use serde_json::{Value, json};

fn ids(count: usize) -> String {
    (0..count).map(|number| format!("\"user-{number}\"")).collect::<Vec<_>>().join(",")
}

fn read(text: String) -> Resources {
    decode(&[Source::new("text", text)]).into_result().unwrap().0
}

fn refused(text: String) -> Vec<(&'static str, usize)> {
    let Decoded { diagnostics, .. } = decode(&[Source::new("text", text)]);
    diagnostics.iter().map(|diagnostic| (diagnostic.code, diagnostic.line)).collect()
}

fn segment(test: &str, list: &str) -> String {
    format!(r#"{{"segments": {{"beta": {{"when": {{"userId": {{"{test}": [{list}]}}}}}}}}}}"#)
}

fn told(resources: &Resources, kind: Kind, key: &str) -> Told {
    tell_resource(resources, kind, &key.parse().unwrap()).unwrap()
}

#[test]
fn a_list_comes_back_as_it_was_written() {
    for list in [ids(3), ids(VALUES_TOLD_MAX + 1), r#""b", 1, true, "a", "b", 2.5"#.to_owned()] {
        for test in ["in", "not_in"] {
            let text = segment(test, &list);
            let written: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(encode(&read(text)), written);
        }
    }
    let lines: String = (0..20_000).map(|number| format!("        - user-{number}\n")).collect();
    let yaml = format!("segments:\n  beta:\n    when:\n      userId:\n        in:\n{lines}");
    assert_eq!(read(yaml), read(segment("in", &ids(20_000))));
}

#[test]
fn a_long_list_is_told_by_its_first_values() {
    let short = read(segment("in", &ids(VALUES_TOLD_MAX)));
    assert!(!told(&short, Kind::Segment, "beta").shortened);
    let long = read(segment("in", &ids(VALUES_TOLD_MAX + 1)));
    let Told { form, shortened } = told(&long, Kind::Segment, "beta");
    assert!(shortened);
    let values = form.pointer("/when/userId/in").and_then(Value::as_array).unwrap();
    assert_eq!(values.len(), VALUES_SHOWN + 1);
    assert_eq!(values[0], "user-0");
    let last = values[VALUES_SHOWN].as_str().unwrap();
    assert!(last.starts_with("… and 9991 more (fingerprint "), "{last}");
    // The list may stand anywhere: in a rule, in a fault, within other conditions.
    let condition = json!({"any": [{"not": {"userId": {"not_in": serde_json::from_str::<Value>(&format!("[{}]", ids(VALUES_TOLD_MAX + 1))).unwrap()}}}, {"a": 1}]});
    let text = json!({
        "flags": {"f": {"default": "off", "rules": [{"name": "r", "when": condition, "serve": "on"}]}},
    });
    let resources = read(text.to_string());
    let Told { form, shortened } = told(&resources, Kind::Flag, "f");
    assert!(shortened && form.to_string().len() < 1_000, "{form}");
}

#[test]
fn long_lists_that_differ_at_their_end_differ() {
    let base = ids(VALUES_TOLD_MAX + 1);
    let before = read(segment("in", &base));
    assert!(diff(&before, &read(segment("in", &base))).is_empty());
    let differences = diff(&before, &read(segment("in", &format!("{base},\"one-more\""))));
    let [difference] = &differences[..] else { panic!("{differences:?}") };
    let Change::Changed(fields) = &difference.change else { panic!("{difference:?}") };
    assert_eq!(fields[0].field, "when");
    assert!(serde_json::to_string(fields).unwrap().len() < 2_000);
}

#[test]
fn a_document_may_hold_so_much() {
    // A list of a million ids is one; many more values than that are refused, in JSON and in YAML, and told once.
    let numbers = |count: usize| "1,".repeat(count - 1) + "1";
    let segments = |count: usize| segment("in", &numbers(count));
    assert_eq!(refused(segments(DOCUMENT_PARTS_MAX - 15)), []);
    assert_eq!(refused(segments(DOCUMENT_PARTS_MAX)), [("too_large", 1)]);
    assert_eq!(refused(segments(2 * DOCUMENT_PARTS_MAX)), [("too_large", 1)]);
    let yaml = format!("segments:\n  beta:\n    when: {{ userId: {{ in: [{}] }} }}\n", numbers(DOCUMENT_PARTS_MAX));
    assert_eq!(refused(yaml), [("too_large", 3)]);
    let lists = format!("[{}]", numbers(1_000));
    let nested = segment("in", &vec![lists.as_str(); 2 * DOCUMENT_PARTS_MAX / 1_000].join(","));
    assert_eq!(refused(nested).iter().filter(|(code, _)| *code == "too_large").count(), 1);
    let fields: String = (0..DOCUMENT_PARTS_MAX / 3).map(|number| format!(r#""f{number}": 1,"#)).collect();
    assert_eq!(refused(format!(r#"{{"flags": {{{fields} "last": 1}}}}"#)), [("too_large", 1)]);
    assert_eq!(refused(format!("# {}", "x".repeat(DOCUMENT_BYTES_MAX))), [("too_large", 1)]);
    // What is long is a list, and not a text.
    let described =
        |bytes: usize| format!(r#"{{"flags": {{"f": {{"description": "{}", "default": "on"}}}}}}"#, "x".repeat(bytes));
    assert_eq!(refused(described(DOCUMENT_TEXT_BYTES_MAX - 100)), []);
    assert_eq!(refused(described(DOCUMENT_TEXT_BYTES_MAX)), [("too_large", 1)]);
    let yaml = format!("flags:\n  f:\n    description: {}\n    default: on\n", "x".repeat(DOCUMENT_TEXT_BYTES_MAX));
    assert_eq!(refused(yaml), [("too_large", 3)]);
    let listed = |bytes: usize| segment("in", &vec![format!("\"{}\"", "x".repeat(bytes)); 8_000].join(","));
    assert_eq!(refused(listed(LISTED_BYTES_MAX - 2)), []);
    assert_eq!(refused(listed(LISTED_BYTES_MAX)), [("too_large", 1)]);
}
