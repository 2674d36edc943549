//! What a run showed outlives its server, however that ends.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{Server, eventually, within};
use jiff::Timestamp;
use serde_json::Value;

use crate::guard::run;
use crate::shop::{Customers, Shop};

/// Orders begun per second.
const RATE: &str = "60";
/// Some 20 s, but for machines that are busy.
const SERVED_WITHIN: Duration = Duration::from_secs(180);

const DOCUMENT: &str = r#"
flags:
  search-banner: { variants: { none: "" }, off: none, default: none }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
slos:
  checkout: { objective: 95%, window: 28d, sli: { operation: "POST /checkout", good: { status: "<500", latency: "<10s" } } }
faults:
  gateway-slow:
    point: payment.gateway
    percentage: 20%
    effect: { latency: 10ms }
    hours: always
    guard: { slo: checkout, min_budget: 0%, max_spend: 50%, harm: 5% }
    max_duration: 10m
"#;

/// Starts a shadow run, once nothing stands against it.
fn start(server: &Server) -> Result<String> {
    eventually("a start", || {
        let answer = server.post("/api/v1/faults/gateway-slow/start", r#"{"shadow": true}"#)?.expect_status(201)?;
        answer.json()?["run"]["id"].as_str().map(str::to_owned).context(answer.body)
    })
}

/// How many requests were treated, as its evidence says.
fn treated(run: &Value) -> u64 {
    run["evidence"]["treated"]["requests"].as_u64().unwrap_or_default()
}

/// Waits until so many were treated, and so many moments seen: one each 10 s, which is how often it is kept.
fn served(server: &Server, id: &str, count: u64, moments: usize) -> Result<Value> {
    within(SERVED_WITHIN, "treated requests", || match run(server, id)? {
        run if treated(&run) >= count && seen(&run) >= moments => Ok(run),
        run => Err(anyhow!("{run:#}")),
    })
}

fn seen(run: &Value) -> usize {
    run["evidence"]["timeline"].as_array().map_or(0, Vec::len)
}

/// A run that a restart ended shows both arms, and when that was.
fn shows_what_was_kept(server: &Server, id: &str) -> Result<u64> {
    let after = run(server, id)?;
    ensure!(after["ended"] == "aborted: server_restarted" && after["verdict"] == "inconclusive", "{after:#}");
    let evidence = &after["evidence"];
    let control = &evidence["control"];
    ensure!(control["requests"].as_u64() > Some(0) && control["rate"]["upper"].as_f64() < Some(0.5), "{after:#}");
    ensure!(seen(&after) > 1, "{after:#}");
    ensure!(evidence["spent"]["bad"] == 0 && evidence["counts"] == after["counts"], "{after:#}");
    let as_of = evidence["as_of"].as_str().context("it says until when it was counted")?;
    let moment = |text: &Value| text.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    ensure!(
        moment(&after["started_at"]) < as_of.parse().ok() && as_of.parse().ok() < moment(&after["ended_at"]),
        "{after:#}"
    );
    let report = server.get(&format!("/api/v1/runs/{id}/report"))?.expect_status(200)?.body;
    ensure!(report.contains(&format!("as of {as_of}")), "{report}");
    Ok(treated(&after))
}

/// A server that has just started tells once of the run that its start ended; where it ended none, it tells of none.
fn tells_once(server: &mut Server, id: &str, expected: usize) -> Result<()> {
    // What it recorded as it opened comes before that it started.
    let counted = eventually("what the server recorded", || {
        let text = server.get("/metrics")?.expect_status(200)?.body;
        if text.contains("daybreak_events_total{kind=\"server.started\"} 1\n") { Ok(text) } else { Err(anyhow!(text)) }
    })?;
    let ended = format!("daybreak_runs_ended_total{{ended=\"aborted\",cause=\"server_restarted\"}} {expected}\n");
    ensure!(counted.contains(&ended), "{counted}");
    eventually("its lines", || {
        let output = server.process().output();
        let lines = output.lines().filter(|line| line.contains("a run is over") && line.contains(id)).count();
        if lines == expected { Ok(()) } else { Err(anyhow!("{lines} lines of the run {id}: {output}")) }
    })
}

#[test]
fn the_evidence_of_a_run_outlives_kill_and_restart() -> Result<()> {
    let mut server = Server::with(DOCUMENT, &["--max-blast-radius", "50%"])?;
    let open = Shop::open(&server.url(""))?;
    let _customers = Customers::at_rate(&open, RATE)?;

    let killed = start(&server)?;
    let before = treated(&served(&server, &killed, 20, 3)?);
    server.restart()?;
    tells_once(&mut server, &killed, 1)?;
    let kept = shows_what_was_kept(&server, &killed)?;
    ensure!(kept > 0, "nothing was kept of {before} treated requests");

    let stopped = start(&server)?;
    let before = treated(&served(&server, &stopped, 20, 1)?);
    server.process().terminate()?;
    server.process().wait()?;
    server.start_again()?;
    let kept = shows_what_was_kept(&server, &stopped)?;
    ensure!(kept >= before, "a clean stop keeps all: {kept} of {before}");

    // It is on record by now.
    server.restart()?;
    tells_once(&mut server, &stopped, 0)?;
    ensure!(shows_what_was_kept(&server, &stopped)? == kept, "another restart changed it");
    Ok(())
}
