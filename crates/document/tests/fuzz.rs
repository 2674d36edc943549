//! No text makes the decoder panic, and what it takes it reads again from what it writes.
//!
//! `cargo test` runs each for a second, and the kept corpus first; `BOLERO_RANDOM_TEST_TIME_MS=60000` runs longer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use daybreak_document::{Source, decode, decode_resource, encode, merge, patch, render, render_plain, to_yaml};
use daybreak_model::{Key, Kind, Resources};

const SEEDS: [&str; 3] =
    [include_str!("sketch.yaml"), include_str!("prelude.yaml"), include_str!("bad/107-everything-at-once.yaml")];

/// What an edit writes: what means something to YAML, to JSON or to a document.
const FRAGMENTS: [&str; 48] = [
    "",
    "\n",
    "  ",
    "\t",
    ":",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "!t ",
    "|\n",
    ">",
    "%",
    "\\",
    "\\u",
    "---\n",
    "...\n",
    "? ",
    "<<",
    "~",
    "null",
    "true",
    "off",
    "0",
    "1.10",
    "1e3",
    "-1",
    "9007199254740993",
    "100%",
    "30s",
    "when",
    "all",
    "not",
    "segment",
    "in",
    "$",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "😀",
];

/// Decodes a text in every way, and holds what was taken against what is read again.
fn digest(text: &str) {
    let sources = [Source::new("text", text)];
    let decoded = decode(&sources);
    let _ = (render(&decoded.diagnostics, &sources, true), render_plain(&decoded.diagnostics));
    for diagnostic in decoded.diagnostics.iter().filter(|diagnostic| diagnostic.line > 0) {
        assert!(diagnostic.span.start <= text.len(), "{diagnostic:?}");
    }
    let nothing = Resources::default();
    let key = Key::new("a").unwrap();
    for kind in Kind::ALL {
        let _ = decode_resource(kind, &key, &sources[0], &nothing);
    }
    if let Ok((resources, _)) = decoded.into_result() {
        for written in [to_yaml(&resources), encode(&resources).to_string()] {
            let again = decode(&[Source::new("again", written.as_str())]);
            assert_eq!(again.into_result().map(|(resources, _)| resources), Ok(resources.clone()), "{text}\n{written}");
        }
        assert_eq!(merge(&nothing, &resources, &nothing).unwrap().resources, resources);
        for (kind, key) in
            Kind::ALL.into_iter().flat_map(|kind| resources.keys(kind).into_iter().map(move |key| (kind, key)))
        {
            let _ = patch(kind, key, &resources, &sources[0]);
        }
    }
}

/// The input as a text: as it stands after a space, else as edits of a seed, each of four bytes: where, how much is cut
/// out, and what is written instead.
fn edited(bytes: &[u8]) -> String {
    let Some((&first, rest)) = bytes.split_first() else { return String::new() };
    if first == b' ' {
        return String::from_utf8_lossy(rest).into_owned();
    }
    let mut characters: Vec<char> = SEEDS[usize::from(first) % SEEDS.len()].chars().collect();
    for edit in rest.chunks_exact(4).take(4) {
        let start = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % (characters.len() + 1);
        let end = (start + usize::from(edit[2] % 8)).min(characters.len());
        characters.splice(start..end, FRAGMENTS[usize::from(edit[3]) % FRAGMENTS.len()].chars());
    }
    characters.into_iter().collect()
}

#[test]
fn edits_of_documents() {
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes| digest(&edited(bytes)));
}

#[test]
fn any_text() {
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes| digest(&String::from_utf8_lossy(bytes)));
}
