//! From a toggle by curl to the new value in the SDK, alone and among 1,000 connected clients.
//!
//! A toggle is one real curl. The SDK's client lives in this process, the server and the other clients in
//! processes of their own. Each delivery is counted twice: from the 2xx that curl printed, where a change that came
//! before it counts as 0; and from the moment at which curl was started, which holds the time that a process needs to
//! start, connect and end.

use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use daybreak_sdk::{Client, Context};
use daybreak_tests::measure::Listeners;
use daybreak_tests::{Commanded, Figures, Server, percent_before};

const DOCUMENT: &str = "flags: { toggled: { default: on } }";
/// What the other clients wait for: they only read.
const NOTHING: &str = "nothing of the kind";
const TOGGLES: usize = 300;
const CLIENTS: [usize; 2] = [1, 1_000];

fn main() -> Result<()> {
    println!("| clients | {TOGGLES} toggles, counted from | p50 | p90 | p99 | max | before the 2xx |");
    println!("|---|---|---|---|---|---|---|");
    for clients in CLIENTS {
        let server = Server::with(DOCUMENT, &[])?;
        let others = Command::new(env!("CARGO_BIN_EXE_listeners"));
        let _others = Listeners::open(others, server.address(), clients - 1, NOTHING)?;
        let arrivals = toggles(&server)?;
        let since = |from: fn(&Commanded) -> Instant| {
            arrivals.iter().map(move |(toggle, arrived)| arrived.saturating_duration_since(from(toggle)))
        };
        let (answered, asked): (Figures, Figures) =
            (since(|toggle| toggle.answered).collect(), since(|toggle| toggle.asked).collect());
        println!("| {clients} | curl's 2xx | {} | {} |", answered.cells(), percent_before(&arrivals));
        println!("| {clients} | curl's start | {} | |", asked.cells());
    }
    Ok(())
}

/// Each toggle, and when it arrived.
fn toggles(server: &Server) -> Result<Vec<(Commanded, Instant)>> {
    let client = Client::builder(&server.url("")).service("benchmark").build()?;
    let flag = client.flag::<bool>("toggled");
    let context = Context::default();
    let (changed, changes) = mpsc::channel();
    client.on_change(move |_| {
        // The receiver is gone only when the benchmark is over.
        let _ = changed.send(Instant::now());
    });
    let began = Instant::now();
    while !flag.get(&context, false) {
        ensure!(began.elapsed() < Duration::from_secs(10), "the client did not get its flags");
        std::thread::yield_now();
    }
    // Who asks sees a version a moment before those who listen are told of it: the first one is told of within this time.
    while changes.recv_timeout(Duration::from_millis(500)).is_ok() {}

    let mut arrivals = Vec::with_capacity(TOGGLES);
    for number in 0..TOGGLES {
        let (action, expected) = if number % 2 == 0 { ("disable", false) } else { ("enable", true) };
        let toggle = Commanded::post(&server.url(&format!("/api/v1/flags/toggled/{action}")))?;
        let arrived = changes.recv_timeout(Duration::from_secs(10)).context("a change did not arrive")?;
        ensure!(flag.get(&context, !expected) == expected, "the SDK tells of a change, but has the old value");
        arrivals.push((toggle, arrived));
    }
    Ok(arrivals)
}
