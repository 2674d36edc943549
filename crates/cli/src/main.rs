//! The `daybreak` binary: the server, and tools for its documents.

mod apply;
mod args;
mod backup;
mod check;
mod clients;
mod diff;
mod eval;
mod events;
mod explain;
mod export;
mod flag;
mod folder;
mod hours;
mod on_call;
mod out;
mod promote;
mod remote;
mod run;
mod serve;
mod served;
mod slo;
mod stale;
mod stop;
mod style;
mod table;
mod telemetry;
mod token;
mod unreached;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.len() <= 1 {
        words = vec!["daybreak".into(), "serve".into()];
    }
    // Nothing else has chosen a provider for TLS yet, so this cannot fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let command = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments.command,
        Err(error) => return misread(&words, &error),
    };
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with the command line. clap's status for that is one of the verdicts of `daybreak run`.
fn misread(words: &[OsString], error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() && words.get(1).is_some_and(|word| word == "run") {
        return run::Status::Failed.into();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(options) => serve::run(*options),
        Command::Check(options) => check::run(&options),
        Command::Schema => schema(),
        Command::Eval(options) => eval::run(&options),
        Command::Backup(options) => backup::take(&options),
        Command::Restore(options) => backup::restore(&options),
        Command::Clients(options) => clients::run(&options),
        Command::Flag(options) => flag::run(&options),
        Command::Stale(options) => stale::run(&options),
        Command::Events(options) => events::run(&options),
        Command::Explain(options) => Ok(explain::run(&options)),
        Command::Run(options) => Ok(run::run(&options)),
        Command::Stop(options) => stop::stop(&options),
        Command::Halt(options) => stop::halt(&options),
        Command::Hours(options) => hours::run(&options),
        Command::Slo(options) => slo::run(&options),
        Command::OnCall(options) => on_call::run(&options),
        Command::Apply(options) => apply::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Diff(options) => diff::run(&options),
        Command::Promote(options) => promote::run(&options),
        Command::Token(options) => token::run(options),
    }
}

fn schema() -> anyhow::Result<ExitCode> {
    out::print(&format!("{}\n", serde_json::to_string_pretty(&daybreak_document::schema())?))?;
    Ok(ExitCode::SUCCESS)
}
