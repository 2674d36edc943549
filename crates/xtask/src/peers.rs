//! `cargo xtask peers`: Daybreak beside other evaluators and fault points, whose figures stand in docs/benchmarks.md.
//!
//! They are measured by tests/peers, a workspace of its own; here its figures become tables.

mod table;

use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use serde_json::Value;

use crate::steps::run as run_command;
use crate::workspace;

/// Where its tables stand.
const DOCUMENT: &str = "docs/benchmarks.md";
/// The marks before and after them.
const MARKS: [&str; 2] = ["<!-- peers -->", "<!-- /peers -->"];

/// Builds in release, measures so many rounds, and writes the tables into the document. Without a number it takes the
/// figures of the last time.
///
/// # Errors
/// When a peer does not build, or does not answer as asked; or the document has no place for the tables.
pub(crate) fn run(root: &Path, rounds: Option<u32>) -> Result<()> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let folder = metadata.target_directory.join("peers").into_std_path_buf();
    let figures = folder.join("figures.json");
    if let Some(rounds) = rounds {
        std::fs::create_dir_all(&folder)?;
        let mut peers = workspace::cargo(root);
        peers.args(["run", "--release", "--locked", "--manifest-path", "tests/peers/Cargo.toml", "--"]);
        // Apart from our own, so that neither makes the other build anew.
        run_command(peers.arg(&figures).arg(rounds.to_string()).env("CARGO_TARGET_DIR", &folder))?;
    }
    let read = std::fs::read(&figures).with_context(|| figures.display().to_string())?;
    let figures: Value = serde_json::from_slice(&read)?;
    let document = root.join(DOCUMENT);
    let text = std::fs::read_to_string(&document)?;
    std::fs::write(document, placed(&text, &table::of(&figures)?)?)?;
    println!("{DOCUMENT}");
    Ok(())
}

/// The text with something else between the marks.
fn placed(text: &str, between: &str) -> Result<String> {
    let [before, after] = MARKS;
    let (head, rest) = text.split_once(before).with_context(|| format!("{DOCUMENT} has no `{before}`"))?;
    let (_, tail) = rest.split_once(after).with_context(|| format!("{DOCUMENT} has no `{after}`"))?;
    Ok(format!("{head}{before}\n{between}{after}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = "# A\n<!-- peers -->\nold\n<!-- /peers -->\n# B\n";
        let placed_once = placed(text, "new\n").unwrap();
        assert_eq!(placed_once, "# A\n<!-- peers -->\nnew\n<!-- /peers -->\n# B\n");
        assert_eq!(placed(&placed_once, "new\n").unwrap(), placed_once);
    }

    #[test]
    fn a_document_without_marks_stays_as_it_is() {
        for text in ["", "<!-- peers -->\n", "<!-- /peers -->\n<!-- peers -->\n"] {
            assert!(placed(text, "new\n").is_err(), "{text:?}");
        }
    }
}
