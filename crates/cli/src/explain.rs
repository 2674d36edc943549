//! `daybreak explain`: what would happen, without it happening.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use daybreak_model::Key;
use daybreak_server::readable::{effect, percent, short};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::out;
use crate::remote::{Remote, Target, block_on};
use crate::run::{Start, Status, refused};
use crate::style::{moment, printable};

/// What to explain.
#[derive(Clone, Debug, Args)]
pub(crate) struct Explain {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Tell whether a fault could start now: every reason against it, and what the run would be.
    #[command(after_help = "Exit status: 0 it would start; 3 it would be refused, or nobody could be asked.")]
    Start {
        #[command(flatten)]
        start: Start,
        /// Print what the server answers, as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) fn run(options: &Explain) -> ExitCode {
    let What::Start { start, json, target } = &options.what;
    let status = block_on(async {
        let remote = Remote::new(target)?;
        let path = format!("/api/v1/faults/{}/start?dry_run=true", start.key);
        let request = remote.request(Method::POST, &path).header(CONTENT_TYPE, "application/json");
        let answer = remote.ask(request.body(start.body(None).to_string())).await?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let refused = refused::describe(&answer, &start.key).filter(|_| status == StatusCode::CONFLICT);
        let told = match &refused {
            Some(reasons) => format!("`{}` would be refused:\n{reasons}", start.key),
            None if status.is_success() => admitted(&answer, &start.key),
            None => return Err(remote.refused(status, &text)),
        };
        out::print(if *json { &text } else { &told })?;
        Ok(if refused.is_some() { Status::Failed.into() } else { ExitCode::SUCCESS })
    });
    status.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Status::Failed.into()
    })
}

/// What the run would be.
fn admitted(answer: &Value, fault: &Key) -> String {
    let run = &answer["run"];
    let of = |name: &str| printable(run[name].as_str().unwrap_or("?"));
    let shadow = if run["shadow"].as_bool() == Some(true) { ", as a shadow run" } else { "" };
    let mut text = format!("`{}` would start at {}{shadow}:\n", of("fault"), of("point"));
    let mut add = |name: &str, what: &str| text += &format!("  {name:<8} {what}\n");
    for stage in run["ramp"].as_array().into_iter().flatten() {
        let of = |name: &str| stage[name].as_str().unwrap_or("?");
        add("ramp", &format!("{} until {}", printable(of("percentage")), moment(of("until"))));
    }
    add("treats", &format!("{} of the eligible requests", of("percentage")));
    let struck = effect(&run["effect"]);
    match shadow.is_empty() {
        true => add("strikes", &printable(&struck)),
        false => add("strikes", &format!("nothing, as a shadow; else {}", printable(&struck))),
    }
    let closed = |code: &&str| ["outside_hours", "does_not_fit"].contains(code);
    let waives_hours = codes(&run["waived"]).any(|code| closed(&code));
    let hours = if waives_hours { "whatever the hours" } else { "within the hours" };
    add(
        "ends",
        &format!(
            "at {} at the latest, {hours} `{}`{}",
            moment(&of("ends_at")),
            of("hours"),
            if waives_hours { " say" } else { "" }
        ),
    );
    match run["slo"].as_str() {
        Some(slo) => {
            let paged = run["on_call"].as_str().map(|on_call| format!("; a page of `{}` ends it", printable(on_call)));
            let tolerated = of("tolerated");
            let slo = printable(slo);
            add("guard", &format!("`{slo}`; {tolerated} of harm is tolerated{}", paged.unwrap_or_default()));
        }
        None => add("guard", "none: nothing but its limits ends it early"),
    }
    let reserved = &answer["reserved"];
    if let (Some(share), Some(bad)) = (reserved["share"].as_str(), reserved["bad"].as_f64()) {
        add("budget", &format!("{} of the window's are set aside: {} bad requests", printable(share), short(bad)));
    }
    for place in answer["blast_radius"].as_array().into_iter().flatten() {
        let word = |name: &str| printable(place[name].as_str().unwrap_or("?"));
        let share = |name: &str| percent(place[name].as_f64().unwrap_or_default());
        let measured = if place["measured"].as_bool() == Some(true) { "" } else { ", if all of them pass the point" };
        let (asked, used) = (share("asked"), share("used"));
        add(
            "touches",
            &format!("{asked} of `{}` at `{}`{measured}; others {used}", word("operation"), word("service")),
        );
    }
    text + &refused::waived(&answer["waived"], fault) + &refused::warnings(&answer["warnings"])
}

fn codes(waived: &Value) -> impl Iterator<Item = &str> {
    waived.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_run() {
        let answer = json!({
            "run": {
                "fault": "slow", "point": "payment.gateway", "percentage": "2%", "effect": { "latency": "300ms" },
                "ends_at": "2026-11-23T10:10:00.123Z", "hours": "office", "slo": "checkout", "tolerated": "1%",
                "on_call": "payments", "waived": ["outside_hours"],
                "ramp": [{ "percentage": "1%", "until": "2026-11-23T10:05:00Z" }], "shadow": false,
            },
            "reserved": { "slo": "checkout", "share": "2%", "bad": 20.04 },
            "blast_radius": [
                { "service": "shop", "operation": "POST /checkout", "asked": 0.02, "used": 0.0, "measured": false },
            ],
            "waived": [{ "code": "outside_hours", "sentence": "`office` is closed", "clears": "wait", "waivable": true }],
            "warnings": [{ "code": "cannot_conclude", "sentence": "too little traffic" }],
        });
        let expected = r#"`slow` would start at payment.gateway:
  ramp     1% until 2026-11-23 10:05:00 UTC
  treats   2% of the eligible requests
  strikes  300ms of latency
  ends     at 2026-11-23 10:10:00 UTC at the latest, whatever the hours `office` say
  guard    `checkout`; 1% of harm is tolerated; a page of `payments` ends it
  budget   2% of the window's are set aside: 20 bad requests
  touches  2% of `POST /checkout` at `shop`, if all of them pass the point; others 0%
outside_hours (waived): `office` is closed
    to clear it: wait
warning: cannot_conclude: too little traffic
"#;
        let key = Key::new("slow").unwrap();
        assert_eq!(admitted(&answer, &key), expected);
        let mut shadow = answer;
        shadow["run"]["shadow"] = true.into();
        shadow["run"]["waived"] = json!(["budget_low"]);
        let text = admitted(&shadow, &key);
        for line in
            ["  strikes  nothing, as a shadow; else 300ms of latency\n", " at the latest, within the hours `office`\n"]
        {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
