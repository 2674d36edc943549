//! Debian's Alertmanager over the real binary: an alert that fires is one page, and its repeats are none, also across
//! `kill -9`.

use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{Process, Server, curl, eventually};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

const DOCUMENT: &str = r#"
flags: { new-checkout: { default: on } }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
on_call:
  payments:
    pages_per_week: 2
    off_hours_incidents_per_half_year: 1
    hours: always
    match: { receiver: payments-pager, labels: { severity: page } }
    require_source: 15m
  orders: { pages_per_week: 2, off_hours_incidents_per_half_year: 1, hours: always, match: { receiver: orders-pager } }
"#;

/// The real Alertmanager, which repeats each second.
struct Alertmanager {
    url: String,
    _process: Process,
    _folder: TempDir,
}

impl Alertmanager {
    fn start(webhook: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let config = format!(
            "route: {{ receiver: payments-pager, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1s }}\n\
             receivers: [ {{ name: payments-pager, webhook_configs: [ {{ url: '{webhook}' }} ] }} ]\n"
        );
        std::fs::write(folder.path().join("alertmanager.yml"), config)?;
        // It tells of its port on standard error.
        let line = "exec prometheus-alertmanager --config.file=alertmanager.yml --storage.path=data \
                    --web.listen-address=127.0.0.1:0 --cluster.listen-address= 2>&1";
        let process = Process::start("alertmanager", Command::new("sh").current_dir(&folder).args(["-c", line]))?;
        let address = process.wait_for(|line| {
            let (_, rest) = line.split_once("msg=\"Listening on\" address=")?;
            rest.split_whitespace().next().map(str::to_owned)
        })?;
        Ok(Self { url: format!("http://{address}"), _process: process, _folder: folder })
    }

    fn post(&self, alert: &Value) -> Result<()> {
        let (url, body) = (format!("{}/api/v2/alerts", self.url), json!([alert]).to_string());
        curl(&["--header", "content-type: application/json", "--data-binary", &body, &url])?.expect_status(200)?;
        Ok(())
    }

    /// How many notifications it has delivered.
    fn delivered(&self) -> Result<u64> {
        let metrics = curl(&[format!("{}/metrics", self.url)])?.expect_status(200)?.body;
        let of = |name: &str| {
            let name = format!("{name}{{integration=\"webhook\"");
            let lines = metrics.lines().filter(move |line| line.starts_with(&name));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
        };
        let (all, failed) = (of("alertmanager_notifications_total"), of("alertmanager_notifications_failed_total"));
        // Counters, far below where they would not be whole.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of notifications")]
        Ok((all - failed) as u64)
    }

    /// Waits until it has delivered so many more.
    fn repeats(&self, more: u64) -> Result<()> {
        let wanted = self.delivered()? + more;
        eventually("Alertmanager repeats", || match self.delivered()? {
            delivered if delivered >= wanted => Ok(()),
            delivered => Err(anyhow!("{delivered} of {wanted} were delivered")),
        })
    }
}

/// An alert; as Prometheus does, it says since when it fires.
fn alert(starts: Timestamp, ends: &str) -> Value {
    json!({
        "labels": {"alertname": "CheckoutDown", "severity": "page", "instance": "shop-1"},
        "annotations": {"summary": "Checkout is down"},
        "startsAt": starts, "endsAt": ends,
    })
}

fn status(server: &Server) -> Result<Value> {
    server.get("/api/v1/on-call/payments/status")?.expect_status(200)?.json()
}

fn count_becomes(server: &Server, wanted: u64) -> Result<()> {
    eventually("the page arrives", || {
        let status = status(server)?;
        match status["pages"]["count"].as_u64() {
            Some(count) if count == wanted => Ok(()),
            count => Err(anyhow!("{count:?} pages, not {wanted}: {status}")),
        }
    })
}

fn logged(server: &Server) -> Result<usize> {
    let events = server.get("/api/v1/events?kind=page")?.expect_status(200)?.json()?;
    Ok(events["events"].as_array().context("a list")?.len())
}

#[test]
fn an_alert_is_one_page_and_its_repeats_are_none() -> Result<()> {
    let mut server = Server::start(DOCUMENT)?;
    let alertmanager = Alertmanager::start(&server.url("/api/v1/pages/alertmanager"))?;
    ensure!(status(&server)?["sources"][0]["silent"] == json!(true), "it was never heard from");

    let first = Timestamp::now();
    alertmanager.post(&alert(first, "2100-01-01T00:00:00Z"))?;
    count_becomes(&server, 1)?;
    alertmanager.repeats(3)?;
    let now = status(&server)?;
    ensure!(now["pages"]["count"] == json!(1) && now["spent"] == json!(false), "{now}");
    ensure!(now["sources"][0]["silent"] == json!(false), "{now}");
    ensure!(now["page_history"][0]["title"] == json!("Checkout is down"), "{now}");
    ensure!(now["further_page"]["refuses_start"] == json!(true), "{now}");

    server.restart()?;
    alertmanager.repeats(2)?;
    ensure!(status(&server)?["pages"]["count"] == json!(1), "{}", status(&server)?);

    // It ends, and fires anew: that is another page.
    alertmanager.post(&alert(first, &Timestamp::now().to_string()))?;
    eventually("Alertmanager tells of the end", || {
        let alerts = curl(&[format!("{}/api/v2/alerts", alertmanager.url)])?.json()?;
        if alerts == json!([]) { Ok(()) } else { Err(anyhow!("{alerts}")) }
    })?;
    alertmanager.post(&alert(Timestamp::now(), "2100-01-01T00:00:00Z"))?;
    count_becomes(&server, 2)?;
    alertmanager.repeats(2)?;
    let now = status(&server)?;
    ensure!(now["pages"]["count"] == json!(2) && now["spent"] == json!(true), "{now}");
    ensure!(logged(&server)? == 2, "each page is in the log once");
    let others = server.get("/api/v1/on-call/orders/status")?.json()?;
    ensure!(others["pages"]["count"] == json!(0), "{others}");
    Ok(())
}
