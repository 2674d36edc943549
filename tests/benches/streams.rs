//! How long a change takes to the first and to the last of many streams, and what the server holds in memory meanwhile; beside
//! bare actix-web, which sends the same bytes to as many streams.
//!
//! Both servers have the same core, and the streams of both are read on another; changes to one and the other take turns. A change
//! counts from the moment at which it is asked for: Daybreak's is checked and forced to disk before it is sent, a bare broadcast is
//! neither. Each stream begins with a snapshot of 100 flags, of five rules each.

use std::path::Path;

use anyhow::{Context, Result};
use daybreak_tests::measure::{self, ASKING_CORE, Bare, Listeners, Memory, Pinned, Plots, Spread, on_core, thousands};
use daybreak_tests::{BootTime, Http};

const STREAMS: [usize; 4] = [1, 100, 1_000, 10_000];
/// Flags of five rules each; with the two that are toggled there are 100.
const FLAGS: usize = 98;
/// The flag that is toggled, which each change has in its frame.
const MARK: &str = "toggled";
/// The same of the bare server, whose frame is one of Daybreak's from before the streams are there: those may begin with it.
const BARE_MARK: &str = "another";

/// Milliseconds from a change to the first and to the last stream.
#[derive(Clone, Copy, Debug)]
struct Took {
    first: f64,
    last: f64,
}

/// The lines of the plots: Daybreak's, then those of the bare server.
#[derive(Debug, Default)]
struct Points {
    first: [Vec<(f64, f64)>; 2],
    last: [Vec<(f64, f64)>; 2],
    memory: [Vec<(f64, f64)>; 2],
}

const SERVERS: [&str; 2] = ["Daybreak", "bare actix-web"];

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<()> {
    println!(
        "| streams | server | first, median | last, median | eight of ten rounds | memory | at most |\n|{}",
        "---|".repeat(7)
    );
    let mut points = Points::default();
    for streams in STREAMS {
        measured(streams, &mut points).await?;
    }
    let both = |lines: [Vec<(f64, f64)>; 2], what: &str| {
        SERVERS.iter().zip(lines).map(|(server, line)| (format!("{server}{what}"), line)).collect::<Vec<_>>()
    };
    let mut plots = Plots::default();
    let lines = [both(points.last, ", last"), both(points.first, ", first")].concat();
    let note = "One core writes to one socket after the other, so the last stream waits for all others; the first waits for \
        fewer.";
    plots.add("fan-out", "One change to all streams", ("streams", "ms"), lines, note);
    let note = "A stream is a connection with its buffers and its task; what is sent is one buffer for all.";
    plots.add("memory-streams", "Memory over streams", ("streams", "MB"), both(points.memory, ""), note);
    plots.leave("streams")
}

async fn measured(streams: usize, points: &mut Points) -> Result<()> {
    let daybreak = Pinned::start(&format!("{}  {BARE_MARK}: {{ default: on }}\n", measure::flags(FLAGS)))?;
    let http = Http::to(&daybreak.url(""))?;
    // It says where it listens before its workers are there. Once it answers they are.
    http.get("/healthz").await?.ok()?;
    let idle = daybreak.memory()?;
    let frames = measure::captured(daybreak.address(), 2, || {
        measure::posted(&daybreak.url(&format!("/api/v1/flags/{BARE_MARK}/disable")), "").map(drop)
    })?;
    let [snapshot, change] = &frames[..] else { anyhow::bail!("two frames were asked for") };
    let mut bare = Bare::start(Path::new(env!("CARGO_BIN_EXE_bare")), snapshot, &[])?;
    if streams == STREAMS[0] {
        eprintln!("a snapshot has {} bytes, a change {}", snapshot.len(), change.len());
        for (server, idle) in SERVERS.iter().zip([idle, bare.memory()?]) {
            println!("| 0 | {server} | | | | {} | |", Memory::megabytes(idle.resident));
        }
    }
    let listeners = || on_core(ASKING_CORE, Path::new(env!("CARGO_BIN_EXE_listeners")));
    let mut ours = Listeners::open(listeners(), daybreak.address(), streams, MARK)?;
    let mut theirs = Listeners::open(listeners(), bare.address(), streams, BARE_MARK)?;
    let rounds = if streams >= 10_000 { 11 } else { 41 };
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let action = if round % 2 == 0 { "disable" } else { "enable" };
        let began = BootTime::now();
        http.send("POST", &format!("/api/v1/flags/{MARK}/{action}"), None, "").await?.ok()?;
        took[0].push(Took::since(began, &mut ours)?);
        let began = BootTime::now();
        bare.broadcast(change)?;
        took[1].push(Took::since(began, &mut theirs)?);
    }
    let memory = [daybreak.memory()?, bare.memory()?];
    for (server, name) in SERVERS.iter().enumerate() {
        let first = Spread::of(took[server].iter().map(|took| took.first)).context("there were rounds")?;
        let last = Spread::of(took[server].iter().map(|took| took.last)).context("there were rounds")?;
        let Memory { resident, most } = memory[server];
        println!(
            "| {} | {name} | {:.2} ms | {} | {} | {} |",
            thousands(float(streams)),
            first.median,
            last.cells(|length| format!("{length:.2}"), " ms"),
            Memory::megabytes(resident),
            Memory::megabytes(most),
        );
        points.first[server].push((float(streams), first.median));
        points.last[server].push((float(streams), last.median));
        points.memory[server].push((float(streams), float(usize::try_from(resident)?) / 1e6));
    }
    Ok(())
}

impl Took {
    fn since(began: BootTime, listeners: &mut Listeners) -> Result<Self> {
        let reached = listeners.reached()?;
        Ok(Self { first: reached.first.millis_since(began), last: reached.last.millis_since(began) })
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn float(number: usize) -> f64 {
    number as f64
}
