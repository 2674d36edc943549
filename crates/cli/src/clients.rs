//! `daybreak clients`: who has which revision, and how fast changes come to them.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use daybreak_model::shown_name;
use jiff::Timestamp;
use serde_json::Value;

use crate::check::counted;
use crate::out;
use crate::remote::{Remote, Target, block_on};
use crate::table::table;

/// Digits of a client's identifier that are printed: enough to tell clients apart.
const DIGITS: usize = 12;

/// How to print them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Clients {
    /// Print what the server answers, as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(options: &Clients) -> anyhow::Result<ExitCode> {
    let text = block_on(async {
        let remote = Remote::new(&options.target)?;
        let answer = remote.get("/api/v1/clients?summary").await?;
        if options.json {
            return Ok(answer);
        }
        let clients: Value = serde_json::from_str(&answer).context("the server answers with no JSON")?;
        let delivery = serde_json::from_str(&remote.get("/api/v1/delivery").await?)?;
        Ok(describe(&clients, &delivery, Timestamp::now()))
    })?;
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A line for each client, and one for all.
fn describe(clients: &Value, delivery: &Value, now: Timestamp) -> String {
    let clients: Vec<&Value> = clients["clients"].as_array().into_iter().flatten().collect();
    if clients.is_empty() {
        return "no client has reported for ten minutes\n".to_owned();
    }
    let mut rows = vec![["SERVICE", "CLIENT", "STATE", "REVISION", "BEHIND", "SDK", "LAST HEARD"].map(str::to_owned)];
    rows.extend(clients.iter().map(|client| row(client, now)));
    let mut text = table(&rows);
    let standings = delivery["clients"].as_object().into_iter().flatten();
    let standings: Vec<_> = standings.map(|(standing, count)| format!("{count} {standing}")).collect();
    text += &format!("{}: {}\n", counted(clients.len(), "client"), standings.join(", "));
    for (way, name) in [("by the stream", "streaming"), ("by polling", "polling")] {
        let times = &delivery[name];
        if let (Some(p50), Some(p99)) = (times["p50"].as_u64(), times["p99"].as_u64()) {
            let (max, count) = (&times["max"], &times["count"]);
            text += &format!("changes take up to {p50} ms {way} (99%: {p99} ms; longest {max} ms; of {count})\n");
        }
    }
    text
}

fn row(client: &Value, now: Timestamp) -> [String; 7] {
    let word = |value: &Value| shown_name(value.as_str().unwrap_or("?")).into_owned();
    let revision = client["position"].as_str().and_then(|position| position.split_once(':'));
    let revision = revision.map_or_else(|| "-".to_owned(), |(_, revision)| revision.to_owned());
    let heard = client["last_heard"].as_str().and_then(|heard| heard.parse::<Timestamp>().ok());
    let ago =
        heard.map_or_else(|| "?".to_owned(), |heard| format!("{} s ago", now.duration_since(heard).as_secs().max(0)));
    [
        word(&client["service"]),
        word(&client["client"]).chars().take(DIGITS).collect(),
        word(&client["standing"]),
        revision,
        client["behind"].as_u64().map_or_else(|| "-".to_owned(), |behind| behind.to_string()),
        format!("{} {}", word(&client["sdk"]["name"]), word(&client["sdk"]["version"])),
        ago,
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_people_read() {
        let client = |service: &str, standing: &str, position: Value, behind: Value| {
            json!({
                "client": "0123456789abcdef0123456789abcdef", "service": service, "standing": standing,
                "position": position, "behind": behind, "sdk": {"name": "daybreak-sdk", "version": "0.1.0"},
                "last_heard": "2026-11-23T10:00:00Z",
            })
        };
        let clients = json!({"clients": [
            client("shop", "connected", json!("00000000000000aa:42"), json!(0)),
            client("a\u{1b}[31m", "starting", Value::Null, Value::Null),
        ]});
        let delivery = json!({
            "clients": {"connected": 1, "starting": 1},
            "streaming": {"p50": 5, "p99": 50, "max": 41, "count": 7},
            "polling": {"p50": null, "p99": null, "max": 0, "count": 0},
        });
        let text = describe(&clients, &delivery, "2026-11-23T10:00:03Z".parse().unwrap());
        let expected = "\
SERVICE  CLIENT        STATE      REVISION  BEHIND  SDK                 LAST HEARD
shop     0123456789ab  connected  42        0       daybreak-sdk 0.1.0  3 s ago
a\u{fffd}[31m   0123456789ab  starting   -         -       daybreak-sdk 0.1.0  3 s ago
2 clients: 1 connected, 1 starting
changes take up to 5 ms by the stream (99%: 50 ms; longest 41 ms; of 7)
";
        assert_eq!(text, expected);
        assert_eq!(describe(&json!({"clients": []}), &delivery, Timestamp::UNIX_EPOCH).lines().count(), 1);
    }
}
