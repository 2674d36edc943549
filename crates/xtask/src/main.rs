//! Daybreak's own chores: `cargo xtask tidy`, `test`, `bench` and `peers`; and what `test` has a short form of: `crash`, `fuzz`,
//! `instructions`, `openfeature`, `schemathesis`, `simulate` and `soak`.

mod bench;
mod crash;
mod figures;
mod instructions;
mod marks;
mod peers;
mod plot;
mod schemathesis;
mod server;
mod simulate;
mod soak;
mod steps;
mod test;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use soak::Soak;

/// Daybreak's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Check what the compiler does not: arrows, purity, sizes, documentation.
    Tidy,
    /// Run everything that CI runs, and print how long each step took.
    Test,
    /// Run the benchmarks on a quiet machine, and write their figures into docs/benchmarks.md.
    Bench {
        /// Which of them; all, and peers, unless said. Any other word has their names listed.
        names: Vec<String>,
        /// Only write the figures of the last time again.
        #[arg(long)]
        again: bool,
    },
    /// Measure Daybreak beside other evaluators, which is the part of `bench` that takes longest.
    Peers {
        /// How often each has his turn.
        #[arg(long, default_value_t = peers::ROUNDS)]
        rounds: u32,
        /// Only write the figures of the last time again.
        #[arg(long)]
        again: bool,
    },
    /// Kill a server under load, again and again, and look whether it keeps what it acknowledged.
    Crash {
        /// How often.
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// How many copies of its store are damaged, and served.
        #[arg(long, default_value_t = 100)]
        copies: u32,
        /// What is chosen by chance; from the clock unless given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Fuzz every target, two at a time.
    Fuzz {
        /// How long each, as `10m` or `20s`.
        #[arg(long, default_value = "10m", value_parser = test::fuzz::length)]
        each: Duration,
    },
    /// Count instructions of evaluating and passing fault points, and compare them with those that were accepted.
    Instructions {
        /// Accept what this benchmark counts now; may be repeated.
        #[arg(long, value_name = "NAME")]
        accept: Vec<String>,
        /// Write into docs/benchmarks.md which functions have them, where a goal is missed.
        #[arg(long)]
        profile: bool,
    },
    /// Ask a server for all that it describes, and hold its answers against the description.
    Schemathesis {
        /// How many requests of each operation are made up.
        #[arg(long, default_value_t = 50)]
        examples: u32,
        /// What schemathesis does.
        #[arg(long, default_value = "examples,coverage,fuzzing")]
        phases: String,
    },
    /// Ask a server as OpenFeature's published clients do, and as its protocol is specified.
    Openfeature,
    /// Keep a server busy with clients, changes and reports, and look whether memory grows or a client lags.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 60)]
        minutes: u32,
        /// How many clients follow the stream, and report.
        #[arg(long, default_value_t = 10_000)]
        clients: u32,
        /// How many changes a second.
        #[arg(long, default_value_t = 20)]
        changes: u32,
    },
    /// Simulate runs of eight hours, to see what the guard's statistics do; see docs/statistics.md.
    Simulate {
        /// How many runs in a cell.
        #[arg(long, default_value_t = 10_000)]
        runs: u32,
        /// Where its plots are written, from the workspace's root.
        #[arg(long, default_value = "docs/statistics")]
        out: PathBuf,
        /// Only print and draw the figures of the last time again.
        #[arg(long)]
        again: bool,
    },
}

fn main() -> ExitCode {
    let done = workspace::root().and_then(|root| match Chore::parse() {
        Chore::Tidy => tidy::run(&root),
        Chore::Test => test::run(&root),
        Chore::Bench { names, again } => bench::run(&root, &names, again),
        Chore::Peers { rounds, again } => peers::run(&root, (!again).then_some(rounds)),
        Chore::Crash { rounds, copies, seed } => crash::run(&root, rounds, copies, seed),
        Chore::Fuzz { each } => test::fuzz::each(&root, each),
        Chore::Instructions { accept, profile } => instructions::run(&root, &accept, profile),
        Chore::Schemathesis { examples, phases } => schemathesis::long(&root, &phases, examples),
        Chore::Openfeature => test::openfeature::alone(&root),
        Chore::Soak { minutes, clients, changes } => Soak { minutes, clients, changes }.run(&root),
        Chore::Simulate { runs, out, again } => simulate::run(&root, (!again).then_some(runs), &out),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
