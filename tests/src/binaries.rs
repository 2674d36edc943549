//! Where the real binaries are.
//!
//! `cargo xtask test` builds everything once and says where in `DAYBREAK_BIN_DIR`. Run alone, as by
//! `cargo test -p daybreak-tests`, the tests build what they need first, so that they never run a stale binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use crate::server::root;

/// Where a finished build is.
const BIN_DIR: &str = "DAYBREAK_BIN_DIR";

/// The `daybreak` binary.
///
/// # Errors
/// When it does not build.
pub fn binary() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, &["-p", "daybreak-cli", "--bin", "daybreak"], "daybreak")
}

/// The shop: the SDK's example.
///
/// # Errors
/// When it does not build.
pub fn shop() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, &["-p", "daybreak-sdk", "--all-features", "--example", "shop"], "examples/shop")
}

fn once(built: &OnceLock<Result<PathBuf, String>>, target: &[&str], path: &str) -> Result<PathBuf> {
    let path = built.get_or_init(|| build(target, path).map_err(|error| format!("{error:#}")));
    path.clone().map_err(anyhow::Error::msg)
}

fn build(target: &[&str], path: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os(BIN_DIR) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            // Benchmarks are built for release, and measure what is.
            let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
            let mut build = Command::new(cargo);
            build.current_dir(root()).args(["build", "--profile", profile]).args(target);
            let output = build.output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            beside_us()?
        }
    };
    let path = folder.join(path);
    ensure!(path.is_file(), "{} is missing", path.display());
    Ok(path)
}

/// The folder of this build's binaries: tests run in `deps` below it.
fn beside_us() -> Result<PathBuf> {
    let us = std::env::current_exe()?;
    let folder = us.parent().and_then(Path::parent).context("a test stands in target/debug/deps")?;
    Ok(folder.to_owned())
}
