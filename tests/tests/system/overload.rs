//! More than a server can take: it tells who is too much to come again, halts all the same, and recovers by itself.

use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail, ensure};
use daybreak_tests::{Loaded, Overload, PATIENCE, Raw, Server, Witnesses, eventually};
use serde_json::{Map, Value, json};

/// Files that a server may open which is to have no places left soon: 150 connections may wait, 60 be urgent, 160 streams and
/// 80 others.
const FEW_FILES: usize = 600;
/// Halts under one load.
const HALTS: usize = 5;
const WITNESSES: usize = 20;
const DOCUMENT: &str = "flags: { toggled: { default: on } }";

/// Waits until the load is on: so much was answered, or told to come again.
fn is_on(loaded: &Loaded, done: u64, shed: u64) -> Result<()> {
    let counts = loaded.counts();
    eventually("the load", || match (counts.done.load(Ordering::SeqCst), counts.shed.load(Ordering::SeqCst)) {
        (answered, refused) if answered >= done && refused >= shed => Ok(()),
        other => Err(other),
    })
}

/// Halts again and again, and each time the witnesses hear of it while the load goes on.
fn halts(server: &Server, witnesses: &Witnesses, loaded: &Loaded) -> Result<()> {
    for _ in 0..HALTS {
        let counts = loaded.counts();
        let before = counts.done.load(Ordering::SeqCst) + counts.shed.load(Ordering::SeqCst);
        let (since_start, _) = witnesses.halt(server)?;
        println!("all of {WITNESSES} heard of the halt {since_start:?} after curl was started");
        is_on(loaded, 0, 0)?;
        eventually("the load to go on", || {
            let now = counts.done.load(Ordering::SeqCst) + counts.shed.load(Ordering::SeqCst);
            if now > before { Ok(()) } else { Err(now) }
        })?;
    }
    Ok(())
}

