//! `daybreak apply`: has a server serve what files say.

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use daybreak_document::{Change, Decoded, Difference, Draft, Severity, Source, diff, renames, render};
use daybreak_model::{Flag, Millis, Resources};
use reqwest::Method;
use serde_json::Value;

use crate::folder;
use crate::out;
use crate::remote::{self, Remote, Target};
use crate::served::{self, ATTEMPTS, Sending, Sent, Served, describe};
use crate::style::{is_colored, printable};

#[derive(Clone, Debug, Args)]
pub(crate) struct Apply {
    /// Folders, searched through, and files: together they are one document, and one revision.
    #[arg(short, long = "file", value_name = "PATH", required_unless_present = "watched", num_args = 1..)]
    files: Vec<PathBuf>,
    /// Instead: have the server take what the folder that it watches says now, merged as always. With `--override` that
    /// brings through an edit which a freeze holds back, and undoes nothing that was changed by hand.
    #[arg(long, conflicts_with_all = ["files", "dry_run", "prune", "yes", "keep_state"])]
    watched: bool,
    /// Print what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove what the files do not name. It shows what that is, and asks.
    #[arg(long)]
    prune: bool,
    /// Remove without asking; needed where nobody could answer.
    #[arg(long)]
    yes: bool,
    /// Leave enabled and disabled what is so: an operator's toggle stays.
    #[arg(long)]
    keep_state: bool,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Apply also while changes are frozen, for this reason; an admin's alone.
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
    /// Wait until every live client has it, for so long at most, 30s: and print who has not.
    #[arg(long, value_name = "DURATION")]
    wait: Option<Millis>,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(options: &Apply) -> anyhow::Result<ExitCode> {
    if options.watched {
        return remote::block_on(apply_watched(options));
    }
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
    let (mut done, mut agreed, mut shown) = (None, Vec::new(), false);
    for _ in 0..ATTEMPTS {
        let served = Served::read(&remote).await?;
        let decoded = read(draft, &served.resources, options);
        if decoded.has_errors() {
            return broken(&decoded, sources);
        }
        let differences = diff(&served.resources, &decoded.resources);
        let removed = removed(&differences);
        // Asked once: again only where others brought something else that would go.
        if !options.dry_run && !options.yes && !removed.iter().all(|one| agreed.contains(one)) {
            out::print(&describe(&differences, is_colored(&stdout())))?;
            if !confirm(&removed)? {
                out::print("nothing is changed\n")?;
                return Ok(ExitCode::FAILURE);
            }
            agreed = removed;
            shown = true;
        }
        let sending = Sending {
            dry_run: options.dry_run,
            reason: options.reason.as_deref(),
            override_reason: options.override_reason.as_deref(),
            wait: options.wait.filter(|_| !options.dry_run),
        };
        let sent = served.change(&remote, &decoded.resources, sending).await?;
        if !matches!(sent, Sent::Overtaken) {
            let mut warnings = decoded.diagnostics;
            warnings.extend(renames(&served.resources, &decoded.resources));
            eprint!("{}", render(&warnings, sources, false));
            if !shown {
                out::print(&describe(&differences, is_colored(&stdout())))?;
            }
            done = Some(sent);
            break;
        }
    }
    served::report(done.as_ref(), options.dry_run)?;
    Ok(ExitCode::SUCCESS)
}

/// Has the server take what the folder says that it watches.
async fn apply_watched(options: &Apply) -> anyhow::Result<ExitCode> {
    let remote = Remote::new(&options.target)?;
    let wait = options.wait.map(|wait| wait.to_string());
    let query = [("reason", &options.reason), ("override", &options.override_reason), ("wait", &wait)];
    let query: Vec<_> = query.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect();
    let answer = remote.send(remote.request(Method::POST, "/api/v1/files/apply").query(&query)).await?;
    let answer: Value = answer.json().await.context("the server answers with no JSON")?;
    for one in answer["differences"].as_array().into_iter().flatten() {
        let of = |name: &str| printable(one[name].as_str().unwrap_or("?"));
        let sign = match one["change"].as_str() {
            Some("added") => '+',
            Some("removed") => '-',
            _ => '~',
        };
        out::print(&format!("{sign} {} {}\n", of("kind"), of("key")))?;
    }
    match answer["changed"].as_bool() {
        Some(true) => served::report(Some(&Sent::Done(answer)), false)?,
        _ => {
            served::report(Some(&Sent::Nothing), false)?;
            out::print(&served::reached(&answer["reached"]))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What goes: `flag old`, each.
fn removed(differences: &[Difference]) -> Vec<String> {
    let removed = differences.iter().filter(|difference| difference.change == Change::Removed);
    removed.map(|Difference { kind, key, .. }| format!("{kind} `{key}`")).collect()
}

/// Asks whether these are to be removed.
///
/// # Errors
/// When nobody is there to be asked.
fn confirm(removed: &[String]) -> anyhow::Result<bool> {
    let number = removed.len();
    if !stdin().is_terminal() || !stderr().is_terminal() {
        let them = removed.join(", ");
        bail!("`--prune` would remove {them}; nothing is sent. Add `--yes` to remove, or `--dry-run` to see it only");
    }
    eprint!("remove what is marked with `-` ({number} in all)? [y/N] ");
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// What the server is to serve.
fn read(draft: &Draft, served: &Resources, options: &Apply) -> Decoded {
    let today = Some(folder::today());
    let mut decoded = if options.prune { draft.alone(today) } else { draft.over(served, today) };
    if options.keep_state {
        decoded.resources.flags.replace(|key, flag| {
            let enabled = served.flags.get(key)?.enabled;
            (flag.enabled != enabled).then(|| Flag { enabled, ..Flag::clone(flag) }.into())
        });
        for (key, fault) in &mut decoded.resources.faults {
            fault.enabled = served.faults.get(key).map_or(fault.enabled, |served| served.enabled);
        }
    }
    decoded
}

/// Prints what is wrong as `daybreak check` does.
fn broken(decoded: &Decoded, sources: &[Source]) -> anyhow::Result<ExitCode> {
    let errors = decoded.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let found = render(&decoded.diagnostics, sources, is_colored(&stdout()));
    out::print(&format!("{found}{}; nothing is sent\n", crate::check::counted(errors, "error")))?;
    Ok(ExitCode::FAILURE)
}
