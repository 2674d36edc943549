//! How soon all clients of a server that is killed have the next one's snapshot, and what that holds in memory meanwhile.
//!
//! The clients come back as the SDK does, each after a pause of its own, which doubles. The server has one core, they have the
//! other. It begins where the next server listens: nobody can be served sooner. How long each side's core worked from then on tells
//! which of them the others wait for.

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
        "| clients | first, median | last, median | eight of ten rounds | the server worked | they worked | snapshots | \
         before, at most | with all back | at most |\n|{}",
        "---|".repeat(10)
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
    let mut work = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        server.restart()?;
        let (ready, worked) = (BootTime::now(), [server.worked()?, herd.worked()?]);
        let back = herd.back()?;
        for (work, (after, before)) in work.iter_mut().zip([server.worked()?, herd.worked()?].into_iter().zip(worked)) {
            work.push((after - before).as_secs_f64());
        }
        first.push(back.first.millis_since(ready));
        last.push(back.last.millis_since(ready));
        let memory = server.memory()?;
        (held, most) = (memory.resident.max(held), memory.most.max(most));
        // They are no use if they hear nothing.
        let action = if round % 2 == 0 { "disable" } else { "enable" };
        posted(&server.url(&format!("/api/v1/flags/toggled/{action}")), "")?;
        herd.reached()?;
    }
    let median = |of: Vec<f64>| Spread::of(of).map(|spread| spread.median).context("there were rounds");
    let last = Spread::of(last).context("there were rounds")?;
    let [server_work, their_work] = work.map(median);
    println!(
        "| {} | {:.0} ms | {} | {:.1} s | {:.1} s | {} | {} | {} | {} |",
        thousands(clients.into()),
        median(first)?,
        last.cells(|length| format!("{length:.0}"), " ms"),
        server_work?,
        their_work?,
        Memory::megabytes(snapshot.len() as u64 * u64::from(clients)),
        Memory::megabytes(before),
        Memory::megabytes(held),
        Memory::megabytes(most),
    );
    Ok(())
}
