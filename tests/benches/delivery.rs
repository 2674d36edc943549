//! From curl's 2xx to the new value in the SDK, alone and among 1,000 connected clients.
//!
//! A toggle is one real curl. The SDK's client lives in this process, the server and the other clients in
//! processes of their own. A change that arrives before curl has printed its status counts as 0.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use daybreak_sdk::{Client, Context};
use daybreak_tests::Server;

const DOCUMENT: &str = "flags: { toggled: { default: on } }";
const TOGGLES: usize = 300;
const CLIENTS: [usize; 2] = [1, 1_000];

fn main() -> Result<()> {
    println!("| clients | toggles | p50 | p90 | p99 | max | before curl's answer |");
    println!("|---|---|---|---|---|---|---|");
    for clients in CLIENTS {
        let server = Server::with(DOCUMENT, &[])?;
        let _others = Streams::open(&server, clients - 1)?;
        let mut delays = toggles(&server)?;
        delays.sort_unstable();
        let at = |share: f64| {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rank among a few hundred"
            )]
            let rank = (share * delays.len() as f64).ceil() as usize;
            format!("{:.2} ms", delays[rank.clamp(1, delays.len()) - 1].as_secs_f64() * 1_000.0)
        };
        let before = delays.iter().filter(|delay| delay.is_zero()).count();
        println!("| {clients} | {TOGGLES} | {} | {} | {} | {} | {before} |", at(0.5), at(0.9), at(0.99), at(1.0));
    }
    Ok(())
}

/// The delay of each toggle.
fn toggles(server: &Server) -> Result<Vec<Duration>> {
    let client = Client::builder(&server.url("")).service("benchmark").build()?;
    let flag = client.flag::<bool>("toggled");
    let context = Context::default();
    let (changed, changes) = mpsc::channel();
    client.on_change(move |_| {
        // The receiver is gone only when the benchmark is over.
        let _ = changed.send(Instant::now());
    });
    let began = Instant::now();
    while !flag.get(&context, false) {
        ensure!(began.elapsed() < Duration::from_secs(10), "the client did not get its flags");
        std::thread::yield_now();
    }
    while changes.try_recv().is_ok() {}

    let mut delays = Vec::with_capacity(TOGGLES);
    for number in 0..TOGGLES {
        let (action, expected) = if number % 2 == 0 { ("disable", false) } else { ("enable", true) };
        let answered = curl(&server.url(&format!("/api/v1/flags/toggled/{action}")))?;
        let arrived = changes.recv_timeout(Duration::from_secs(10)).context("a change did not arrive")?;
        ensure!(flag.get(&context, !expected) == expected, "the SDK tells of a change, but has the old value");
        delays.push(arrived.saturating_duration_since(answered));
    }
    Ok(delays)
}

/// POSTs by real curl; the moment at which it printed the status.
fn curl(url: &str) -> Result<Instant> {
    let mut curl = Command::new("curl")
        .args(["--silent", "--request", "POST", "--output", "/dev/null", "--write-out", "%{http_code}", url])
        .stdout(Stdio::piped())
        .spawn()
        .context("curl cannot be run")?;
    let mut status = [0; 3];
    curl.stdout.take().context("curl's output is piped")?.read_exact(&mut status)?;
    let answered = Instant::now();
    curl.wait()?;
    ensure!(status[0] == b'2', "curl got {}", String::from_utf8_lossy(&status));
    Ok(answered)
}

/// Other clients, in a process of their own.
struct Streams(Child);

impl Streams {
    fn open(server: &Server, count: usize) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_streams"))
            .args([server.address().to_string(), count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output is piped")?).read_line(&mut line)?;
        ensure!(line.trim() == format!("open {count}"), "the other clients did not connect: {line}");
        Ok(Self(child))
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
