//! `cargo xtask peers`: Daybreak beside other evaluators and fault points, whose figures stand in docs/benchmarks.md.
//!
//! They are measured by tests/peers, a workspace of its own; here its figures become tables and plots.

mod picture;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use serde_json::Value;

use crate::bench::{self, Machine, PICTURES};
use crate::steps::run as run_command;
use crate::workspace;

/// The name of its marks in the document.
pub(crate) const NAME: &str = "peers";
/// How often each has his turn.
pub(crate) const ROUNDS: u32 = 15;

/// Builds in release, measures so many rounds, and writes tables and plots into the document. Without a number it takes the
/// figures of the last time.
///
/// # Errors
/// When a peer does not build, or does not answer as asked; or the document has no place for the tables.
pub(crate) fn run(root: &Path, rounds: Option<u32>) -> Result<()> {
    if let Some(rounds) = rounds {
        measure(root, rounds)?;
    }
    bench::write(root, &[NAME])
}

/// Builds in release and measures so many rounds.
///
/// # Errors
/// When a peer does not build, or does not answer as asked.
pub(crate) fn measure(root: &Path, rounds: u32) -> Result<()> {
    let figures = file(root)?;
    let folder = figures.parent().context("the figures stand in a folder")?;
    std::fs::create_dir_all(folder)?;
    let mut peers = workspace::cargo(root);
    peers.args(["run", "--release", "--locked", "--manifest-path", "tests/peers/Cargo.toml", "--"]);
    // Apart from our own, so that neither makes the other build anew.
    let commit = Machine::here(root).commit;
    run_command(peers.arg(&figures).arg(rounds.to_string()).env("CARGO_TARGET_DIR", folder))?;
    // They are built from the same folder, and know nothing of Git.
    let mut measured = kept(root)?.context("the figures were written")?;
    measured["commit"] = commit.into();
    Ok(std::fs::write(&figures, serde_json::to_vec(&measured)?)?)
}

/// The figures of the last time, if there are any.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn kept(root: &Path) -> Result<Option<Value>> {
    let figures = file(root)?;
    if !figures.is_file() {
        return Ok(None);
    }
    let read = std::fs::read(&figures).with_context(|| figures.display().to_string())?;
    Ok(Some(serde_json::from_slice(&read)?))
}

/// What stands between its marks; the pictures are drawn beside.
///
/// # Errors
/// When a figure is missing, or a picture cannot be written.
pub(crate) fn section(root: &Path, figures: &Value) -> Result<String> {
    let folder = root.join(PICTURES);
    std::fs::create_dir_all(&folder)?;
    let mut pictures = String::new();
    for (name, title, svg) in picture::all(figures)? {
        let path = folder.join(format!("{name}.svg"));
        std::fs::write(&path, svg).with_context(|| path.display().to_string())?;
        pictures += &format!("\n![{title}](benchmarks/{name}.svg)\n");
    }
    Ok(format!("{}{pictures}", table::of(figures)?))
}

fn file(root: &Path) -> Result<PathBuf> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    Ok(metadata.target_directory.join(NAME).join("figures.json").into_std_path_buf())
}
