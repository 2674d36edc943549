//! `daybreak slo`: what is left of error budgets, and how fast they burn.

mod openslo;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::out;
use crate::remote::{Remote, Target, block_on};
use crate::style::Format;

/// What to tell.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Slo {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    show: Show,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Print the SLOs of an OpenSLO file (v1) as a document: `daybreak slo import slos.yaml > flags/slos.yaml`.
    Import {
        /// The file; `-` is standard input.
        file: PathBuf,
    },
    /// Print an SLO of a server as OpenSLO (v1).
    Export {
        /// The SLO.
        key: String,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Clone, Debug, Args)]
struct Show {
    /// The SLO; all of them where none is named.
    key: Option<String>,
    #[command(flatten)]
    target: Target,
    /// How to print them.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

pub(crate) fn run(options: &Slo) -> anyhow::Result<ExitCode> {
    match &options.command {
        None => block_on(show(&options.show))?,
        Some(Command::Import { file }) => {
            let unread = || format!("{} cannot be read", file.display());
            let text = match file.as_os_str() == "-" {
                true => std::io::read_to_string(std::io::stdin()),
                false => std::fs::read_to_string(file),
            };
            let taken = openslo::import(&text.with_context(unread)?);
            let taken = taken.with_context(|| format!("{} cannot be taken", file.display()))?;
            // Standard output is the document.
            eprint!("{}", taken.notes);
            out::print(&taken.document)?;
        }
        Some(Command::Export { key, target }) => {
            let path = format!("/api/v1/slos/{key}");
            let slo: Value = serde_json::from_str(&block_on(async { Remote::new(target)?.get(&path).await })?)?;
            out::print(&openslo::export(key, &slo)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(options: &Show) -> anyhow::Result<()> {
    let remote = Remote::new(&options.target)?;
    let keys = match &options.key {
        Some(key) => vec![key.clone()],
        None => {
            let list: Value = serde_json::from_str(&remote.get("/api/v1/slos").await?)?;
            list["slos"].as_object().into_iter().flat_map(|slos| slos.keys().cloned()).collect()
        }
    };
    if keys.is_empty() && options.format == Format::Text {
        out::print("there are no SLOs\n")?;
    }
    for (number, key) in keys.iter().enumerate() {
        let budget: Value = serde_json::from_str(&remote.get(&format!("/api/v1/slos/{key}/status")).await?)?;
        let text = match options.format {
            Format::Json => format!("{budget}\n"),
            Format::Text if number > 0 => format!("\n{}", show::describe(&budget)),
            Format::Text => show::describe(&budget),
        };
        if !out::print(&text)? {
            break;
        }
    }
    Ok(())
}
