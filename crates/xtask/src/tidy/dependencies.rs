//! Every library has a reason that is written down, and its version stands once.

use super::Finding;
use super::manifests::section;
use crate::workspace::File;

/// Where the reasons are.
const REASONS: &str = "docs/dependencies.md";

/// The sections of a crate's manifest that name libraries.
const SECTIONS: &[&str] = &[
    "[dependencies]",
    "[dev-dependencies]",
    "[build-dependencies]",
    "[target.'cfg(target_os = \"linux\")'.dependencies]",
];

/// Finds libraries without a reason or a use, and versions outside the workspace's manifest.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let manifests = || files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    let mut findings = Vec::new();
    for (name, _) in dependencies(text("Cargo.toml"), "[workspace.dependencies]") {
        let taken =
            |file: &File| SECTIONS.iter().any(|head| dependencies(&file.text, head).any(|(used, _)| used == name));
        if !manifests().any(taken) {
            let message = format!("no crate takes `{name}`");
            findings.push(Finding::new("Cargo.toml", message, "take it out"));
        }
        if !name.starts_with("daybreak-") && !has_word(text(REASONS), name) {
            let message = format!("it does not say why `{name}` was chosen");
            findings.push(Finding::new(REASONS, message, "give it a line with its reason"));
        }
    }
    findings.extend(manifests().flat_map(|manifest| check_manifest(manifest, files)));
    findings
}

fn check_manifest(manifest: &File, files: &[File]) -> Vec<Finding> {
    let folder = manifest.path.trim_end_matches("Cargo.toml");
    let sources = || files.iter().filter(|file| file.path.starts_with(folder) && file.path.ends_with(".rs"));
    let mut findings = Vec::new();
    for (name, value) in SECTIONS.iter().flat_map(|head| dependencies(&manifest.text, head)) {
        if !value.replace(' ', "").contains("workspace=true") {
            let help = "write the version in the workspace's Cargo.toml, and `.workspace = true` here";
            findings.push(Finding::new(&manifest.path, format!("`{name}` has a version of its own"), help));
        }
        let name_in_code = name.replace('-', "_");
        if !sources().any(|source| has_word(&source.text, &name_in_code)) {
            findings.push(Finding::new(&manifest.path, format!("`{name}` is not used"), "take it out"));
        }
    }
    findings
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && !"-_".contains(c)).any(|other| other == word)
}

/// The names and values of a section: `a.workspace = true` is (`a`, `workspace = true`).
fn dependencies<'t>(text: &'t str, head: &'t str) -> impl Iterator<Item = (&'t str, String)> {
    let lines = section(text, head).filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let (name, field) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
        Some((name, format!("{field}={value}")))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};

    const LIBRARY: &str = "use a::A;\nuse b::B;\nuse c::C;\nuse serde_x::X;\nuse daybreak_a::D;\n";

    fn check(root: &str, manifest: &str, expected: &[&str]) {
        let files = [
            file("Cargo.toml", root),
            file("docs/dependencies.md", "| a, b, c | why |\n"),
            file("crates/a/Cargo.toml", manifest),
            file("crates/a/src/lib.rs", LIBRARY),
        ];
        assert_eq!(shown(&super::check(&files)), expected, "{root}{manifest}");
    }

    #[test]
    fn each_is_taken_for_a_reason() {
        let root = "[workspace.dependencies]\n# Why.\nserde-x = \"1\"\na = { version = \"1\" }\ndaybreak-a = \"1\"\n";
        let manifest = "[dependencies]\nserde-x.workspace = true\ndaybreak-a.workspace = true\n";
        let expected =
            ["docs/dependencies.md: it does not say why `serde-x` was chosen", "Cargo.toml: no crate takes `a`"];
        check(root, manifest, &expected);
    }

    #[test]
    fn a_version_stands_once() {
        let manifest = "[dependencies]\na.workspace = true\nb = { workspace = true, optional = true }\nc = \"1\"\n[features]\nd = []\n";
        check("", manifest, &["crates/a/Cargo.toml: `c` has a version of its own"]);
    }

    #[test]
    fn what_is_not_used() {
        check("", "[dev-dependencies]\nnone-x.workspace = true\n", &["crates/a/Cargo.toml: `none-x` is not used"]);
    }
}
