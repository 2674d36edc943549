//! Checks that need more than one small document.

use daybreak_document::{Source, decode, to_yaml};

fn codes(texts: &[&str]) -> Vec<&'static str> {
    let sources: Vec<Source> = texts.iter().map(|text| Source::new("text", *text)).collect();
    decode(&sources).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// Flags of which each needs the next, so many steps long.
fn chain(steps: usize) -> String {
    let needs = |step| format!("  f{step}: {{ default: on, prerequisites: {{ f{}: on }} }}\n", step + 1);
    let chain: String = (0..steps).map(needs).collect();
    format!("flags:\n{chain}  f{steps}: {{ default: on }}\n")
}

#[test]
fn chains_have_a_greatest_length() {
    for (steps, expected) in [(32, vec![]), (33, vec!["too_deep"]), (40, vec!["too_deep"])] {
        assert_eq!(codes(&[&chain(steps)]), expected, "{steps}");
    }
}

#[test]
fn references_hold_across_files_and_documents() {
    let (flag, segment) = (
        "flags: { a: { default: on, rules: [{ name: r, when: { segment: s }, serve: on }] } }",
        "segments: { s: { when: { a: 1 } } }",
    );
    assert_eq!(codes(&[flag, segment]), Vec::<&str>::new());
    assert_eq!(codes(&[&format!("{flag}\n---\n{segment}\n")]), Vec::<&str>::new());
    assert_eq!(codes(&[flag]), ["unknown_reference"]);
    // What the broken file may hold, nobody knows.
    assert_eq!(codes(&[flag, "segments: {"]), ["syntax"]);
    assert_eq!(codes(&["", "# nothing\n", "---\n"]), Vec::<&str>::new());
}

#[test]
fn what_yaml_1_1_would_take_for_something_else_is_quoted() {
    let text = "flags: { a: { default: \"on\", owner: \"yes\", tags: [\"12:30:45\", \"2026-12-24\", \"017\", plain, \"25%\"] } }";
    let (resources, _) = decode(&[Source::new("text", text)]).into_result().unwrap_or_default();
    let expected = "flags:\n  a:\n    owner: \"yes\"\n    tags: [\"12:30:45\", \"2026-12-24\", \"017\", plain, 25%]\n    default: \"on\"\n";
    assert_eq!(to_yaml(&resources), expected);
}
