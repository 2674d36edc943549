//! Segments of many ids in the whole system: a real server, real curl, a client in this process.
//!
//! For each number of ids: how long a segment takes to be put, and until the client answers by it; the same for a change of one
//! id, and for a toggle of another flag beside it; what the server holds of it, and held at most; and how long a server takes
//! to start with it. Each id has 16 bytes. What the server held at most is `VmHWM`, which is reset before each row.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use daybreak_sdk::{Client, Context};
use daybreak_tests::Server;
use serde_json::{Value, json};

/// Bytes of an answer that tells ten thousand values, which is the most, and of none that tells a hundred thousand.
const ANSWER_MAX: usize = 1_000_000;
const IDS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const DOCUMENT: &str = "flags:
  other: { default: off }
  by-segment: { default: off, rules: [ { name: beta, when: { segment: beta }, serve: on } ] }
segments:
  beta: { when: { targetingKey: { in: [ nobody ] } } }
";
/// How long anything may take: far longer than it ever should.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    println!(
        "| ids | body | put: 2xx | until the client has it | one id more: 2xx | until the client has it | another flag: until the client has it | start-up | held, per id | at most meanwhile |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut drawn: Vec<(usize, Row)> = Vec::new();
    for count in IDS {
        let row = measure(count)?;
        println!("{}", row.cells(count));
        drawn.push((count, row));
    }
    plots(&drawn)
}

struct Row {
    body: usize,
    put: (Duration, Duration),
    more: (Duration, Duration),
    toggled: Duration,
    start: Duration,
    held: u64,
    most: u64,
}

fn measure(count: usize) -> Result<Row> {
    let mut server = Server::with(DOCUMENT, &[])?;
    let client = Client::builder(&server.url("")).service("benchmark").build()?;
    let (other, by_segment) = (client.flag::<bool>("other"), client.flag::<bool>("by-segment"));
    wait_for(|| by_segment.get(&Context::new("nobody"), false))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("segment.json");
    let before = memory(&mut server, "VmRSS")?;
    std::fs::write(format!("/proc/{}/clear_refs", server.process().id()), "5")?;

    let put = |server: &Server, ids: usize| -> Result<(usize, (Duration, Duration))> {
        let body = segment(ids)?;
        std::fs::write(&file, &body)?;
        let member = Context::new(&id(ids - 1));
        let began = Instant::now();
        put_by_curl(&server.url("/api/v1/segments/beta"), &file)?;
        let answered = began.elapsed();
        wait_for(|| by_segment.get(&member, false))?;
        Ok((body.len(), (answered, began.elapsed())))
    };
    let (body, first) = put(&server, count)?;
    eprintln!("{count} ids: put after {:?}", first.1);
    let (_, more) = put(&server, count + 1)?;
    ensure!(!by_segment.get(&Context::new("somebody else"), true), "whoever is not in the list is out");
    let began = Instant::now();
    server.post("/api/v1/flags/other/disable", "")?.expect_status(200)?;
    server.send("PATCH", "/api/v1/flags/other", r#"{"enabled": true, "default": "on"}"#)?.expect_status(200)?;
    wait_for(|| other.get(&Context::default(), false))?;
    let toggled = began.elapsed();
    std::thread::sleep(Duration::from_secs(2));
    let (held, most) = (memory(&mut server, "VmRSS")?, memory(&mut server, "VmHWM")?);
    client.close_blocking(Duration::from_secs(5));

    server.process().kill()?;
    let began = Instant::now();
    server.start_again()?;
    let start = began.elapsed();
    let context = json!({"context": {"targetingKey": id(count)}}).to_string();
    let answer = server.post("/api/v1/flags/by-segment/evaluate", &context)?.expect_status(200)?;
    ensure!(serde_json::from_str::<Value>(&answer.body)?["value"] == true, "it is there after a restart");
    let (held, most) = (held.saturating_sub(before), most.saturating_sub(before));
    Ok(Row { body, put: first, more, toggled, start, held, most })
}

impl Row {
    fn cells(&self, count: usize) -> String {
        let millis = |length: Duration| format!("{:.1} ms", length.as_secs_f64() * 1_000.0);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (body, per_id, most) =
            (self.body as f64 / 1e6, self.held as f64 * 1_024.0 / count as f64, self.most as f64 / 1_024.0);
        format!(
            "| {count} | {body:.2} MB | {} | {} | {} | {} | {} | {} | {per_id:.0} B | {most:.0} MiB |",
            millis(self.put.0),
            millis(self.put.1),
            millis(self.more.0),
            millis(self.more.1),
            millis(self.toggled),
            millis(self.start)
        )
    }
}

fn id(number: usize) -> String {
    format!("user-{number:011}")
}

fn segment(count: usize) -> Result<String> {
    let mut text = String::from(r#"{"when": {"targetingKey": {"in": ["#);
    for number in 0..count {
        write!(text, "{}\"{}\"", if number == 0 { "" } else { ", " }, id(number))?;
    }
    text.push_str("]}}}\n");
    Ok(text)
}

fn put_by_curl(url: &str, file: &Path) -> Result<()> {
    let data = format!("@{}", file.display());
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail-with-body", "--request", "PUT", "--data-binary", &data, url]);
    let output = curl_output(&mut curl)?;
    ensure!(output.len() < ANSWER_MAX, "of long lists an answer tells the first values alone: {} bytes", output.len());
    Ok(())
}

fn curl_output(curl: &mut Command) -> Result<String> {
    let output = curl.output().context("curl cannot be run")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

fn wait_for(holds: impl Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    while !holds() {
        ensure!(began.elapsed() < PATIENCE, "the client does not come to it");
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// A line of the server's `/proc/PID/status`, in KiB.
fn memory(server: &mut Server, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).with_context(|| format!("there is no {name}"))
}

/// What is to be drawn, where `DAYBREAK_PLOTS` says.
fn plots(rows: &[(usize, Row)]) -> Result<()> {
    let Some(folder) = std::env::var_os("DAYBREAK_PLOTS") else { return Ok(()) };
    let line = |name: &str, of: fn(&Row) -> Duration| {
        let points: Vec<_> = rows.iter().map(|(count, row)| (count, of(row).as_secs_f64() * 1_000.0)).collect();
        json!({"name": name, "points": points})
    };
    let plot = json!({
        "file": "segments", "title": "A long segment, from curl to the client", "x": {"name": "ids", "log": true},
        "y": {"name": "ms", "log": true},
        "series": [
            line("put, until the client has it", |row| row.put.1),
            line("one id more, until the client has it", |row| row.more.1),
            line("another flag beside it", |row| row.toggled),
            line("start-up with it", |row| row.start),
        ],
        "note": "A list is sent as a whole: each id is read, kept, sent and read again. Whoever changes another flag pays nothing for it.",
    });
    std::fs::write(Path::new(&folder).join("segments.json"), json!({"plots": [plot]}).to_string())?;
    Ok(())
}
