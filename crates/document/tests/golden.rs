//! Broken documents, and what is said of each: `tests/bad/NAME.yaml` and beside it `NAME.txt`; documents that
//! are taken with a remark lie in `tests/remarks`. `UPDATE=1 cargo test` writes the texts anew: read them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use daybreak_document::{Decoded, Severity, Source, decode_on, render};
use jiff::civil::date;

const PRELUDE: &str = include_str!("prelude.yaml");

/// The documents of a folder, each with its sources: itself, perhaps a second file, and the prelude.
fn documents(folder: &str) -> Vec<(PathBuf, Vec<Source>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with(".yaml") && !name.ends_with(".2.yaml")
    });
    paths.sort();
    let read = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy();
        std::fs::read_to_string(path).ok().map(|text| Source::new(name, text))
    };
    let sources = |path: &PathBuf| {
        let both = [read(path), read(&path.with_extension("2.yaml"))];
        both.into_iter().flatten().chain([Source::new("prelude.yaml", PRELUDE)]).collect()
    };
    paths.iter().map(|path| (path.clone(), sources(path))).collect()
}

/// Decodes every document of a folder and compares what is said with the text beside it.
fn check(folder: &str, judge: impl Fn(&Path, &Decoded)) -> usize {
    let mut stale = Vec::new();
    let documents = documents(folder);
    for (path, sources) in &documents {
        let decoded = decode_on(sources, Some(date(2026, 11, 23)));
        judge(path, &decoded);
        let text = render(&decoded.diagnostics, sources, false);
        let golden = path.with_extension("txt");
        if std::fs::read_to_string(&golden).ok().as_ref() != Some(&text) {
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&golden, &text).unwrap();
            } else {
                stale.push(format!("{}:\n{text}", path.display()));
            }
        }
    }
    assert!(stale.is_empty(), "UPDATE=1 accepts these:\n{}", stale.join("\n"));
    documents.len()
}

#[test]
fn invariant_9_every_fault_has_its_place_and_what_to_write_instead() {
    let documents = check("bad", |path, decoded| {
        assert!(decoded.has_errors(), "{} is taken", path.display());
        assert!(decoded.clone().into_result().is_err());
        for diagnostic in &decoded.diagnostics {
            assert!(diagnostic.line > 0 && diagnostic.column > 0, "{}: {diagnostic}", path.display());
            assert!(diagnostic.help.as_ref().is_some_and(|help| !help.is_empty()), "{}: {diagnostic}", path.display());
        }
    });
    assert!(documents >= 50);
}

#[test]
fn remarks_refuse_nothing() {
    let documents = check("remarks", |path, decoded| {
        assert!(!decoded.has_errors(), "{}: {:?}", path.display(), decoded.diagnostics);
        let remarks = decoded.diagnostics.iter().filter(|diagnostic| diagnostic.severity != Severity::Error);
        assert_eq!(remarks.count(), 1, "{}: {:?}", path.display(), decoded.diagnostics);
    });
    assert!(documents >= 8);
}
