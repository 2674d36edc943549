//! `daybreak stale`: which flags can be removed, and which are asked for and are not there.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use daybreak_model::{Millis, shown_name};
use serde_json::Value;

use crate::check::counted;
use crate::out;
use crate::remote::{Remote, Target, block_on};

/// What to list, and how.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Flags with the tag `permanent`, and those that others have as a prerequisite, are listed only once \
                        they have expired."
)]
pub(crate) struct Stale {
    /// How long nobody asked for a flag, or it served always the same.
    #[arg(long, value_name = "DURATION", default_value = "30d")]
    after: Millis,
    /// Exit with 1 where anything is listed, 2 where something goes wrong.
    #[arg(long)]
    exit_code: bool,
    /// Print what the server answers, as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(options: &Stale) -> anyhow::Result<ExitCode> {
    match list(options) {
        Ok(any) => Ok(ExitCode::from(u8::from(any && options.exit_code))),
        // Who asks by the exit status can tell that it is not known.
        Err(error) if options.exit_code => {
            eprintln!("error: {error:#}");
            Ok(ExitCode::from(2))
        }
        Err(error) => Err(error),
    }
}

/// Prints what is to be done, and tells whether there is anything.
fn list(options: &Stale) -> anyhow::Result<bool> {
    let answer = block_on(async {
        let remote = Remote::new(&options.target)?;
        remote.get(&format!("/api/v1/stale-flags?after={}", options.after)).await
    })?;
    let found: Value = serde_json::from_str(&answer).context("the server answers with no JSON")?;
    out::print(&if options.json { answer } else { describe(&found) })?;
    let some = |name: &str| found[name].as_array().is_some_and(|list| !list.is_empty());
    Ok(some("stale") || some("unknown"))
}

fn describe(found: &Value) -> String {
    let list = |name: &str| found[name].as_array().into_iter().flatten();
    let word = |value: &Value| shown_name(value.as_str().unwrap_or("?")).into_owned();
    let mut text = String::new();
    for flag in list("stale") {
        let owner = flag["owner"].as_str().map_or_else(String::new, |owner| format!(" ({})", shown_name(owner)));
        let reasons = flag["reasons"].as_array().into_iter().flatten();
        // The key names a variant as well, so it is of bounded length; the sentence is the server's own.
        let reasons: Vec<_> = reasons.filter_map(|reason| reason["sentence"].as_str()).collect();
        text += &format!("{}{owner}: {}\n", word(&flag["flag"]), reasons.join("; "));
    }
    for unknown in list("unknown") {
        let services: Vec<_> = unknown["services"].as_array().into_iter().flatten().map(word).collect();
        let near = unknown["near"].as_str().map_or_else(String::new, |near| format!("; is `{near}` meant?"));
        let times = usize::try_from(unknown["count"].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
        let (name, times) = (word(&unknown["name"]), counted(times, "time"));
        text += &format!("{name} is no flag, and {} asked for it {times}{near}\n", services.join(", "));
    }
    if text.is_empty() {
        text += "nothing can be removed, and no flag is asked for that is not there, by what clients told last: they do so every 10 s\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_people_read() {
        let found = json!({
            "stale": [
                {"flag": "old", "owner": "payments", "reasons": [
                    {"why": "expired", "sentence": "it expired on 2026-11-20"},
                    {"why": "unused", "sentence": "it was last evaluated on 2026-10-01"},
                ]},
                {"flag": "plain", "owner": null, "reasons": [{"sentence": "it has served nothing but `on` since 2026-01-01"}]},
            ],
            "unknown": [
                {"name": "chekout", "count": 6, "services": ["OFREP", "shop"], "near": "checkout"},
                {"name": "a\u{1b}b", "count": 1, "services": ["shop"], "near": null},
            ],
        });
        let expected = "\
old (payments): it expired on 2026-11-20; it was last evaluated on 2026-10-01
plain: it has served nothing but `on` since 2026-01-01
chekout is no flag, and OFREP, shop asked for it 6 times; is `checkout` meant?
a\u{fffd}b is no flag, and shop asked for it 1 time
";
        assert_eq!(describe(&found), expected);
        assert_eq!(describe(&json!({"stale": [], "unknown": []})).lines().count(), 1);
    }
}
