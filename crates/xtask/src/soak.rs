//! `cargo xtask soak`: many clients, changes and reports for as long as one likes; the system's tests have a short form.

use std::path::Path;

use anyhow::Result;
use cargo_metadata::MetadataCommand;

use crate::steps::run as run_command;
use crate::workspace;

/// Where its plots are kept for `cargo xtask bench`, below the folder of builds.
const KEPT: &str = "bench";

/// Soaks a server built for release, prints what came of it as a table, and keeps its plots.
///
/// # Errors
/// When something does not build, or memory grows, a client lags, or anything else goes wrong.
pub(crate) fn run(root: &Path, minutes: u32, clients: u32, changes: u32) -> Result<()> {
    let target = MetadataCommand::new().current_dir(root).no_deps().exec()?.target_directory;
    let (release, kept) = (target.join("release"), target.join(KEPT));
    std::fs::create_dir_all(&kept)?;
    let build = ["build", "--release", "--locked", "-p"];
    run_command(workspace::cargo(root).args(build).arg("daybreak-cli"))?;
    run_command(workspace::cargo(root).args(build).args(["daybreak-tests", "--bins"]))?;
    let mut soak = std::process::Command::new(release.join("soak"));
    soak.args([minutes, clients, changes].map(|number| number.to_string()));
    run_command(soak.env("DAYBREAK_BIN_DIR", release).env("DAYBREAK_PLOTS", kept))
}
