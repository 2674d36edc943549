//! What is acknowledged is kept: through crashes, full disks and a second server.

use std::process::Command;

use anyhow::{Result, ensure};
use daybreak_tests::{Answer, Process, Server, crash, curl};
use serde_json::json;

const FLAGS: &str = "flags: { feature: { default: on } }";

/// A few rounds; `cargo xtask crash` has more.
#[test]
fn invariant_8_what_was_acknowledged_outlives_a_crash() -> Result<()> {
    let counts = crash::run(5, 6, 8)?;
    println!("{counts}");
    ensure!(counts.rounds == 5 && counts.acknowledged > 0 && counts.runs > 0, "nothing was tried: {counts}");
    ensure!(counts.refused + counts.harmless == 6, "{counts}");
    Ok(())
}

#[test]
fn a_second_server_refuses_the_folder_of_the_first() -> Result<()> {
    let server = Server::with(FLAGS, &[])?;
    let second = server.another(&server.data())?.output()?;
    ensure!(!second.status.success(), "two servers have one folder");
    let said = String::from_utf8_lossy(&second.stderr);
    ensure!(said.contains("another server (process") && said.contains("stop that one first"), "{said}");
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    Ok(())
}

/// The largest file that a server may write here, in blocks of 512 bytes: its disk is full at 1 MiB.
const BLOCKS: u32 = 2_048;

/// A server on this server's folder of documents and these data, with no more space than that.
fn on_a_small_disk(server: &Server) -> Result<Process> {
    let plain = server.another(&server.data())?;
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$@\"");
    command.args(["-c", &script, "sh"]).arg(plain.get_program()).args(plain.get_args());
    Process::start("daybreak", &mut command)
}

/// Where a server listens.
fn url(process: &Process) -> Result<String> {
    process.wait_for(|line| Some(format!("http://{}", line.split_once("http://")?.1.split_whitespace().next()?)))
}

fn send(method: &str, url: &str, body: &str) -> Result<Answer> {
    curl(&["--request", method, url, "--data-binary", body])
}

fn keys(url: &str) -> Result<Vec<String>> {
    let flags = curl(&[format!("{url}/api/v1/flags")])?.expect_status(200)?.json()?;
    Ok(flags["flags"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect())
}

#[test]
fn invariant_8_a_full_disk_loses_nothing() -> Result<()> {
    let mut server = Server::with(FLAGS, &[])?;
    server.process().kill()?;
    let mut full = on_a_small_disk(&server)?;
    let address = url(&full)?;
    let mut acknowledged = vec!["feature".to_owned()];
    let refused = loop {
        let key = format!("flag-{:03}", acknowledged.len());
        let body = json!({ "default": "on", "description": "x".repeat(50_000) }).to_string();
        let answer = send("PUT", &format!("{address}/api/v1/flags/{key}"), &body)?;
        match answer.status {
            200 | 201 => acknowledged.push(key),
            _ => break answer,
        }
        ensure!(acknowledged.len() < 100, "the disk is never full");
    };
    ensure!(refused.status == 503 && refused.json()?["code"] == "store_failed", "{refused:#?}");
    ensure!(acknowledged.len() > 1, "the disk was full from the start");
    acknowledged.sort();
    // It goes on with what it has, and what takes risk away still works.
    ensure!(keys(&address)? == acknowledged, "it serves something else than it acknowledged");
    let halted = send("PUT", &format!("{address}/api/v1/halt"), "the disk is full")?.expect_status(200)?.json()?;
    ensure!(halted["durable"] == true, "the halt has its place: {halted}");
    full.kill()?;

    server.start_again()?;
    ensure!(keys(&server.url(""))? == acknowledged, "a restart with more space has something else");
    ensure!(server.get("/api/v1/halt")?.json()?["halted"] == true, "the halt is gone");
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    Ok(())
}
