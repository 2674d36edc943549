//! `daybreak on-call`: how often people were paged, and what a further page would do.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::out;
use crate::remote::{Remote, Target, block_on};
use crate::style::{Format, on_the_wall, printable};

/// Pages and incidents that are printed of one on-call.
const SHOWN: usize = 10;

/// Which on-call to ask for.
#[derive(Clone, Debug, Args)]
pub(crate) struct OnCall {
    /// The on-call; all of them unless said, without their history.
    key: Option<String>,
    /// How to print it.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(options: &OnCall) -> anyhow::Result<ExitCode> {
    let text = block_on(async {
        let remote = Remote::new(&options.target)?;
        let Some(key) = &options.key else { return all(&remote, options.format).await };
        let answer = remote.get(&format!("/api/v1/on-call/{key}/status")).await?;
        match options.format {
            Format::Json => Ok(answer),
            Format::Text => {
                let status = serde_json::from_str(&answer).context("the server answers with no JSON")?;
                Ok(format!("{}{}", summary(&status), history(&status)))
            }
        }
    })?;
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn all(remote: &Remote<'_>, format: Format) -> anyhow::Result<String> {
    let list: Value = serde_json::from_str(&remote.get("/api/v1/on-call").await?)?;
    let mut statuses = Map::new();
    for key in list["on_call"].as_object().into_iter().flat_map(Map::keys) {
        let answer = remote.get(&format!("/api/v1/on-call/{key}/status")).await?;
        statuses.insert(key.clone(), serde_json::from_str(&answer)?);
    }
    match format {
        Format::Json => Ok(format!("{:#}\n", json!({ "on_call": statuses }))),
        Format::Text if statuses.is_empty() => Ok("there is no on-call SLO\n".to_owned()),
        Format::Text => Ok(statuses.values().map(summary).collect()),
    }
}

/// How it stands.
fn summary(status: &Value) -> String {
    let mut text = format!("{}{}\n", word(&status["on_call"]), if is(&status["spent"]) { ": spent" } else { "" });
    for (name, of) in [("pages", "within a week"), ("off_hours_incidents", "within half a year")] {
        let budget = &status[name];
        let what = name.replace('_', " ").replace("off hours", "off-hours");
        text += &format!("  {} of {} {what} {of}", budget["count"], budget["objective"]);
        if let Some(at) = local(&budget["ages_out_at"]) {
            text += &format!("; the next ages out on {at}");
        }
        text += "\n";
    }
    let further = &status["further_page"];
    let effects = [
        ("breaks_objective", "breaks the objective"),
        ("refuses_start", "lets no run start"),
        ("freezes_changes", "freezes changes by hand"),
    ];
    let effects: Vec<_> = effects.iter().filter(|(name, _)| is(&further[*name])).map(|(_, effect)| *effect).collect();
    let effects = if effects.is_empty() { "is fair".to_owned() } else { effects.join(", ") };
    text += &format!("  a further page {effects}, and ends the runs that the on-call guards\n");
    for source in status["sources"].as_array().into_iter().flatten() {
        let heard = local(&source["last_heard_at"])
            .map_or_else(|| "never heard from".to_owned(), |at| format!("last heard from on {at}"));
        let silent = if is(&source["silent"]) { ", so no run starts" } else { "" };
        text += &format!("  {} was {heard}{silent}\n", word(&source["source"]));
    }
    for page in status["unmatched"].as_array().into_iter().flatten() {
        let (at, of) = (local(&page["at"]).unwrap_or_default(), printable(word(&page["of"])));
        text += &format!("  a page of {} was of no on-call on {at}: {of}\n", word(&page["source"]));
    }
    for reason in status["reasons"].as_array().into_iter().flatten() {
        text += &format!("  no run starts: {}; {}\n", word(&reason["sentence"]), word(&reason["clears"]));
    }
    text
}

/// How it came to that.
fn history(status: &Value) -> String {
    let mut text = String::new();
    for (name, heading) in [("page_history", "pages"), ("incident_history", "incidents")] {
        let Some(list) = status[name].as_array().filter(|list| !list.is_empty()) else { continue };
        text += &format!("  {heading}, the latest first:\n");
        for one in list.iter().take(SHOWN) {
            let at = local(&one["at"]).unwrap_or_default();
            let what = one["title"].as_str().or(one["key"].as_str()).unwrap_or("(no title)");
            let what = printable(what);
            let until = local(&one["counts_until"]).map_or_else(String::new, |until| format!(", counts until {until}"));
            text += &format!("    {at}  {}  {what}{until}\n", word(&one["source"]));
        }
        if list.len() > SHOWN {
            text += &format!("    and {} more: --format json\n", list.len() - SHOWN);
        }
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn is(value: &Value) -> bool {
    value.as_bool() == Some(true)
}

/// A time as the clock on this machine's wall shows it, with its zone.
fn local(value: &Value) -> Option<String> {
    let at: Timestamp = value.as_str()?.parse().ok()?;
    Some(on_the_wall(at, TimeZone::system()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read() {
        let status = json!({
            "on_call": "payments", "spent": true,
            "pages": {"count": 2, "objective": 2},
            "off_hours_incidents": {"count": 0, "objective": 1},
            "further_page": {"count": 3, "breaks_objective": true, "refuses_start": true, "freezes_changes": false},
            "sources": [{"source": "alertmanager", "silent": true}],
            "unmatched": [{"source": "alertmanager", "at": "2026-11-23T10:00:00Z", "of": "receiver `paymets`"}],
            "reasons": [{"sentence": "paged twice", "clears": "it ages out on Monday"}],
            "page_history": [{"at": "2026-11-23T10:00:00Z", "source": "alertmanager", "title": "a\u{1b}[31m red"}],
            "incident_history": [],
        });
        let text = format!("{}{}", summary(&status), history(&status));
        for line in [
            "payments: spent\n",
            "  2 of 2 pages within a week\n",
            "  0 of 1 off-hours incidents within half a year\n",
            "  a further page breaks the objective, lets no run start, and ends the runs that the on-call guards\n",
            "  alertmanager was never heard from, so no run starts\n",
            ": receiver `paymets`\n",
            "  a page of alertmanager was of no on-call on ",
            "  no run starts: paged twice; it ages out on Monday\n",
            "alertmanager  a [31m red\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!text.contains('\u{1b}'));
    }
}
