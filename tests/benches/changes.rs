//! How many changes a second a server takes that keeps each of them, from how many clients at once, and how many of them
//! share a wait for the disk.
//!
//! The load is that of `tests/src/load.rs`, which also looks that no change is lost and none is seen by half. The first
//! argument that is a number is how many seconds each load lasts.

use std::time::Duration;

use anyhow::Result;
use daybreak_tests::load;

const SECONDS: u64 = 60;
const CLIENTS: [usize; 3] = [1, 20, 192];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(SECONDS);
    println!(
        "| clients | changes in {seconds} s | per second | fsyncs per change | p50 | p90 | p99 | max | reads meanwhile |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for clients in CLIENTS {
        let load = load::changes(clients, Duration::from_secs(seconds)).await?;
        #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
        let (changes, syncs) = (load.changes as f64, load.syncs as f64);
        println!(
            "| {} | {} | {:.0} | {:.2} | {} | {} |",
            load.clients,
            load.changes,
            changes / load.took.as_secs_f64(),
            syncs / changes,
            load.latencies.cells(),
            load.reads,
        );
    }
    Ok(())
}
