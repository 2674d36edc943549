//! A real Prometheus as the source of an SLO: it scrapes an exporter of the test's, and is asked by the real binary.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow, ensure};
use daybreak_tests::{Process, Server, binary, curl, eventually};
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

/// A Prometheus that scrapes this each second, and its URL.
fn prometheus(folder: &TempDir, target: &str) -> Result<(Process, String)> {
    let config = folder.path().join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs: [{{ job_name: shop, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    );
    std::fs::write(&config, text)?;
    // It does not tell which port it took, so it is told one that is free.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("prometheus").display()));
    command.arg(format!("--web.listen-address={address}"));
    let process = Process::start("prometheus", &mut command)?;
    let url = format!("http://{address}");
    let ready = format!("{url}/-/ready");
    eventually("Prometheus", || curl(&[&ready]).and_then(|answer| answer.expect_status(200)))?;
    Ok((process, url))
}

/// The budget, once it is as wanted.
fn budget(server: &Server, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(what, || {
        let budget = server.get("/api/v1/slos/search/status")?.expect_status(200)?.json()?;
        if wanted(&budget) { Ok(budget) } else { Err(anyhow!("{budget}")) }
    })
}

#[test]
fn a_real_prometheus_feeds_a_budget() -> Result<()> {
    let (folder, requests) = (TempDir::new()?, Arc::new(Requests::default()));
    requests.count(990, 10);
    let (mut process, url) = prometheus(&folder, &requests.export()?)?;
    let mut server = Server::with(DOCUMENT, &["--prometheus", &url])?;
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
