//! Texts that are made to hurt: deep, wide, long, or full of references.

use daybreak_document::{Source, decode, render};

/// What no seed comes to by small edits: each must be answered, and soon.
#[test]
fn invariant_9_hostile_texts_are_answered() {
    let deep = |open: &str, close: &str| format!("a: {}{}", open.repeat(80_000), close.repeat(80_000));
    let laughs: String =
        (1..10).map(|level| format!("a{level}: &a{level} [{}]\n", format!("*a{}, ", level - 1).repeat(9))).collect();
    let conditions = format!("segments: {{ a: {{ when: {}{{ x: 1 }}{} }} }}", "{ not: ".repeat(60), " }".repeat(60));
    let texts = [
        deep("[", "]"),
        deep("{a: ", "}"),
        deep("[", ""),
        format!("{{\"a\": {}{}}}", "[".repeat(80_000), "]".repeat(80_000)),
        "- ".repeat(80_000),
        format!("a0: &a0 x\n{laughs}"),
        conditions,
        format!("flags: {{ {} }}", "a: 1, ".repeat(20_000)),
        format!("{{\"flags\": {{\"a\": {{\"description\": \"{}\", \"default\": \"of\"}}}}}}", "x".repeat(1 << 20)),
        format!("flags: {{ a: {{ default: of, description: {} }} }}", "x ".repeat(1 << 19)),
        format!("{}: 1", "k".repeat(100_000)),
        "x".repeat(5 << 20),
        "\u{feff}flags: [".to_owned(),
        "%YAML 9.9\n---\na: 1".to_owned(),
    ];
    for text in &texts {
        let sources = [Source::new("text", text.as_str())];
        let decoded = decode(&sources);
        assert!(decoded.has_errors(), "{}", text.chars().take(60).collect::<String>());
        assert!(decoded.diagnostics.len() <= 1_001);
        let _ = render(&decoded.diagnostics[..decoded.diagnostics.len().min(5)], &sources, false);
    }
}
