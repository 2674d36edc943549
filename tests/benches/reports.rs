//! How many clients' reports a second the server takes over HTTP on one core, beside bare actix-web, which reads the same reports
//! and answers with the same bytes.
//!
//! A thousand clients report in turn, each time with counts that have grown. Both servers have the same core, `wrk` with 64
//! connections has another; they take turns, and ratios are those of each round.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use daybreak_tests::measure::{self, Bare, Load, Pinned, Plots, Spread, Wrk, thousands};
use serde_json::{Map, Value, json};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const CLIENTS: usize = 1_000;
const PATH: &str = "/api/v1/reports";
/// How far the sequences of rounds are apart: farther than a client comes in one.
const APART: usize = 100_000;
/// Operations of a service, with as many fault points and flags.
const OPERATIONS: [usize; 4] = [0, 5, 20, 100];
const DOCUMENT: &str = "flags: { toggled: { default: on } }\n\
    slos: { checkout: { objective: 99.9%, window: 28d, sli: { operation: GET /0, good: { status: <500 } } } }\n";
/// Where in a report something else stands each time.
const CLIENT: &str = "@CLIENT@";
const SEQUENCE: &str = "@SEQUENCE@";
const COUNT: &str = "@COUNT@";

fn main() -> Result<()> {
    println!(
        "| a report of | bytes | server | reports/s | eight of ten rounds | of bare | eight of ten rounds | p50 | p99 |\n|{}",
        "---|".repeat(9)
    );
    let mut lines = [("Daybreak".to_owned(), Vec::new()), ("bare actix-web".to_owned(), Vec::new())];
    for operations in OPERATIONS {
        let (bytes, medians) = measured(operations)?;
        lines.iter_mut().zip(medians).for_each(|((_, line), median)| line.push((bytes, median)));
    }
    let mut plots = Plots::default();
    let note = "A larger report takes longer to read, and has more counts to add.";
    plots.add("reports", "Reports that one core takes", ("bytes of a report", "reports a second"), lines.into(), note);
    plots.leave("reports")
}

/// Prints two rows; how long a report is, and how many a second both take.
fn measured(operations: usize) -> Result<(f64, [f64; 2])> {
    let daybreak = Pinned::start(DOCUMENT)?;
    let first = filled(&report(operations, None), 1);
    let reply: Value = serde_json::from_slice(&measure::posted(&daybreak.url(PATH), &first)?)?;
    let revision = reply["measures"][0]["revision"].as_u64().context("the SLO is to be counted")?;
    let report = report(operations, Some(revision));
    let answer = measure::posted(&daybreak.url(PATH), &filled(&report, 2))?;
    let bare = Bare::start(Path::new(env!("CARGO_BIN_EXE_bare")), b"", &[(PATH, &answer)])?;

    let (mut ours, mut theirs): (Vec<Load>, Vec<Load>) = Default::default();
    for round in 1..=ROUNDS {
        eprintln!("{operations} operations: round {round} of {ROUNDS}");
        let wrk = Wrk::script(&daybreak.folder(), "report", &script(&report, round * APART)?)?;
        ours.push(wrk.run(&daybreak.url(PATH), ROUND)?);
        theirs.push(wrk.run(&bare.url(PATH), ROUND)?);
    }
    let name =
        if operations == 0 { "a client that does nothing".to_owned() } else { format!("{operations} operations") };
    let bytes = filled(&report, APART).len();
    let name = format!("{name} | {}", thousands(float(bytes)));
    let shares = ours.iter().zip(&theirs).map(|(ours, theirs)| 100.0 * ours.per_second / theirs.per_second);
    let share = Spread::of(shares).context("there were rounds")?.cells(|share| format!("{share:.0}"), " %");
    let medians = [row(&name, "Daybreak", &ours, &share)?, row(&name, "bare actix-web", &theirs, "100 % | ")?];
    Ok((float(bytes), medians))
}

/// Prints a row; how many a second there were.
fn row(name: &str, server: &str, rounds: &[Load], share: &str) -> Result<f64> {
    let spread = |of: fn(&Load) -> f64| Spread::of(rounds.iter().map(of)).context("there were rounds");
    let per_second = spread(|load| load.per_second)?;
    let (p50, p99) = (spread(|load| load.p50)?.median, spread(|load| load.p99)?.median);
    println!("| {name} | {server} | {} | {share} | {p50:.2} ms | {p99:.2} ms |", per_second.cells(thousands, "/s"));
    Ok(per_second.median)
}

/// A report in which client, sequence and counts are still to be filled in, in this order.
fn report(operations: usize, revision: Option<u64>) -> String {
    let per = |of: &str, what: Value| -> Map<String, Value> {
        (0..operations).map(|number| (format!("{of}{number}"), what.clone())).collect()
    };
    let slos = revision
        .filter(|_| operations > 0)
        .map(|revision| json!({ "slo": "checkout", "revision": revision, "counts": { "settled": COUNT, "error": 0 } }));
    let rest = json!({
        "service": "shop", "sdk": { "name": "bench", "version": "0" }, "level": 1, "state": "streaming",
        "faults": { "allowed": true, "in_flight": 0 }, "slos": slos.into_iter().collect::<Vec<_>>(),
        "operations": per("GET /", json!({ "requests": COUNT, "open": 0 })),
        "points": per("point-", json!({ "passes": COUNT, "requests": { "GET /0": COUNT }, "permitted": true })),
        "evaluations": per("flag-", json!({ "variants": { "on": COUNT, "off": COUNT } })),
    });
    let rest = rest.to_string().replace(&format!("\"{COUNT}\""), COUNT);
    format!("{{\"client\":\"{CLIENT}\",\"sequence\":{SEQUENCE},{}", rest.trim_start_matches('{'))
}

/// A report of the first client.
fn filled(report: &str, sequence: usize) -> String {
    let text = report.replace(CLIENT, &format!("{:032x}", 1)).replace(SEQUENCE, &sequence.to_string());
    text.replace(COUNT, &(sequence * 10).to_string())
}

/// Has each client report in turn, from a sequence on.
fn script(report: &str, sequence: usize) -> Result<String> {
    let (head, rest) = report.split_once(CLIENT).context("a report has a client")?;
    let (middle, tail) = rest.split_once(SEQUENCE).context("a report has a sequence")?;
    Ok(format!(
        "wrk.method = \"POST\"\n\
         local head, middle, tail = [[{head}]], [[{middle}]], [[{tail}]]\n\
         local client, sequence, counts = 0, {sequence}, nil\n\
         request = function()\n\
         \x20 client = client + 1\n\
         \x20 if client > {CLIENTS} then client, sequence, counts = 1, sequence + 1, nil end\n\
         \x20 counts = counts or tail:gsub(\"{COUNT}\", tostring(sequence * 10))\n\
         \x20 return wrk.format(nil, nil, nil, head .. string.format(\"%032x\", client) .. middle .. sequence .. counts)\n\
         end\n"
    ))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn float(number: usize) -> f64 {
    number as f64
}
