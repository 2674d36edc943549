//! `daybreak slo`: what is left of error budgets, and how fast they burn.

mod show;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::out;
use crate::remote::{Remote, Target, block_on};

/// What to tell.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Slo {
    #[command(flatten)]
    show: Show,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A few lines for people, with a plot.
    Text,
    /// What the server answers, a JSON object a line.
    Json,
}

pub(crate) fn run(options: &Slo) -> anyhow::Result<ExitCode> {
    block_on(show(&options.show))?;
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