/// Once the load is over the server is as it was, without anybody's help.
fn recovers(server: &Server) -> Result<()> {
    for path in ["/readyz", "/api/v1/flags/toggled", "/api/v1/export", "/api/v1/halt"] {
        eventually(path, || server.get(path)?.expect_status(200))?;
    }
    eventually("a change", || server.post("/api/v1/flags/toggled/disable", "")?.expect_status(200))?;
    server.post("/api/v1/flags/toggled/enable", "")?.expect_status(200)?;
    eventually("the streams to be gone", || {
        let ready = server.get("/readyz")?.json()?;
        ensure!(ready["streams"] == WITNESSES, "{ready:#}");
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_3_a_halt_comes_in_where_no_connection_is_left() -> Result<()> {
    let server = Server::with_files(DOCUMENT, &["--log", "error"], FEW_FILES)?;
    let witnesses = Witnesses::come(&server, WITNESSES)?;
    let overload = Overload {
        evaluators: 60,
        changers: 60,
        silent: 150,
        halting: 100,
        idle: 100,
        streams: 300,
        ..Overload::default()
    };
    let loaded = overload.begin(&server);
    is_on(&loaded, 100, 50)?;
    halts(&server, &witnesses, &loaded)?;
    let (done, shed, cut) = loaded.end().await?;
    println!("{done} were answered, {shed} told to come again, {cut} cut off");
    recovers(&server)?;
    let metrics = server.get("/metrics")?.expect_status(200)?.body;
    let refused =
        metrics.lines().find_map(|line| line.strip_prefix("daybreak_connections_refused_total{lane=\"streams\"} "));
    let refused: u64 = refused.context("refused streams are counted")?.parse()?;
    ensure!(refused > 0, "more streams came than there is room for");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_3_a_halt_comes_in_where_every_thread_is_busy() -> Result<()> {
    let flag = json!({ "default": "off", "rules": [
        { "name": "eu", "when": { "country": { "in": ["DE", "FR"] }, "version": { "semver": ">=2.3.0" } }, "percentage": "25%", "serve": "on" },
    ] });
    let mut flags: Map<String, Value> = (0..400).map(|number| (format!("flag-{number}"), flag.clone())).collect();
    flags.insert("toggled".to_owned(), json!({ "default": "on" }));
    let server = Server::with(&json!({ "flags": flags }).to_string(), &["--log", "error"])?;
    let witnesses = Witnesses::come(&server, WITNESSES)?;
    let loaded =
        Overload { evaluators: 300, exporters: 50, changers: 50, documents: (8, 1 << 20), ..Overload::default() }
            .begin(&server);
    is_on(&loaded, 400, 0)?;
    halts(&server, &witnesses, &loaded)?;
    let (done, shed, cut) = loaded.end().await?;
    println!("{done} were answered, {shed} told to come again, {cut} cut off");
    recovers(&server)
}

/// Halves of a halt take no place from a whole one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_3_a_halt_comes_in_beside_many_that_are_never_finished() -> Result<()> {
    let server = Server::with_files(DOCUMENT, &["--log", "error"], FEW_FILES)?;
    let witnesses = Witnesses::come(&server, 1)?;
    let half = b"PUT /api/v1/halt HTTP/1.1\r\nhost: localhost\r\nx-never";
    let mut halves = Vec::new();
    // Twice as many as there is room for.
    for _ in 0..120 {
        let mut raw = Raw::connect(server.address()).await?;
        // One that comes last is told that there is no room.
        let _ = raw.send(half).await;
        halves.push(raw);
    }
    // None of them has a place that a whole one needs.
    for _ in 0..20 {
        witnesses.halt(&server)?;
    }
    drop(halves);
    server.get("/readyz")?.expect_status(200).map(drop)
}

/// Bodies that come slowly are in memory all at once; as many as there is room for, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_take_no_more_memory_than_there_is_room_for() -> Result<()> {
    const BODIES: usize = 40;
    const BYTES: usize = 4 << 20;
    /// Of 64 MiB.
    const ROOM: usize = 16;
    let mut server = Server::with(DOCUMENT, &["--log", "error"])?;
    let id = server.process().id();
    let before = resident_mib(id)?;
    let mut slow = Vec::new();
    let head = format!("POST /api/v1/apply HTTP/1.1\r\nhost: localhost\r\ncontent-length: {BYTES}\r\n\r\n");
    let part = vec![b'#'; BYTES - 1];
    for _ in 0..BODIES {
        let mut raw = Raw::connect(server.address()).await?;
        raw.send(head.as_bytes()).await?;
        slow.push(raw);
    }
    // Each sends all but the last byte, and waits. Who is refused is told before that, and may be cut off meanwhile.
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut senders = tokio::task::JoinSet::new();
    for mut raw in slow {
        let (part, tell) = (part.clone(), tell.clone());
        senders.spawn(async move {
            let _ = raw.send(&part).await;
            // The other end is gone only when this is over.
            let _ = tell.send(raw.answer().await);
        });
    }
    let mut answered = 0;
    for _ in ROOM..BODIES {
        let answer = tokio::time::timeout(PATIENCE, told.recv()).await?.context("they wait for each other")?;
        if let Ok(answer) = answer {
            ensure!(answer.status == 503 && answer.retry_after > Some(0), "{answer:?}");
            answered += 1;
        }
    }
    ensure!(answered > 0, "nobody was told why");
    let most = resident_mib(id)?;
    ensure!(most < before + 160, "{before} MiB before, and {most} with as many bodies as there is room for");
    server.get("/readyz")?.expect_status(200)?;
    senders.shutdown().await;
    eventually("room again", || server.post("/api/v1/apply", DOCUMENT)?.expect_status(200))?;
    Ok(())
}

/// Answers that nobody reads are in memory all at once; as many as there is room for, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_take_no_more_memory_than_there_is_room_for() -> Result<()> {
    const ROOM_BYTES: usize = 128 << 20;
    const REFUSED: usize = 3;
    let text = "long ".repeat(1_600);
    let flag = json!({ "variants": { "long": text, "short": "" }, "default": "long" });
    let flags: Map<String, Value> = (0..510).map(|number| (format!("flag-{number}"), flag.clone())).collect();
    let mut server = Server::with(&json!({ "flags": flags }).to_string(), &["--log", "error"])?;
    let id = server.process().id();
    let (path, context) = ("/ofrep/v1/evaluate/flags", r#"{ "context": { "targetingKey": "somebody" } }"#);
    let ask = Raw::request("POST", path, context);
    let mut first = Raw::connect(server.address()).await?;
    first.send(&ask).await?;
    let (answer, length) = first.head().await?;
    first.body(length).await?;
    let room = ROOM_BYTES / length;
    ensure!(answer.status == 200 && room > 1, "{answer:?}, {length} bytes");
    let before = resident_mib(id)?;
    let (mut unread, mut refused) = (Vec::new(), 0);
    while refused < REFUSED {
        let mut raw = Raw::connect_narrow(server.address()).await?;
        raw.send(&ask).await?;
        let (answer, length) = raw.head().await?;
        match answer.status {
            200 if unread.len() < room => unread.push((raw, length)),
            503 if unread.len() == room && answer.retry_after > Some(0) => refused += 1,
            _ => bail!("{} answers were begun, then came {answer:?}", unread.len()),
        }
    }
    let most = resident_mib(id)?;
    ensure!(most < before + 160, "{before} MiB before, and {most} with as many answers as there is room for");
    let refused = server.post(path, context)?.expect_status(503)?.json()?;
    ensure!(refused["code"] == "overloaded" && refused["errorCode"] == "GENERAL", "{refused:#}");
    server.get("/api/v1/export")?.expect_status(200)?;
    server.get("/docs/swagger-ui-bundle.js")?.expect_status(200)?;
    // Whoever has read theirs keeps no room, though they are still there. The last one has long until they are cut off.
    let (mut last, length) = unread.pop().context("some were begun")?;
    last.body(length).await?;
    last.send(&ask).await?;
    let (answer, _) = last.head().await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

fn resident_mib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1_024)
}
