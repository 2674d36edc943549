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
