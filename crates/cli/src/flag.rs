//! `daybreak flag`: the life of a flag.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use daybreak_model::shown_name;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::out;
use crate::remote::{Remote, Target, block_on};

/// Which flag.
#[derive(Clone, Debug, Args)]
pub(crate) struct Flag {
    /// The flag.
    key: String,
    /// Print what the server answers, as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(options: &Flag) -> anyhow::Result<ExitCode> {
    let text = block_on(async {
        let remote = Remote::new(&options.target)?;
        let answer = remote.get(&format!("/api/v1/flags/{}/life", options.key)).await?;
        if options.json {
            return Ok(answer);
        }
        let life = serde_json::from_str(&answer).context("the server answers with no JSON")?;
        Ok(describe(&life, &TimeZone::system()))
    })?;
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn describe(life: &Value, zone: &TimeZone) -> String {
    let at = |name: &str| {
        let at: Option<Timestamp> = life[name].as_str().and_then(|at| at.parse().ok());
        at.map(|at| at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string())
    };
    let word = |value: &Value| shown_name(value.as_str().unwrap_or("?")).into_owned();
    let owner = life["owner"].as_str().map_or_else(String::new, |owner| format!(" ({})", shown_name(owner)));
    let mut text = format!("{}{owner}\n", word(&life["flag"]));
    let lines = [
        ("created", at("created_at").unwrap_or_else(|| "before the log reaches back".to_owned())),
        ("first seen", at("first_evaluated_at").unwrap_or_else(|| "never evaluated".to_owned())),
        ("last seen", at("last_evaluated_at").unwrap_or_else(|| "never evaluated".to_owned())),
        ("expires", life["expires"].as_str().unwrap_or("never").to_owned()),
    ];
    lines.iter().for_each(|(name, value)| text += &format!("  {name:11} {value}\n"));
    for (name, variant) in life["variants"].as_object().into_iter().flatten() {
        let percent = variant["share"].as_f64().unwrap_or_default() * 100.0;
        text += &format!("  served      {name}: {percent:.1}% ({} times within 30 days)\n", variant["count"]);
    }
    if life["errors"].as_u64().is_some_and(|errors| errors > 0) {
        text += &format!("  errors      {} within 30 days: the caller's default was served\n", life["errors"]);
    }
    for user in life["used_by"].as_array().into_iter().flatten() {
        text += &format!("  used by     {}, as a prerequisite\n", word(user));
    }
    for reason in life["stale"].as_array().into_iter().flatten() {
        text += &format!("  can go      {}\n", reason["sentence"].as_str().unwrap_or("?"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_people_read() {
        let life = json!({
            "flag": "layout", "owner": "shop", "created_at": "2026-11-01T10:00:00Z",
            "first_evaluated_at": "2026-11-02T10:00:00Z", "last_evaluated_at": null, "expires": "2027-01-01",
            "errors": 2, "used_by": ["checkout"],
            "variants": {"grid": {"count": 3, "share": 0.3}, "list": {"count": 7, "share": 0.7}},
            "stale": [{"sentence": "it expired on 2026-11-20"}],
        });
        let expected = "\
layout (shop)
  created     Sun 2026-11-01 10:00
  first seen  Mon 2026-11-02 10:00
  last seen   never evaluated
  expires     2027-01-01
  served      grid: 30.0% (3 times within 30 days)
  served      list: 70.0% (7 times within 30 days)
  errors      2 within 30 days: the caller's default was served
  used by     checkout, as a prerequisite
  can go      it expired on 2026-11-20
";
        assert_eq!(describe(&life, &TimeZone::UTC), expected);
    }
}
