//! `daybreak stop` and `daybreak halt`: what takes risk away.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use daybreak_model::{Millis, RunId};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::check::counted;
use crate::out;
use crate::remote::{Remote, Target, block_on};
use crate::served::{lacking, reached};
use crate::style::printable;

/// What to stop.
#[derive(Clone, Debug, Args)]
pub(crate) struct Stop {
    /// A fault, whose runs are all stopped; or the id of one run.
    #[arg(value_name = "KEY|ID")]
    what: String,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait until every live client has heard of it, for so long at most, 30s: and print who has not.
    #[arg(long, value_name = "DURATION")]
    wait: Option<Millis>,
    #[command(flatten)]
    target: Target,
}

/// How to halt.
#[derive(Clone, Debug, Args)]
pub(crate) struct Halt {
    /// Let runs start again. What the halt ended stays ended.
    #[arg(long)]
    lift: bool,
    /// Why, for the audit log; and for everybody who asks why nothing starts.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait until every live client has confirmed, for so long at most, 30s: and print who has not.
    #[arg(long, value_name = "DURATION")]
    wait: Option<Millis>,
    #[command(flatten)]
    target: Target,
}

/// Stops the runs of a fault, or one run.
pub(crate) fn stop(options: &Stop) -> anyhow::Result<ExitCode> {
    let answer = block_on(async {
        let remote = Remote::new(&options.target)?;
        let (what, said) = (&options.what, Said { reason: options.reason.as_deref(), wait: options.wait });
        // What looks like a run's id may be the key of a fault all the same.
        let may_be_run = what.parse::<RunId>().is_ok();
        if may_be_run {
            let answer = ask(&remote, Method::POST, &format!("/api/v1/runs/{what}/stop"), said).await?;
            if answer.status() != StatusCode::NOT_FOUND {
                return told(&remote, answer).await;
            }
        }
        let answer = ask(&remote, Method::POST, &format!("/api/v1/faults/{what}/stop"), said).await?;
        if may_be_run && answer.status() == StatusCode::NOT_FOUND {
            bail!("there is neither a run nor a fault `{what}`; `GET /api/v1/runs` lists the runs");
        }
        told(&remote, answer).await
    })?;
    out::print(&(stopped(&options.what, &answer) + &reached(&answer["reached"])))?;
    Ok(ExitCode::SUCCESS)
}

/// Halts everything, or lifts the halt.
pub(crate) fn halt(options: &Halt) -> anyhow::Result<ExitCode> {
    let method = if options.lift { Method::DELETE } else { Method::PUT };
    let answer = block_on(async {
        let remote = Remote::new(&options.target)?;
        let said = Said { reason: options.reason.as_deref(), wait: options.wait };
        told(&remote, ask(&remote, method, "/api/v1/halt", said).await?).await
    })?;
    let text = if options.lift {
        lifted(&answer) + &reached(&answer["reached"])
    } else {
        halted(&answer, options.wait.is_some())
    };
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What is said with it.
#[derive(Clone, Copy, Debug)]
struct Said<'s> {
    reason: Option<&'s str>,
    wait: Option<Millis>,
}

async fn ask(remote: &Remote<'_>, method: Method, path: &str, said: Said<'_>) -> anyhow::Result<Response> {
    let wait = said.wait.map(|wait| ("wait", wait.to_string()));
    let request = remote.request(method, path).query(wait.as_slice());
    remote
        .ask(request.body(said.reason.map(|reason| json!({ "reason": reason }).to_string()).unwrap_or_default()))
        .await
}

async fn told(remote: &Remote<'_>, answer: Response) -> anyhow::Result<Value> {
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    if status.is_success() { Ok(serde_json::from_str(&text)?) } else { Err(remote.refused(status, &text)) }
}

fn stopped(what: &str, answer: &Value) -> String {
    let ended = ended(answer);
    match answer["changed"].as_bool() {
        _ if !ended.is_empty() => format!("stopped: {ended}\n"),
        Some(true) => format!("`{what}` was about to start, and does not\n"),
        _ => format!("`{what}` has no active run; nothing is changed\n"),
    }
}

fn halted(answer: &Value, waited: bool) -> String {
    let ended = ended(answer);
    let ended = if ended.is_empty() { "no run was active".to_owned() } else { format!("ended: {ended}") };
    let number = |name: &str| answer[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
    let (confirmed, clients) = (number("confirmed"), number("clients"));
    let others = if confirmed < clients { "; the others stop with their lease" } else { "" };
    let lacking = match waited {
        true => lacking(&answer["unconfirmed"], clients.saturating_sub(confirmed) as u64),
        false => String::new(),
    };
    format!(
        "everything is halted; {ended}\n{confirmed} of {} confirmed{others}\n{lacking}\
         nothing starts until `daybreak halt --lift`\n",
        counted(clients, "client")
    )
}

fn lifted(answer: &Value) -> String {
    let said = match (answer["changed"].as_bool(), answer["halted"].as_bool()) {
        (_, Some(true)) => "somebody has halted everything anew\n",
        (Some(false), _) => "nothing was halted; nothing is changed\n",
        _ => "the halt is lifted; runs may start, and those that it ended stay ended\n",
    };
    said.to_owned()
}

/// The runs that it ended.
fn ended(answer: &Value) -> String {
    let runs = answer["ended"].as_array().into_iter().flatten().filter_map(Value::as_str);
    runs.map(|run| format!("run {}", printable(run))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What is said of a thing that a server has not.
    fn missing(what: &str) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    connection.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                let body = r#"{"detail":"there is no fault"}"#;
                let length = body.len();
                let head = format!("HTTP/1.1 404 No\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                connection.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        });
        let target = Target { url, token: None, client_cert: None };
        stop(&Stop { what: what.to_owned(), reason: None, wait: None, target }).unwrap_err().to_string()
    }

    #[test]
    fn what_there_is_not() {
        let cases = [
            ("00000000000000aa", "there is neither a run nor a fault `00000000000000aa`; "),
            ("gateway-slow", "404 Not Found: there is no fault"),
        ];
        for (what, expected) in cases {
            let said = missing(what);
            assert!(said.starts_with(expected), "{said}");
        }
    }

    #[test]
    fn what_it_did() {
        let cases = [
            (stopped("slow", &json!({ "changed": true, "ended": ["1", "2"] })), "stopped: run 1, run 2\n"),
            (stopped("slow", &json!({ "changed": true, "ended": [] })), "`slow` was about to start, and does not\n"),
            (stopped("slow", &json!({ "changed": false })), "`slow` has no active run; nothing is changed\n"),
            (lifted(&json!({ "changed": false, "halted": false })), "nothing was halted; nothing is changed\n"),
            (lifted(&json!({ "changed": true, "halted": true })), "somebody has halted everything anew\n"),
        ];
        for (said, expected) in cases {
            assert_eq!(said, expected);
        }
        let shop = json!({ "service": "shop", "client": "00c0ffee", "state": "polling" });
        let answer = json!({ "ended": ["1"], "confirmed": 1, "clients": 3, "unconfirmed": [shop] });
        let said = "everything is halted; ended: run 1\n1 of 3 clients confirmed; the others stop with their lease\n";
        let named = "  shop 00c0ffee (polling) has not\n  and 1 more: daybreak clients\n";
        let last = "nothing starts until `daybreak halt --lift`\n";
        assert_eq!(halted(&answer, false), format!("{said}{last}"));
        assert_eq!(halted(&answer, true), format!("{said}{named}{last}"));
    }
}
