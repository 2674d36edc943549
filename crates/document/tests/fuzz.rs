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

/// Changes a text at some places: each a place, how much is cut out, and what is written instead.
fn edited(seed: &str, edits: &[(u16, u8, u8)]) -> String {
    let mut characters: Vec<char> = seed.chars().collect();
    for (place, cut, fragment) in edits {
        let start = usize::from(*place) % (characters.len() + 1);
        let end = (start + usize::from(*cut % 8)).min(characters.len());
        let fragment = FRAGMENTS[usize::from(*fragment) % FRAGMENTS.len()];
        characters.splice(start..end, fragment.chars());
    }
    characters.into_iter().collect()
}

#[test]
fn edits_of_documents() {
    bolero::check!().with_test_time(Duration::from_secs(1)).with_type::<(u8, Vec<(u16, u8, u8)>)>().for_each(
        |(seed, edits)| {
            let edits = &edits[..edits.len().min(4)];
            digest(&edited(SEEDS[usize::from(*seed) % SEEDS.len()], edits));
        },
    );
}

#[test]
fn any_text() {
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes| digest(&String::from_utf8_lossy(bytes)));
}
