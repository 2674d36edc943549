//! A real Prometheus as the source of an SLO: it scrapes an exporter of the test's, and is asked by the real binary.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{Process, Server, binary, curl, eventually, root};
use serde_json::Value;
use tempfile::TempDir;

const DOCUMENT: &str = r#"
slos:
  search:
    objective: 99%
    window: 28d
    sli: { prometheus: { good: 'http_requests_total{code!~"5.."}', total: http_requests_total } }
"#;

/// What `/metrics` tells: requests that went well, and those that did not.
#[derive(Debug, Default)]
struct Requests {
    good: AtomicU64,
    bad: AtomicU64,
}

impl Requests {
    /// Tells of them from now on; where.
    fn export(self: &Arc<Self>) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, requests) = (listener.local_addr()?, Arc::clone(self));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let count = |of: &AtomicU64| of.load(Ordering::SeqCst);
                let body = format!(
                    "# TYPE http_requests_total counter\nhttp_requests_total{{code=\"200\"}} {}\nhttp_requests_total{{code=\"503\"}} {}\n",
                    count(&requests.good),
                    count(&requests.bad)
                );
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close";
                let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            }
        });
        Ok(address.to_string())
    }

    fn count(&self, good: u64, bad: u64) {
        self.good.fetch_add(good, Ordering::SeqCst);
        self.bad.fetch_add(bad, Ordering::SeqCst);
    }
}

/// An address that is free: Prometheus does not tell which port it took, so it is told one.
fn free() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// A Prometheus at this address that scrapes the target each second.
fn prometheus(folder: &TempDir, address: &str, target: &str) -> Result<Process> {
    let config = folder.path().join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs: [{{ job_name: shop, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("prometheus").display()));
    command.arg(format!("--web.listen-address={address}"));
    let process = Process::start("prometheus", &mut command)?;
    let ready = format!("http://{address}/-/ready");
    eventually("Prometheus", || curl(&[&ready]).and_then(|answer| answer.expect_status(200)))?;
    Ok(process)
}

/// The budget, once it is as wanted.
fn budget(server: &Server, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    budget_of(server, "search", what, wanted)
}

fn budget_of(server: &Server, slo: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(what, || {
        let budget = server.get(&format!("/api/v1/slos/{slo}/status"))?.expect_status(200)?.json()?;
        if wanted(&budget) { Ok(budget) } else { Err(anyhow!("{budget}")) }
    })
}

#[test]
fn a_real_prometheus_feeds_a_budget() -> Result<()> {
    let (folder, requests) = (TempDir::new()?, Arc::new(Requests::default()));
    requests.count(990, 10);
    let address = free()?;
    let mut process = prometheus(&folder, &address, &requests.export()?)?;
    let mut server = Server::with(DOCUMENT, &["--prometheus", &format!("http://{address}")])?;
    // What it counted before anybody asked is nobody's.
    let first = budget(&server, "a first sample", |budget| budget["last_sample"].is_string())?;
    ensure!(first["total"] == 0 && first["state"] == "insufficient_data", "{first}");

    requests.count(950, 50);
    let second = budget(&server, "what was counted", |budget| budget["total"] == 1_000)?;
    ensure!(second["bad"] == 50 && second["source"]["failures"] == 0, "{second}");

    let output = Command::new(binary()?).args(["slo", "search", "--url", &server.url("")]).output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(text.contains("50 bad of 1000 requests") && text.contains("spent"), "{text}");

    // Down, it feeds nothing, and says so; what was counted stays, also over a clean end.
    process.kill()?;
    let down = budget(&server, "a failure", |budget| budget["source"]["failures"].as_u64() > Some(0))?;
    ensure!(down["total"] == 1_000, "{down}");
    let health = server.get("/readyz")?.expect_status(200)?;
    ensure!(health.body.contains("tells nothing new of the SLO `search`"), "{}", health.body);
    server.process().terminate()?;
    ensure!(server.process().wait()?.success());
    server.start_again()?;
    budget(&server, "what was counted before", |budget| budget["total"] == 1_000 && budget["bad"] == 50)?;
    Ok(())
}

/// One is answered to everybody, and one to nobody who does not say who he is.
const FLAGS: &str = r#"
flags:
  feature: { default: on }
  split: { default: off, rules: [ { name: half, rollout: { off: 50%, on: 50% } } ] }
"#;

/// The example of the page on budgets: Daybreak's own numbers.
fn own_example() -> Result<String> {
    let page = std::fs::read_to_string(root().join("docs/budgets.md"))?;
    let mut examples = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let example = examples.find(|example| example.contains("daybreak_")).context("no example")?;
    Ok(format!("{example}{FLAGS}"))
}

/// Daybreak counts itself: it asks a Prometheus, which scrapes it. Its counters begin anew with it.
#[test]
fn the_servers_own_numbers_feed_a_budget() -> Result<()> {
    let (folder, address) = (TempDir::new()?, free()?);
    let mut server = Server::with(&own_example()?, &["--prometheus", &format!("http://{address}")])?;
    let _process = prometheus(&folder, &address, &server.address().to_string())?;
    let evaluate = |server: &Server, flag: &str, status: u16| {
        server.post(&format!("/ofrep/v1/evaluate/flags/{flag}"), "{}")?.expect_status(status)
    };
    let is = |wanted: [u64; 2]| move |budget: &Value| [&budget["total"], &budget["bad"]] == wanted;
    budget_of(&server, "answered", "a first sample", |budget| budget["last_sample"].is_string())?;
    for _ in 0..8 {
        evaluate(&server, "feature", 200)?;
    }
    for _ in 0..2 {
        evaluate(&server, "split", 400)?;
    }
    budget_of(&server, "answered", "what was counted", is([10, 2]))?;
    server.process().terminate()?;
    ensure!(server.process().wait()?.success());
    server.start_again()?;
    evaluate(&server, "feature", 200)?;
    budget_of(&server, "answered", "what it counted since", is([11, 2]))?;
    Ok(())
}
