//! Merging files into what a server holds: a table of cases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use daybreak_document::{Source, decode, encode, merge};
use daybreak_model::Resources;

fn read(text: &str) -> Resources {
    let (resources, _) = decode(&[Source::new("text", text)]).into_result().unwrap();
    resources
}

/// Merges, and compares the outcome and where the file overrode an operator.
#[track_caller]
fn check(base: &str, file: &str, current: &str, expected: &str, notes: &[&str]) {
    let merged = merge(&read(base), &read(file), &read(current)).unwrap();
    assert_eq!(encode(&merged.resources), encode(&read(expected)));
    let said: Vec<String> = merged.notes.iter().map(ToString::to_string).collect();
    assert_eq!(said, notes);
}

const FLAG: &str = "flags: { a: { default: off } }";

#[test]
fn an_operators_toggle_survives() {
    let off = "flags: { a: { default: off, enabled: false } }";
    check(FLAG, FLAG, off, off, &[]);
    // Also an edit of something else, and writing out a default.
    let file =
        "flags: { a: { default: off, enabled: true, owner: payments, variants: { on: true, off: false }, off: off } }";
    check(FLAG, file, off, "flags: { a: { default: off, enabled: false, owner: payments } }", &[]);
}

#[test]
fn a_field_that_the_file_changes_wins() {
    let file = "flags: { a: { default: on } }";
    check(FLAG, file, FLAG, file, &[]);
    let current = "flags: { a: { default: off, enabled: false, description: by hand } }";
    let disabled = "flags: { a: { default: off, enabled: false } }";
    check(disabled, FLAG, current, "flags: { a: { default: off, description: by hand } }", &[]);
    let other = "flags: { a: { default: off, salt: two } }";
    let third = "flags: { a: { default: off, salt: three } }";
    check(FLAG, other, third, other, &["flag a: the file's salt wins: three → two"]);
    // Both made the same change: there is nothing to say.
    check(FLAG, other, other, other, &[]);
}

#[test]
fn resources_come_and_go() {
    let both = "flags: { a: { default: off }, b: { default: on } }";
    let only_b = "flags: { b: { default: on } }";
    check("", FLAG, "", FLAG, &[]);
    // What an operator added stays; what the file had put there goes when the file lets it go.
    check(FLAG, FLAG, both, both, &[]);
    check(FLAG, "", both, only_b, &[]);
    // What an operator removed stays away, until the file changes it.
    check(both, both, only_b, only_b, &[]);
    let changed = "flags: { a: { default: on }, b: { default: on } }";
    check(both, changed, only_b, changed, &["flag a: the file wins: removed → {\"default\":\"on\"}"]);
    // Of a file that brings what an operator made by hand, what it writes wins, and no more.
    let by_hand = "flags: { a: { default: on, owner: me, enabled: false } }";
    let both = "flags: { a: { default: off, owner: me, enabled: false } }";
    check("", FLAG, by_hand, both, &["flag a: the file's default wins: on → off"]);
    let numbers = "flags: { a: { variants: { x: 1, y: 2 }, default: x, off: y, enabled: false } }";
    let disabled = "flags: { a: { default: off, enabled: false } }";
    check("", FLAG, numbers, disabled, &["flag a: the file's default wins: x → off"]);
    let ruled = "flags: { a: { variants: { x: 1, y: 2 }, default: x, off: y, rules: [{ name: r, serve: y }] } }";
    check("", FLAG, ruled, FLAG, &["flag a: the file's default wins: x → off"]);
    let by_hand = "flags: { a: { default: on, owner: me } }";
    let note = "flag a: the file wins: {\"owner\":\"me\",\"default\":\"on\"} → removed";
    check(FLAG, "", by_hand, "", &[note]);
}

fn rules(rules: &str) -> String {
    format!("flags: {{ a: {{ default: off, rules: [{rules}] }} }}")
}

#[test]
fn rules_are_merged_by_name() {
    let (x, y, z) = (
        "{ name: x, serve: on, percentage: 1% }",
        "{ name: y, when: { b: 1 }, serve: on }",
        "{ name: z, when: { c: 1 }, serve: on }",
    );
    let at_50 = "{ name: x, serve: on, percentage: 50% }";
    let described = "{ name: x, description: d, serve: on, percentage: 1% }";
    let merged = "{ name: x, description: d, serve: on, percentage: 50% }";
    check(&rules(x), &rules(described), &rules(at_50), &rules(merged), &[]);
    // The file adds a rule after x, the operator one before it.
    check(&rules(x), &rules(&[x, y].join(",")), &rules(&[z, x].join(",")), &rules(&[z, x, y].join(",")), &[]);
    // The file removes its rule; the operator's stays.
    check(&rules(&[x, y].join(",")), &rules(x), &rules(&[z, x, y].join(",")), &rules(&[z, x].join(",")), &[]);
    // The file's order wins where the file changed it, else the operator's.
    let (xy, yx) = (rules(&[x, y].join(",")), rules(&[y, x].join(",")));
    check(&xy, &yx, &rules(&[x, y, z].join(",")), &rules(&[y, z, x].join(",")), &[]);
    check(&xy, &xy, &yx, &yx, &[]);
    // What an operator removed stays away while the file leaves it as it was.
    check(&xy, &xy, &rules(y), &rules(y), &[]);
    let note = "flag a: the file's rules.x.percentage wins: 50% → 2%";
    let at_2 = "{ name: x, serve: on, percentage: 2% }";
    check(&rules(x), &rules(at_2), &rules(at_50), &rules(at_2), &[note]);
}

#[test]
fn what_a_rule_serves_is_one_thing() {
    let (base, file) = ("{ name: x, serve: on }", "{ name: x, rollout: { on: 50%, off: 50% } }");
    check(&rules(base), &rules(file), &rules(base), &rules(file), &[]);
    let current = "{ name: x, description: d, serve: off }";
    let merged = "{ name: x, description: d, rollout: { on: 50%, off: 50% } }";
    let note = r#"flag a: the file's rules.x.serve wins: {"serve":"off"} → {"rollout":{"off":"50%","on":"50%"}}"#;
    check(&rules(base), &rules(file), &rules(current), &rules(merged), &[note]);
}

#[test]
fn protected_segments_are_a_set() {
    let segments = "segments: { a: { when: { x: 1 } }, b: { when: { x: 2 } }, c: { when: { x: 3 } } }\nprotect: ";
    let with = |protect: &str| format!("{segments}{protect}");
    check(&with("[a]"), &with("[a, b]"), &with("[a, c]"), &with("[a, b, c]"), &[]);
    check(&with("[a, b]"), &with("[a]"), &with("[b, c]"), &with("[c]"), &[]);
}

/// Invariant 9, bad input changes nothing: also where neither side is bad by itself.
#[test]
fn invariant_9_an_outcome_that_is_not_valid_is_refused() {
    let base = "flags: { a: { variants: { x: 1, y: 2 }, default: x, off: x } }";
    let file = "flags: { a: { variants: { x: 1, z: 2 }, default: x, off: x } }";
    let current = "flags: { a: { variants: { x: 1, y: 2 }, default: x, off: x, rules: [{ name: r, serve: y }] } }";
    let refused = merge(&read(base), &read(file), &read(current)).unwrap_err();
    let said: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let expected =
        "error[unknown_variant]: this flag has no variant `y` (at flags.a.rules[0].serve); write one of `x`, `z`";
    assert_eq!(said, [expected]);
}
