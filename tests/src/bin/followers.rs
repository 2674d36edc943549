//! Clients of a server, in a process of their own: each follows the stream and reports, as an SDK does.
//!
//! `followers ADDRESS COUNT FIRST` has COUNT clients, numbered from FIRST, and prints
//!
//! * `open COUNT` once each has its snapshot, and has reported;
//! * `have REVISION MICROS` once the last of them has a revision, and when that was on CLOCK_BOOTTIME;
//! * `reports COUNT` now and then, how many were answered in all;
//! * `error WHAT` when anything goes wrong.
//!
//! It ends with its standard input.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use daybreak_tests::{BootTime, Fleet, Raw};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};

/// Streams that are opened at once: the listen queue of a server is finite.
const OPENING_MAX: usize = 64;
/// Connections over which reports are sent.
const REPORTERS: usize = 8;
/// How often each client reports.
const INTERVAL: Duration = Duration::from_secs(10);

/// What all clients have.
#[derive(Debug, Default)]
struct Tally {
    /// Each client's position; empty until it has one.
    positions: Vec<RefCell<String>>,
    revisions: Vec<Cell<u64>>,
    /// How many clients have reached a revision that not all have.
    reached: RefCell<BTreeMap<u64, usize>>,
    reports: Cell<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().context("the server's address comes first")?.parse()?;
    let count: usize = arguments.next().context("the number of clients comes second")?.parse()?;
    let first: usize = arguments.next().context("the first client's number comes third")?.parse()?;
    let tally = Tally {
        positions: (0..count).map(|_| RefCell::default()).collect(),
        revisions: (0..count).map(|_| Cell::default()).collect(),
        ..Tally::default()
    };
    LocalSet::new().run_until(follow(address, first, Rc::new(tally))).await
}

async fn follow(address: SocketAddr, first: usize, tally: Rc<Tally>) -> Result<()> {
    let count = tally.positions.len();
    let opening = Rc::new(Semaphore::new(OPENING_MAX));
    let (opened, mut all) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..count {
        let permit = Rc::clone(&opening);
        let (tally, opened) = (Rc::clone(&tally), opened.clone());
        spawn_local(async move {
            let Ok(permit) = permit.acquire().await else { return };
            let open = || {
                drop(permit);
                // The other end is gone only when this process ends.
                let _ = opened.send(());
            };
            if let Err(error) = stream(address, number, &tally, open).await {
                println!("error the stream of client {number}: {error:#}");
            }
        });
    }
    drop(opened);
    for number in 0..count {
        ensure!(all.recv().await.is_some(), "{number} of {count} streams were opened");
    }
    // Each tells once that it is there; then they take their time.
    let reporters: Vec<_> = (0..REPORTERS)
        .map(|reporter| spawn_local(report(address, first, reporter, Rc::clone(&tally), Duration::ZERO)))
        .collect();
    for reporter in reporters {
        reporter.await??;
    }
    println!("open {count}");
    for reporter in 0..REPORTERS {
        let tally = Rc::clone(&tally);
        spawn_local(async move {
            loop {
                if let Err(error) = report(address, first, reporter, Rc::clone(&tally), INTERVAL).await {
                    println!("error a report: {error:#}");
                    tokio::time::sleep(INTERVAL).await;
                }
            }
        });
    }
    let mut end = Vec::new();
    tokio::io::stdin().read_to_end(&mut end).await?;
    Ok(())
}

/// Follows one stream for ever.
async fn stream(address: SocketAddr, number: usize, tally: &Tally, open: impl FnOnce()) -> Result<()> {
    let mut raw = Raw::connect(address).await?;
    raw.send(&Raw::request("GET", "/api/v1/stream", "")).await?;
    let (mut line, mut open) = (Vec::new(), Some(open));
    while let Some(bytes) = raw.next().await? {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            // Of long lines no more is kept than what tells them from others.
            let room = 64_usize.saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                if let Some(position) = line.strip_prefix(b"id: ") {
                    tally.took(number, String::from_utf8_lossy(position).trim())?;
                    open.take().into_iter().for_each(|open| open());
                }
                line.clear();
            }
        }
    }
    anyhow::bail!("it ended at {}", tally.positions[number].borrow())
}

/// Reports once for each client whose turn it is with this reporter, in so much time.
async fn report(address: SocketAddr, first: usize, reporter: usize, tally: Rc<Tally>, within: Duration) -> Result<()> {
    let mut raw = Raw::connect(address).await?;
    let mine: Vec<_> = (reporter..tally.positions.len()).step_by(REPORTERS).collect();
    let began = tokio::time::Instant::now();
    for (turn, number) in (1_u32..).zip(&mine) {
        let position = tally.positions[*number].borrow().clone();
        let sequence = u64::try_from(BootTime::now().micros())?;
        let report = json!({
            "client": Fleet::id(first + number), "sequence": sequence, "service": "soak", "state": "streaming",
            "sdk": { "name": "followers", "version": "0" }, "position": position, "position_age": 1,
            "operations": { "GET /": { "requests": sequence } },
            "evaluations": { "toggled": { "variants": { "on": sequence } } },
        });
        let answer = raw.ask(&Raw::request("POST", "/api/v1/reports", &report.to_string())).await?;
        ensure!(answer.status == 200, "{answer:?}");
        tally.reports.set(tally.reports.get() + 1);
        tokio::time::sleep_until(began + within * turn / u32::try_from(mine.len())?).await;
    }
    println!("reports {}", tally.reports.get());
    Ok(())
}

impl Tally {
    /// A client has a position.
    fn took(&self, number: usize, position: &str) -> Result<()> {
        let revision = position.split_once(':').context("a position has a revision")?.1.parse()?;
        position.clone_into(&mut self.positions[number].borrow_mut());
        let before = self.revisions[number].replace(revision);
        ensure!(revision > before, "revision {revision} came after {before}");
        let mut reached = self.reached.borrow_mut();
        // The snapshot is one step, whatever was before.
        let from = if before == 0 { revision } else { before + 1 };
        for one in from..=revision {
            let have = reached.entry(one).or_default();
            *have += 1;
            if *have == self.positions.len() {
                reached.remove(&one);
                println!("have {one} {}", BootTime::now().micros());
            }
        }
        Ok(())
    }
}
