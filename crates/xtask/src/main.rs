//! Daybreak's own chores: `cargo xtask tidy`, `cargo xtask test`, `cargo xtask bench`.

mod bench;
mod steps;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// Daybreak's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Check what the compiler does not: arrows, purity, sizes, documentation.
    Tidy,
    /// Run everything that CI runs, and print how long each step took.
    Test,
    /// Run the benchmarks on a quiet machine; see docs/benchmarks.md.
    Bench,
}

fn main() -> ExitCode {
    let done = workspace::root().and_then(|root| match Chore::parse() {
        Chore::Tidy => tidy::run(&root),
        Chore::Test => test::run(&root),
        Chore::Bench => bench::run(&root),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
