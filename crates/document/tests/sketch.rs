//! The sketch of the design, extended to use every field, is read, written and read again.

use daybreak_document::{Source, decode, encode, render, to_yaml};

fn sketch() -> Source {
    Source::new("sketch.yaml", include_str!("sketch.yaml"))
}

#[test]
fn the_sketch_is_read_without_a_word() {
    let decoded = decode(&[sketch()]);
    assert_eq!(render(&decoded.diagnostics, &[sketch()], false), "");
    assert_eq!(decoded.resources.flags.len(), 4);
    assert_eq!(decoded.resources.faults.len(), 8);
}

#[test]
fn what_is_written_reads_the_same() {
    let resources = decode(&[sketch()]).resources;
    for text in [to_yaml(&resources), encode(&resources).to_string()] {
        let again = decode(&[Source::new("again", text.as_str())]);
        assert!(!again.has_errors(), "{text}\n{:?}", again.diagnostics);
        assert_eq!(again.resources, resources, "{text}");
    }
}
