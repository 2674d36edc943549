//! `daybreak apply`: has a server serve what files say.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use daybreak_document::{Decoded, Draft, Severity, Source, diff, renames, render};
use daybreak_model::Resources;

use crate::folder;
use crate::out;
use crate::remote::{self, Remote, Target};
use crate::served::{self, ATTEMPTS, Sending, Sent, Served, color, describe};

#[derive(Clone, Debug, Args)]
pub(crate) struct Apply {
    /// Folders, searched through, and files: together they are one document, and one revision.
    #[arg(short, long = "file", value_name = "PATH", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Print what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove what the files do not name.
    #[arg(long)]
    prune: bool,
    /// Leave enabled and disabled what is so: an operator's toggle stays.
    #[arg(long)]
    keep_state: bool,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Apply also while changes are frozen, for this reason; an admin's alone.
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(options: &Apply) -> anyhow::Result<ExitCode> {
    let sources = folder::read_all(&options.files)?;
    let draft = Draft::of_documents(sources.clone());
    // What is broken whatever the server holds is said without asking it.
    let mut alone = draft.alone(Some(folder::today()));
    if !options.prune {
        alone.diagnostics.retain(|found| found.code != "unknown_reference");
    }
    if alone.has_errors() {
        return broken(&alone, &sources);
    }
    remote::block_on(apply(options, &draft, &sources))
}

async fn apply(options: &Apply, draft: &Draft, sources: &[Source]) -> anyhow::Result<ExitCode> {
    let remote = Remote::new(&options.target)?;
    let mut done = None;
    for _ in 0..ATTEMPTS {
        let served = Served::read(&remote).await?;
        let decoded = read(draft, &served.resources, options);
        if decoded.has_errors() {
            return broken(&decoded, sources);
        }
        let sending = Sending {
            dry_run: options.dry_run,
            reason: options.reason.as_deref(),
            override_reason: options.override_reason.as_deref(),
        };
        let sent = served.change(&remote, &decoded.resources, sending).await?;
        if !matches!(sent, Sent::Overtaken) {
            let mut warnings = decoded.diagnostics;
            warnings.extend(renames(&served.resources, &decoded.resources));
            eprint!("{}", render(&warnings, sources, false));
            out::print(&describe(&diff(&served.resources, &decoded.resources), color()))?;
            done = Some(sent);
            break;
        }
    }
    served::report(done.as_ref(), options.dry_run)?;
    Ok(ExitCode::SUCCESS)
}

/// What the server is to serve.
fn read(draft: &Draft, served: &Resources, options: &Apply) -> Decoded {
    let today = Some(folder::today());
    let mut decoded = if options.prune { draft.alone(today) } else { draft.over(served, today) };
    if options.keep_state {
        for (key, flag) in &mut decoded.resources.flags {
            flag.enabled = served.flags.get(key).map_or(flag.enabled, |served| served.enabled);
        }
        for (key, fault) in &mut decoded.resources.faults {
            fault.enabled = served.faults.get(key).map_or(fault.enabled, |served| served.enabled);
        }
    }
    decoded
}

/// Prints what is wrong as `daybreak check` does.
fn broken(decoded: &Decoded, sources: &[Source]) -> anyhow::Result<ExitCode> {
    let errors = decoded.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let found = render(&decoded.diagnostics, sources, color());
    out::print(&format!("{found}{}; nothing is sent\n", crate::check::counted(errors, "error")))?;
    Ok(ExitCode::FAILURE)
}
