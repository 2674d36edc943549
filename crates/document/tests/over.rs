//! Documents that are laid over what is there.

use daybreak_document::{Source, decode, decode_over};

#[test]
fn laid_over_what_is_there() {
    let others = decode(&[Source::new(
        "a.yaml",
        "segments: { eu: { when: { country: DE } } }\nflags: { a: { default: off }, b: { default: off } }",
    )]);
    let (others, _) = others.into_result().unwrap();
    let cases = [
        (
            "flags: { a: { default: off, enabled: false, rules: [ { name: eu, when: { segment: eu }, serve: on } ] } }",
            None,
        ),
        (
            "flags: { c: { default: off, rules: [ { name: eu, when: { segment: eux }, serve: on } ] } }",
            Some("unknown_reference"),
        ),
    ];
    for (text, error) in cases {
        let decoded = decode_over(&[Source::new("b.yaml", text)], &others);
        let code = decoded.diagnostics.first().map(|diagnostic| diagnostic.code);
        assert_eq!(code, error, "{text}: {:?}", decoded.diagnostics);
        if error.is_none() {
            assert!(!decoded.resources.flags["a"].enabled);
            assert_eq!(decoded.resources.flags["b"], others.flags["b"]);
            assert_eq!(decoded.resources.segments, others.segments);
        }
    }
}

#[test]
fn a_list_of_protected_segments_replaces_the_other() {
    let text = "segments: { x: { when: { a: 1 } }, y: { when: { a: 2 } }, z: { when: { a: 3 } } }\nprotect: [x, y]";
    let (others, _) = decode(&[Source::new("a.yaml", text)]).into_result().unwrap();
    let cases = [("protect: [z]", "z"), ("protect: []", ""), ("flags: {}", "x y")];
    for (text, expected) in cases {
        let (resources, _) = decode_over(&[Source::new("b.yaml", text)], &others).into_result().unwrap();
        let protected: Vec<&str> = resources.protect.iter().map(|key| key.as_str()).collect();
        assert_eq!(protected.join(" "), expected, "{text}");
    }
}
