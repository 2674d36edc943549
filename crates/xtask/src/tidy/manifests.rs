//! Every crate takes the workspace's lints, and the workspace asks for documentation. That a public item has
//! some is then clippy's to find: CI denies its warnings.

use super::Finding;
use crate::workspace::File;

/// Lints that the workspace must have, at `warn` or above.
const LINTS: &[&str] = &["missing_docs", "unsafe_code", "unreachable_pub", "unwrap_used", "expect_used", "todo"];

/// Finds manifests without the lints.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files.iter().filter(|file| file.path.ends_with("Cargo.toml")).flat_map(check_one).collect()
}

fn check_one(file: &File) -> Vec<Finding> {
    if file.path == "Cargo.toml" {
        let on = |lint: &str| {
            let line = file.text.lines().find(|line| line.split('=').next().is_some_and(|name| name.trim() == lint));
            line.is_some_and(|line| ["\"warn\"", "\"deny\"", "\"forbid\""].iter().any(|level| line.contains(level)))
        };
        let missing = LINTS.iter().filter(|lint| !on(lint));
        let finding = |lint: &&str| {
            Finding::new(
                &file.path,
                format!("the lint `{lint}` is off"),
                format!("write `{lint} = \"warn\"` under [workspace.lints]"),
            )
        };
        return missing.map(finding).collect();
    }
    let inherits = section(&file.text, "[lints]").any(|line| line.replace(' ', "") == "workspace=true");
    if inherits {
        return Vec::new();
    }
    vec![Finding::new(
        &file.path,
        "it does not take the workspace's lints",
        "end it with `[lints]` and `workspace = true`",
    )]
}

/// The lines of a TOML section.
pub(super) fn section<'t>(text: &'t str, head: &'t str) -> impl Iterator<Item = &'t str> {
    let after = text.lines().skip_while(move |line| line.trim() != head).skip(1);
    after.take_while(|line| !line.trim_start().starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};
    use super::*;

    #[test]
    fn every_crate_takes_the_lints() {
        let good = file("crates/a/Cargo.toml", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n");
        let bad = file("crates/b/Cargo.toml", "[package]\nworkspace = true\n[lints]\n[dependencies]\n");
        assert_eq!(shown(&check(&[good, bad])), ["crates/b/Cargo.toml: it does not take the workspace's lints"]);
    }

    #[test]
    fn the_workspace_asks_for_documentation() {
        let on: String = LINTS.iter().map(|lint| format!("{lint} = \"warn\"\n")).collect();
        assert_eq!(shown(&check(&[file("Cargo.toml", &on)])), [""; 0]);
        let off = on.replace("missing_docs = \"warn\"", "missing_docs = \"allow\"");
        assert_eq!(shown(&check(&[file("Cargo.toml", &off)])), ["Cargo.toml: the lint `missing_docs` is off"]);
    }
}
