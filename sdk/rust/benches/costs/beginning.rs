//! How long it takes from `build` to the first answer that a flag gives, and what the client holds then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use daybreak_sdk::{Builder, Client, Context};

use crate::held;
use crate::plots::{Plot, Series};
use crate::snapshots::{self, Kept, NOWHERE};

const FLAGS: [usize; 4] = [10, 100, 1_000, 10_000];
const IDS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const ROUNDS: usize = 7;
/// How long a client may take at most: far longer than it ever should.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one beginning took: until the first answer, bytes then held, and bytes held at most on the way.
#[derive(Clone, Copy)]
struct Begun {
    took: Duration,
    held: usize,
    most: usize,
}

/// Begins, and waits until the flag is on.
fn begin(builder: Builder, flag: &str, context: &Context) -> Result<Begun> {
    let before = held::held();
    held::watch();
    let began = Instant::now();
    let client = builder.build()?;
    while !client.bool(flag, context, false) {
        ensure!(began.elapsed() < PATIENCE, "the client did not get its flags");
        std::thread::yield_now();
    }
    let took = began.elapsed();
    let begun = Begun { took, held: settled().saturating_sub(before), most: held::most().saturating_sub(before) };
    client.close_blocking(Duration::from_secs(5));
    Ok(begun)
}

/// What is held once nothing is on its way any more: the least of a moment.
fn settled() -> usize {
    let (mut least, until) = (held::held(), Instant::now() + Duration::from_millis(200));
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
        least = least.min(held::held());
    }
    least
}

/// Of several beginnings: the time in the middle, the least that is held, the least of the most.
fn several(rounds: usize, once: impl Fn() -> Result<Begun>) -> Result<Begun> {
    let mut begun = (0..rounds).map(|_| once()).collect::<Result<Vec<_>>>()?;
    begun.sort_by_key(|begun| begun.took);
    let least = |of: fn(&Begun) -> usize| begun.iter().map(of).min().unwrap_or_default();
    let (held, most) = (least(|begun| begun.held), least(|begun| begun.most));
    let took = begun.get(begun.len() / 2).map_or(Duration::ZERO, |begun| begun.took);
    Ok(Begun { took, held, most })
}

fn builder(url: &str) -> Builder {
    Client::builder(url).service("costs")
}

fn millis(length: Duration) -> f64 {
    length.as_secs_f64() * 1_000.0
}

fn kib(bytes: usize) -> f64 {
    bytes as f64 / 1_024.0
}

/// By flags: from a file, the cache and a server; then what is held.
pub(crate) fn flags() -> Result<Vec<Plot>> {
    let context = Context::new("user-7").with("plan", "pro");
    let nothing = several(ROUNDS, || {
        let before = held::held();
        let client = builder(NOWHERE).build()?;
        let held = settled().saturating_sub(before);
        client.close_blocking(Duration::from_secs(5));
        Ok(Begun { took: Duration::ZERO, held, most: 0 })
    })?;
    println!(
        "| flags | from a file | from the cache | from a server beside it | held, per 1,000 flags | at most on the way |"
    );
    println!("|---|---|---|---|---|---|");
    let mut start =
        [("from a file", Vec::new()), ("from the cache", Vec::new()), ("from a server beside it", Vec::new())];
    let mut memory = Vec::new();
    for count in FLAGS {
        let flags = snapshots::flags(count);
        let last = format!("flag-{}", count - 1);
        let kept = Kept::write(&flags, BTreeMap::new())?;
        let by_file = several(ROUNDS, || begin(builder(NOWHERE).bootstrap_file(kept.path()), &last, &context))?;
        let url = snapshots::serve(&flags)?;
        let by_server = several(ROUNDS, || begin(builder(&url), &last, &context))?;
        let folder = tempfile::tempdir()?;
        fill(&url, folder.path(), &last, &context)?;
        // The client does not wait for the server to begin with its cache.
        let by_cache = several(ROUNDS, || begin(builder(&url).cache_folder(folder.path()), &last, &context))?;
        let held = by_file.held.saturating_sub(nothing.held);
        let per_thousand = kib(held) * 1_000.0 / count as f64;
        println!(
            "| {count} | {:.2} ms | {:.2} ms | {:.2} ms | {per_thousand:.0} KiB | {:.0} KiB |",
            millis(by_file.took),
            millis(by_cache.took),
            millis(by_server.took),
            kib(by_file.most)
        );
        for ((_, points), begun) in start.iter_mut().zip([by_file, by_cache, by_server]) {
            points.push((count as f64, millis(begun.took)));
        }
        memory.push((count as f64, kib(held)));
    }
    println!("\nA client without flags holds {:.0} KiB.\n", kib(nothing.held));
    let start = start.into_iter().map(|(name, points)| Series::new(name, points)).collect();
    Ok(vec![
        Plot {
            file: "sdk-start",
            title: "The SDK: from build to the first flag",
            x: "flags",
            y: "ms",
            series: start,
            note: "Each flag is decoded and compiled, which takes a few microseconds; below a thousand flags the thread, the HTTP client and its TLS are most of it.",
        },
        Plot {
            file: "sdk-memory",
            title: "The SDK: memory held for flags",
            x: "flags",
            y: "KiB",
            series: vec![Series::new("held", memory)],
            note: "Each flag is held twice: as the document it came as, and compiled.",
        },
    ])
}

