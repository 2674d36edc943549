//! `cargo run -p daybreak-ofrep-conformance -- --url http://localhost:8080`

use std::process::ExitCode;

use clap::Parser;
use daybreak_ofrep_conformance::{Options, run};

/// Ask a server whether it speaks OFREP 0.3.0 as it is specified.
///
/// It must hold the flags of tests/ofrep/fixture. Exit status: 0 if it does all that is demanded of it, 1 if not, 2 if it
/// could not be asked.
#[derive(Parser)]
#[command(name = "daybreak-ofrep-conformance", version)]
struct Arguments {
    /// The server, as `http://localhost:8080`: what OFREP's paths are below.
    #[arg(long)]
    url: String,
    /// What is shown as `Authorization: Bearer …`.
    #[arg(long, env = "OFREP_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A shell line that makes the flag `ofrep-switched` true.
    #[arg(long, requires = "off")]
    on: Option<String>,
    /// A shell line that makes it false.
    #[arg(long, requires = "on")]
    off: Option<String>,
    /// How often the server may be asked at the end, to see that it says when that is too often.
    #[arg(long, default_value_t = 0)]
    flood: usize,
    /// Count a check that could not be taken as one that failed.
    #[arg(long)]
    strict: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { url, token, on, off, flood, strict } = Arguments::parse();
    println!("OFREP 0.3.0, {url}");
    match run(Options { url, token, on, off, flood, patience: None }).await {
        Ok(report) => {
            println!("{report}");
            let skipped = report.checks().iter().any(|check| check.outcome.skipped());
            if report.conforms() && !(strict && skipped) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
