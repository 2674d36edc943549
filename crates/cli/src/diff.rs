//! `daybreak diff`: what leads from one set of resources to another, each a folder, a file or a server.

use std::io::stdout;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use daybreak_document::{diff, renames, render};
use daybreak_model::Resources;

use crate::folder;
use crate::out;
use crate::remote::{self, Remote, Secret, Target};
use crate::served::{Served, describe};
use crate::style::is_colored;

#[derive(Clone, Debug, Args)]
pub(crate) struct Diff {
    /// A folder, a file, or the URL of a server: what was.
    #[arg(value_name = "A")]
    before: String,
    /// A folder, a file, or the URL of a server: what is.
    #[arg(value_name = "B")]
    after: String,
    /// Exit with 1 where anything differs, 2 where something goes wrong.
    #[arg(long)]
    exit_code: bool,
    /// The token for A, where it is a server.
    #[arg(long, env = "DAYBREAK_FROM_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    from_token: Option<Secret>,
    /// The token for B, where it is a server.
    #[arg(long, env = "DAYBREAK_TO_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    to_token: Option<Secret>,
    /// The token for the one of the two that is a server; where both are, neither gets it.
    #[arg(long, env = "DAYBREAK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// A PEM file with the certificate to show to a server which asks for one, and its key.
    #[arg(long, env = "DAYBREAK_CLIENT_CERT", value_name = "FILE")]
    client_cert: Option<PathBuf>,
}

pub(crate) fn run(options: &Diff) -> anyhow::Result<ExitCode> {
    match compare(options) {
        Ok(differs) => Ok(ExitCode::from(u8::from(differs && options.exit_code))),
        // As in git: who asks by the exit status whether anything differs can tell that it is not known.
        Err(error) if options.exit_code => {
            eprintln!("error: {error:#}");
            Ok(ExitCode::from(2))
        }
        Err(error) => Err(error),
    }
}

/// Prints what differs, and tells whether anything does.
fn compare(options: &Diff) -> anyhow::Result<bool> {
    let both = is_url(&options.before) && is_url(&options.after);
    let read = |place: &str, token: &Option<Secret>| {
        let token = token.clone().or_else(|| options.token.clone().filter(|_| !both));
        side(place, token, options.client_cert.as_deref())
    };
    let (before, after) = (read(&options.before, &options.from_token)?, read(&options.after, &options.to_token)?);
    eprint!("{}", render(&renames(&before, &after), &[], false));
    let differences = diff(&before, &after);
    out::print(&describe(&differences, is_colored(&stdout())))?;
    Ok(!differences.is_empty())
}

fn side(place: &str, token: Option<Secret>, client_cert: Option<&Path>) -> anyhow::Result<Resources> {
    if !is_url(place) {
        return folder::decode(Path::new(place));
    }
    let target = Target { url: place.to_owned(), token, client_cert: client_cert.map(Path::to_owned) };
    remote::block_on(async { Ok(Served::read(&Remote::new(&target)?).await?.resources) })
}

fn is_url(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}