/// Has a client write its cache.
fn fill(url: &str, folder: &std::path::Path, flag: &str, context: &Context) -> Result<()> {
    let client = builder(url).cache_folder(folder).build()?;
    let began = Instant::now();
    let is_written = || -> Result<bool> {
        let mut names = std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.any(|name| name.ends_with(".daybreak")))
    };
    while !client.bool(flag, context, false) || !is_written()? {
        ensure!(began.elapsed() < PATIENCE, "the client did not write its cache");
        std::thread::sleep(Duration::from_millis(5));
    }
    client.close_blocking(Duration::from_secs(5));
    Ok(())
}

/// What an id takes beside its own bytes; of few ids that is less than what memory is handed out in.
fn beside(held: f64) -> String {
    let more = held - snapshots::id(0).len() as f64;
    if more > 0.0 { format!("{more:.1} B") } else { "too little to tell".to_owned() }
}

/// By the ids of a segment: what a client holds of it beside the ids' own bytes.
pub(crate) fn ids() -> Result<Vec<Plot>> {
    let empty = Kept::write(&snapshots::flags(1), BTreeMap::new())?;
    let context = Context::new("nobody").with("plan", "pro");
    let nothing = several(3, || begin(builder(NOWHERE).bootstrap_file(empty.path()), "flag-0", &context))?;
    println!(
        "| ids of 16 bytes in a segment | file | from a file | held, per id | beside its own bytes | at most on the way, per id |"
    );
    println!("|---|---|---|---|---|---|");
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for count in IDS {
        let (flags, segments) = snapshots::segment(count);
        let kept = Kept::write(&flags, segments)?;
        drop(flags);
        let member = Context::new(&snapshots::id(count - 1));
        let begun = several(3, || begin(builder(NOWHERE).bootstrap_file(kept.path()), "by-segment", &member))?;
        let per = |bytes: usize| bytes.saturating_sub(nothing.held) as f64 / count as f64;
        let held = per(begun.held);
        println!(
            "| {count} | {:.1} MB | {:.1} ms | {held:.1} B | {} | {:.1} B |",
            kept.length as f64 / 1e6,
            millis(begun.took),
            beside(held),
            per(begun.most)
        );
        times.push((count as f64, millis(begun.took)));
        bytes.push((count as f64, held));
    }
    println!();
    Ok(vec![
        Plot {
            file: "sdk-segment-start",
            title: "The SDK: from build to the first flag, with a long segment",
            x: "ids",
            y: "ms",
            series: vec![Series::new("from a file", times)],
            note: "Each id is read once and put into a table.",
        },
        Plot {
            file: "sdk-segment-memory",
            title: "The SDK: memory held per id of a segment",
            x: "ids",
            y: "bytes per id",
            series: vec![Series::new("held", bytes)],
            note: "A table has room for 7/8 of a power of two, so what an id takes in it, beside its own bytes, lies between 5.7 and 11.4 bytes. Of a thousand that is less than what memory is handed out in.",
        },
    ])
}
