//! `cargo xtask crash`: more of the crash rounds that stand among the system's tests.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;

use crate::steps::run as run_command;
use crate::test::bin_dir;
use crate::workspace;

/// Runs so many rounds, and damages so many copies of what they leave; prints what happened.
///
/// # Errors
/// When something does not build, or a round fails: with its seed.
pub(crate) fn run(root: &Path, rounds: u32, copies: u32, seed: Option<u64>) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let seed = seed.unwrap_or(now.as_secs());
    run_command(workspace::cargo(root).args(["build", "--locked", "-p", "daybreak-cli"]))?;
    let mut crash = workspace::cargo(root);
    crash.args(["run", "--quiet", "--locked", "-p", "daybreak-tests", "--bin", "crash", "--"]);
    crash.args([rounds.to_string(), copies.to_string(), seed.to_string()]);
    run_command(crash.env("DAYBREAK_BIN_DIR", bin_dir(root)?))
}
