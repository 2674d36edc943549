//! `cargo xtask test`: everything that CI runs.
//!
//! Clippy checks all that the build later compiles, so nothing is left that only a release build would find.
//! The build comes before the tests, as one step and with the tests' own features, so that every artefact is
//! made once: the system tests are given its `daybreak` binary instead of building another.

pub(crate) mod components;
pub(crate) mod fuzz;
pub(crate) mod openfeature;
mod outcome;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;

use crate::steps::{Steps, line, run as run_command};
use crate::{instructions, schemathesis, tidy, workspace};
use outcome::Outcome;

/// Packages and features of every step: the same, so that nothing is compiled twice.
pub(crate) const ALL: [&str; 3] = ["--workspace", "--all-features", "--locked"];
/// Everything that is built for testing; the binaries among them, for the system tests.
const TARGETS: [&str; 4] = ["--lib", "--bins", "--tests", "--examples"];

/// Tests that run at a time: most of the system's wait for a lease to lapse, and may do so together.
const THREADS: &str = "8";

/// Runs every step, and prints a table of them and how many tests passed.
///
/// # Errors
/// When a component is missing or a step fails; the steps after it are not taken.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut steps = Steps::default();
    let mut outcome = Outcome::default();
    let done = take(root, &mut steps, &mut outcome);
    println!("{}", steps.table());
    println!("{outcome}");
    done
}

fn take(root: &Path, steps: &mut Steps, outcome: &mut Outcome) -> Result<()> {
    steps.take("components", || components::ensure(root))?;
    steps.take("formatting", || run_command(workspace::cargo(root).args(["fmt", "--all", "--check"])))?;
    steps.take("tidy", || tidy::run(root))?;
    steps.take("clippy", || {
        let mut clippy = workspace::cargo(root);
        run_command(clippy.arg("clippy").args(ALL).args(["--all-targets", "--", "-D", "warnings"]))
    })?;
    steps.take("build", || run_command(workspace::cargo(root).arg("build").args(ALL).args(TARGETS)))?;
    steps.take("tests", || {
        let mut tests = workspace::cargo(root);
        tests.arg("test").args(ALL).args(TARGETS).arg("--no-fail-fast");
        tests.env("DAYBREAK_BIN_DIR", bin_dir(root)?).env("RUST_TEST_THREADS", THREADS);
        counted(&mut tests, outcome)
    })?;
    steps.take("fuzz", || fuzz::run(root, &ALL))?;
    steps.take("schemathesis", || schemathesis::run(root, "examples,fuzzing", schemathesis::EXAMPLES))?;
    steps.take("openfeature", || openfeature::run(root))?;
    steps.take("instructions", || instructions::run(root, &[], false))?;
    steps.take("doctests", || counted(workspace::cargo(root).arg("test").args(ALL).arg("--doc"), outcome))
}

/// Where the build leaves its binaries.
pub(crate) fn bin_dir(root: &Path) -> Result<PathBuf> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    Ok(metadata.target_directory.join("debug").into_std_path_buf())
}

/// Runs tests, passing their output through and counting their results.
fn counted(command: &mut Command, outcome: &mut Outcome) -> Result<()> {
    let name = line(command);
    let color = if std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        "always"
    } else {
        "never"
    };
    let mut child = command
        .env("CARGO_TERM_COLOR", OsStr::new(color))
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{name}` cannot be run"))?;
    let lines = child.stdout.take().context("a pipe was asked for")?;
    let mut stdout = std::io::stdout().lock();
    for line in BufReader::new(lines).split(b'\n') {
        let line = line?;
        stdout.write_all(&line)?;
        stdout.write_all(b"\n")?;
        outcome.read(&String::from_utf8_lossy(&line));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{name}` ended with {status}");
    }
    Ok(())
}
