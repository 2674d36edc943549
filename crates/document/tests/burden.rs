//! What a hostile body costs: each of these took half a minute when work grew with the square of the body. Nothing is
//! timed: a test that takes minutes is seen.

use daybreak_document::{Decoded, Source, decode};

/// Reads a text, and tells how many diagnostics of which codes it has.
fn counts(text: String) -> Vec<(&'static str, usize)> {
    let Decoded { diagnostics, .. } = decode(&[Source::new("text", text)]);
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for diagnostic in &diagnostics {
        match counts.iter_mut().find(|(code, _)| *code == diagnostic.code) {
            Some((_, count)) => *count += 1,
            None => counts.push((diagnostic.code, 1)),
        }
    }
    counts
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

#[test]
fn many_names_that_nobody_knows() {
    let variants = lines(900, |n| format!("      known-variant-{n}: {n}\n"));
    let rules = lines(2_500, |n| format!("      - {{ name: r{n}, serve: unknown-variant-{n} }}\n"));
    let text = format!("flags:\n  a:\n    default: known-variant-0\n    variants:\n{variants}    rules:\n{rules}");
    assert_eq!(counts(text), [("unknown_variant", 1_000), ("more", 1)]);

    let segments = lines(2_000, |n| format!("  known-segment-{n}: {{ when: {{ a: 1 }} }}\n"));
    let rules =
        lines(2_000, |n| format!("      - {{ name: r{n}, when: {{ segment: other-segment-{n} }}, serve: on }}\n"));
    let text = format!("segments:\n{segments}flags:\n  a:\n    default: off\n    rules:\n{rules}");
    assert_eq!(counts(text), [("unknown_reference", 1_000), ("more", 1)]);

    let fields = lines(20_000, |n| format!("    unknown-field-{n}: 1\n"));
    assert_eq!(counts(format!("flags:\n  a:\n    default: off\n{fields}")), [("unknown_field", 1_000), ("more", 1)]);

    let flags = lines(20_000, |n| format!("  flag-{n}: {{ default: unknown }}\n"));
    assert_eq!(counts(format!("flags:\n{flags}")), [("unknown_variant", 1_000), ("more", 1)]);
}

#[test]
fn the_one_error_is_told_among_many_warnings() {
    let rules = lines(1_500, |n| format!("      - {{ name: r{n}, when: {{ a: {n} }}, serve: on, by: b }}\n"));
    let text = format!("flags:\n  a:\n    default: off\n    rules:\n{rules}  b: {{ default: of }}\n");
    assert_eq!(counts(text), [("no_effect", 999), ("unknown_variant", 1), ("more", 1)]);
}

#[test]
fn many_large_regular_expressions() {
    let rules = lines(1_000, |n| {
        format!(
            "      - {{ name: r{n}, when: {{ a: {{ matches: '^(\\w{{1,200}}){{1,{}}}$' }} }}, serve: on }}\n",
            n + 50
        )
    });
    let text = format!("flags:\n  a:\n    default: off\n    rules:\n{rules}");
    assert_eq!(counts(text), [("invalid_pattern", 32), ("too_large", 968)]);
}

#[test]
fn bounds_of_a_flag() {
    let variants = |count| {
        format!(
            "flags: {{ a: {{ default: v0, off: v1, variants: {{ {} }} }} }}",
            lines(count, |n| format!("v{n}: {n}, "))
        )
    };
    assert_eq!(counts(variants(1_000)), []);
    assert_eq!(counts(variants(1_001)), [("too_many", 1)]);
    let rules = |count| {
        let rules = lines(count, |n| format!("      - {{ name: r{n}, when: {{ a: {n} }}, serve: on }}\n"));
        format!("flags:\n  a:\n    default: off\n    rules:\n{rules}")
    };
    assert_eq!(counts(rules(10_000)), []);
    assert_eq!(counts(rules(10_001)), [("too_many", 1)]);
    let name = |length| {
        format!(
            "flags: {{ a: {{ default: off, salt: {0}, rules: [{{ name: r, when: {{ {0}: 1 }}, serve: on }}] }} }}",
            "n".repeat(length)
        )
    };
    assert_eq!(counts(name(1_000)), []);
    assert_eq!(counts(name(1_001)), [("too_large", 2)]);
}

#[test]
fn what_is_reached_too_often() {
    // Each flag needs two of the next level, which both need both of the one after it.
    let needs = |level: usize, most: usize| match level < most {
        true => format!(", prerequisites: {{ f{0}: on, g{0}: on }}", level + 1),
        false => String::new(),
    };
    let flags = |most| {
        let both = |n| format!("  f{n}: {{ default: on{0} }}\n  g{n}: {{ default: on{0} }}\n", needs(n, most));
        format!("flags:\n{}", lines(most + 1, both))
    };
    assert_eq!(counts(flags(12)), []);
    assert_eq!(counts(flags(13)), [("too_costly", 2)]);
    // Only the flags at which it becomes too much are at fault.
    assert_eq!(counts(flags(15)), [("too_costly", 2)]);
    let segments = |times| {
        let parts = lines(times, |_| "{ segment: s }, ".to_owned());
        format!("segments: {{ s: {{ when: {{ a: 1 }} }}, t: {{ when: {{ any: [{parts}] }} }} }}")
    };
    assert_eq!(counts(segments(9_999)), []);
    assert_eq!(counts(segments(10_000)), [("too_costly", 1)]);
    // What a flag's rules lead to counts together.
    let ruled = |rules| {
        let rules = lines(rules, |n| format!("{{ name: r{n}, when: {{ segment: t }}, serve: on }}, "));
        format!("{}\nflags: {{ f: {{ default: off, rules: [{rules}] }} }}", segments(5_000))
    };
    assert_eq!(counts(ruled(1)), []);
    assert_eq!(counts(ruled(2)), [("too_costly", 1)]);
    // A segment's own tests are no steps.
    let tests = lines(12_000, |n| format!("{{ a: {n} }}, "));
    assert_eq!(counts(format!("segments: {{ s: {{ when: {{ any: [{tests}] }} }} }}")), []);
}

#[test]
fn tangles() {
    // A chain that comes back from everywhere: as many cycles as links, each longer than the last.
    let flags = lines(3_000, |n| format!("  f{n}: {{ default: on, prerequisites: {{ f{}: on, f0: on }} }}\n", n + 1));
    let text = format!("flags:\n{flags}  f3000: {{ default: on }}\n");
    assert_eq!(counts(text), [("cycle", 20)]);
}
