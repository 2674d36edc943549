//! How many answers a second OFREP gives on one core: one flag, a hundred, and a hundred of which nothing has changed; beside bare
//! actix-web, which reads the same questions and answers with the same bytes.
//!
//! The flags are those of W2: five rules over six attributes. Both servers have the same core, `wrk` with 64 connections has
//! another; they take turns, and ratios are those of each round.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use daybreak_tests::curl;
use daybreak_tests::measure::{self, Bare, Load, Pinned, Spread, Wrk, thousands};
use serde_json::json;

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(2);
const FLAGS: usize = 100;
const ONE: &str = "/ofrep/v1/evaluate/flags/flag-7";
const ALL: &str = "/ofrep/v1/evaluate/flags";

/// What is asked, and for what path of the bare server.
struct Question {
    name: &'static str,
    path: &'static str,
    bare_path: &'static str,
    wrk: Wrk,
}

fn main() -> Result<()> {
    let daybreak = Pinned::start(&measure::flags(FLAGS - 1))?;
    let body = json!({ "context": measure::context() }).to_string();
    let one = measure::posted(&daybreak.url(ONE), &body)?;
    let all = measure::posted(&daybreak.url(ALL), &body)?;
    let tag = tag(&daybreak.url(ALL), &body)?;
    eprintln!("one flag: {} bytes are answered with {}; {FLAGS}: with {}", body.len(), one.len(), all.len());
    let answers: [(&str, &[u8]); 3] = [(ONE, &one), (ALL, &all), ("/unchanged", b"")];
    let bare = Bare::start(Path::new(env!("CARGO_BIN_EXE_bare")), b"", &answers)?;

    let folder = daybreak.folder();
    let post = |name, headers: &[(&str, &str)]| Wrk::post(&folder, name, &body, headers);
    let questions = [
        Question { name: "one flag", path: ONE, bare_path: ONE, wrk: post("one", &[])? },
        Question { name: "100 flags", path: ALL, bare_path: ALL, wrk: post("all", &[])? },
        Question {
            name: "100 flags, unchanged (304)",
            path: ALL,
            bare_path: "/unchanged",
            wrk: post("unchanged", &[("If-None-Match", &tag)])?,
        },
    ];
    println!(
        "| OFREP on one core | server | requests/s | eight of ten rounds | of bare | eight of ten rounds | p50 | p99 |\n|{}",
        "---|".repeat(8)
    );
    for question in &questions {
        measured(question, &daybreak, &bare)?;
    }
    let (daybreak, bare) = (daybreak.memory()?, bare.memory()?);
    let [ours, theirs] = [daybreak.most, bare.most].map(measure::Memory::megabytes);
    println!("\nAt most, Daybreak held {ours} meanwhile, bare actix-web {theirs}.");
    Ok(())
}

fn measured(question: &Question, daybreak: &Pinned, bare: &Bare) -> Result<()> {
    let Question { name, path, bare_path, wrk } = question;
    let (mut ours, mut theirs): (Vec<Load>, Vec<Load>) = Default::default();
    for round in 0..ROUNDS {
        eprintln!("{name}: round {} of {ROUNDS}", round + 1);
        ours.push(wrk.run(&daybreak.url(path), ROUND)?);
        theirs.push(wrk.run(&bare.url(bare_path), ROUND)?);
    }
    let shares = ours.iter().zip(&theirs).map(|(ours, theirs)| 100.0 * ours.per_second / theirs.per_second);
    let share = Spread::of(shares).context("there were rounds")?;
    println!("{}", row(name, "Daybreak", &ours, &share.cells(|share| format!("{share:.0}"), " %"))?);
    println!("{}", row(name, "bare actix-web", &theirs, "100 % | ")?);
    Ok(())
}

fn row(name: &str, server: &str, rounds: &[Load], share: &str) -> Result<String> {
    let spread = |of: fn(&Load) -> f64| Spread::of(rounds.iter().map(of)).context("there were rounds");
    let per_second = spread(|load| load.per_second)?.cells(thousands, "/s");
    let (p50, p99) = (spread(|load| load.p50)?.median, spread(|load| load.p99)?.median);
    Ok(format!("| {name} | {server} | {per_second} | {share} | {p50:.2} ms | {p99:.2} ms |"))
}

/// The tag of an answer.
fn tag(url: &str, body: &str) -> Result<String> {
    let answer = curl(&["--request", "POST", "--data-binary", body, url])?;
    Ok(answer.header("etag").context("all flags have a tag")?.to_owned())
}
