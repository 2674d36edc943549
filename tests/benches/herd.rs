//! How soon all clients of a server that is killed have the next one's snapshot, and what that holds in memory meanwhile.
//!
//! The clients come back as the SDK does, each after a pause of its own, which doubles. The server has one core, they have the
//! other. It begins where the next server listens: nobody can be served sooner.

use std::path::Path;

use anyhow::{Context, Result, bail};
use daybreak_tests::BootTime;
use daybreak_tests::measure::{self, ASKING_CORE, Listeners, Memory, Pinned, Spread, on_core, posted, thousands};

const CLIENTS: [u32; 3] = [100, 1_000, 10_000];
/// Flags of five rules each.
const FLAGS: usize = 99;
const ROUNDS: usize = 7;
/// What each change has in its frame.
const MARK: &str = "toggled";

fn main() -> Result<()> {
    println!(
        "| clients | first, median | last, median | eight of ten rounds | snapshots | before, at most | with all back | at most |\n|{}",
        "---|".repeat(8)
    );
    for clients in CLIENTS {
        measured(clients)?;
    }
    Ok(())
}

fn measured(clients: u32) -> Result<()> {
    let mut server = Pinned::start(&measure::flags(FLAGS))?;
    let frames = measure::captured(server.address(), 1, || Ok(()))?;
    let [snapshot] = &frames[..] else { bail!("one frame was asked for") };
    let program = on_core(ASKING_CORE, Path::new(env!("CARGO_BIN_EXE_listeners")));
    let mut herd = Listeners::open(program, server.address(), clients as usize, MARK)?;
    let before = server.memory()?.most;
    let (mut first, mut last, mut held, mut most) = (Vec::new(), Vec::new(), 0, 0);
    for round in 0..ROUNDS {
        server.restart()?;
        let ready = BootTime::now();
        let back = herd.back()?;
        first.push(back.first.millis_since(ready));
        last.push(back.last.millis_since(ready));
        let memory = server.memory()?;
        (held, most) = (memory.resident.max(held), memory.most.max(most));
        // They are no use if they hear nothing.
        let action = if round % 2 == 0 { "disable" } else { "enable" };
        posted(&server.url(&format!("/api/v1/flags/toggled/{action}")), "")?;
        herd.reached()?;
    }
    let [first, last] = [first, last].map(Spread::of);
    let (first, last) = first.zip(last).context("there were rounds")?;
    println!(
        "| {} | {:.0} ms | {} | {} | {} | {} | {} |",
        thousands(clients.into()),
        first.median,
        last.cells(|length| format!("{length:.0}"), " ms"),
        Memory::megabytes(snapshot.len() as u64 * u64::from(clients)),
        Memory::megabytes(before),
        Memory::megabytes(held),
        Memory::megabytes(most),
    );
    Ok(())
}
