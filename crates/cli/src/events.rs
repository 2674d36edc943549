//! `daybreak events`: who changed what, when, why; as it happens with `--follow`.

mod text;

use std::io::stdout;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use daybreak_model::Millis;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::ACCEPT;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::out;
use crate::remote::{Remote, Target, block_on};
use crate::style::{Format, is_colored};

/// How long a follower waits before it connects again.
const RECONNECT: Duration = Duration::from_secs(1);

/// What to read.
#[derive(Clone, Debug, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    target: Target,
    /// Go on with each event as it happens.
    #[arg(long, short)]
    follow: bool,
    /// Only of this subject, or of what is below it: `flags`, `flags/layout`.
    #[arg(long)]
    subject: Option<String>,
    /// Only of this kind, or below it: `run`, `run.started`.
    #[arg(long)]
    kind: Option<String>,
    /// Only of this actor: the name of a token, or `files`.
    #[arg(long)]
    actor: Option<String>,
    /// Only from this time on: `1h` ago, or a time in RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// How many of the latest to begin with, 1,000 at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// How to print them.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

pub(crate) fn run(options: &Events) -> anyhow::Result<ExitCode> {
    block_on(async {
        let remote = Remote::new(&options.target)?;
        let last = latest(options, &remote).await?;
        if options.follow {
            follow(options, &remote, last).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Prints the latest events, the oldest of them first; the number of the last.
async fn latest(options: &Events, remote: &Remote<'_>) -> anyhow::Result<u64> {
    let request = filtered(options, remote).query(&[("limit", options.limit)]);
    let page: Value = remote.send(request).await?.json().await.context("the answer is no page of events")?;
    let events = page["events"].as_array().context("the answer is no page of events")?;
    for event in events.iter().rev() {
        print(options.format, event)?;
    }
    if let Some(last) = events.first() {
        return Ok(last["id"].as_u64().unwrap_or_default());
    }
    // Nothing matches yet: what follows begins after whatever there is.
    let all: Value = remote.send(remote.request(Method::GET, "/api/v1/events?limit=1")).await?.json().await?;
    Ok(all["events"][0]["id"].as_u64().unwrap_or_default())
}

fn filtered(options: &Events, remote: &Remote<'_>) -> reqwest::RequestBuilder {
    let mut request = remote.request(Method::GET, "/api/v1/events");
    for (name, value) in [("subject", &options.subject), ("kind", &options.kind), ("actor", &options.actor)] {
        if let Some(value) = value {
            request = request.query(&[(name, value)]);
        }
    }
    match options.since {
        Some(since) => request.query(&[("since", since.to_string())]),
        None => request,
    }
}

/// Prints events as they happen, and connects again where the connection breaks. It ends only with an error.
async fn follow(options: &Events, remote: &Remote<'_>, mut last: u64) -> anyhow::Result<()> {
    loop {
        let request = filtered(options, remote).query(&[("follow", "true")]).header(ACCEPT, "text/event-stream");
        let mut answer = match remote.send(request.header("Last-Event-ID", last)).await {
            Ok(answer) => answer,
            // A server that restarts is waited for; one that refuses is not.
            Err(error) if error.chain().any(|cause| cause.is::<reqwest::Error>()) => {
                tokio::time::sleep(RECONNECT).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        read(options.format, &mut answer, &mut last).await?;
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Reads a stream of server-sent events until it breaks off.
async fn read(format: Format, answer: &mut Response, last: &mut u64) -> anyhow::Result<()> {
    let mut unread = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        unread.extend_from_slice(&piece);
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(data) = line.trim_end().strip_prefix("data: ") {
                let event: Value = serde_json::from_str(data).context("an event is no JSON")?;
                print(format, &event)?;
                *last = event["id"].as_u64().unwrap_or(*last);
            }
        }
    }
    Ok(())
}

fn print(format: Format, event: &Value) -> anyhow::Result<()> {
    let color = is_colored(&stdout());
    let read = match format {
        Format::Json => out::print(&format!("{event}\n"))?,
        Format::Text => out::print(&text::text(event, color))?,
    };
    // Whoever follows for nobody need not go on.
    if read { Ok(()) } else { std::process::exit(0) }
}

/// A moment: so long ago, or in RFC 3339.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let ago: Millis =
        text.parse().map_err(|error| format!("`{text}` is neither a time nor a length of time: {error}"))?;
    let ago = SignedDuration::try_from(ago.to_duration()).map_err(|error| error.to_string())?;
    Timestamp::now().checked_sub(ago).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        assert_eq!(since("2026-11-25T09:41:07Z").unwrap().to_string(), "2026-11-25T09:41:07Z");
        let hour = Timestamp::now().duration_since(since("1h").unwrap()).as_secs();
        assert!((3_599..3_660).contains(&hour), "{hour}");
        assert!(since("yesterday").unwrap_err().contains("neither a time nor"));
    }
}
