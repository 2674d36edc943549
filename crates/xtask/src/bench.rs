//! `cargo xtask bench`: the benchmarks whose figures stand in docs/benchmarks.md.

mod criterion;

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use cargo_metadata::MetadataCommand;

use crate::steps::{Steps, run as run_command};
use crate::workspace;

/// The benchmarks: a name, and the arguments of `cargo bench`.
const BENCHES: &[(&str, &[&str])] = &[
    ("evaluation", &["-p", "daybreak-engine", "--benches"]),
    ("the SDK", &["-p", "daybreak-sdk", "--benches", "--features", "actix,metrics,opentelemetry,tower"]),
    ("control", &["-p", "daybreak-control", "--bench", "changes", "--bench", "guard"]),
    ("delivery", &["-p", "daybreak-tests", "--bench", "delivery"]),
    ("stop", &["-p", "daybreak-tests", "--bench", "stop"]),
    ("changes", &["-p", "daybreak-tests", "--bench", "changes"]),
];

/// Runs them, one after the other, and prints what criterion measured as a table for docs/benchmarks.md; the
/// benchmarks of the whole system print their own.
///
/// # Errors
/// When one does not build or run.
pub(crate) fn run(root: &Path) -> Result<()> {
    let began = SystemTime::now();
    let mut steps = Steps::default();
    steps.take("release build", || {
        run_command(workspace::cargo(root).args(["build", "--release", "--locked", "-p", "daybreak-cli"]))
    })?;
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    for (name, arguments) in BENCHES {
        let mut bench = workspace::cargo(root);
        bench.env("DAYBREAK_BIN_DIR", metadata.target_directory.join("release"));
        steps.take(name, || run_command(bench.args(["bench", "--locked"]).args(*arguments)))?;
    }
    println!("{}", steps.table());
    println!("{}", criterion::table(metadata.target_directory.join("criterion").as_std_path(), began)?);
    Ok(())
}
