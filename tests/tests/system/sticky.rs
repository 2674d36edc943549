//! A fault that draws by an attribute, over the real shop: whoever is drawn is struck at each pass, and nobody else is.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{Server, eventually, within};
use serde_json::Value;

use crate::shop::{Customers, Shop};

/// Some seconds, but for machines that are busy.
const ENOUGH_WITHIN: Duration = Duration::from_secs(180);

/// Each order is of another customer. To draw 40 % of them takes 250.
const DOCUMENT: &str = r#"
flags:
  payment-fallback: { default: on }
  gateway-timeout: { variants: { patient: 2000 }, off: patient, default: patient }
  search-banner: { variants: { none: "" }, off: none, default: none }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
faults:
  sticky:
    point: payment.gateway
    percentage: 40%
    by: targetingKey
    effect: { error: { status: 503 } }
    hours: always
    guard: none
    max_duration: 10m
"#;

fn start(server: &Server) -> Result<Value> {
    server.post("/api/v1/faults/sticky/start", "")?.expect_status(201)?.json()
}

#[test]
fn invariant_4_a_sticky_run_strikes_the_keys_that_it_drew() -> Result<()> {
    let server = Server::with(DOCUMENT, &["--max-blast-radius", "50%"])?;
    let open = Shop::open(&server.url(""))?;
    let customers = Customers::at_rate(&open, "60")?;
    // Without enough keys nothing starts.
    eventually("a refusal for want of keys", || {
        let answer = server.post("/api/v1/faults/sticky/start?dry_run=true", "")?.expect_status(409)?;
        let reasons = answer.json()?["reasons"].clone();
        let codes: Vec<&str> =
            reasons.as_array().into_iter().flatten().filter_map(|one| one["code"].as_str()).collect();
        if codes == ["insufficient_data"] { Ok(()) } else { Err(anyhow!("{codes:?}")) }
    })?;
    let started = within(ENOUGH_WITHIN, "enough keys", || start(&server))?;
    let id = started["run"]["id"].as_str().context("a run")?.to_owned();
    let run = within(ENOUGH_WITHIN, "struck keys", || {
        let run = server.get(&format!("/api/v1/runs/{id}"))?.expect_status(200)?.json()?;
        let keys = run["evidence"]["treated"]["struck"].as_u64();
        if keys > Some(30) { Ok(run) } else { Err(anyhow!("{run:#}")) }
    })?;
    // Each customer orders once: as many keys as requests were drawn, to those under way.
    let (keys, requests) = (&run["evidence"]["treated"], &run["counts"]);
    let (drawn, treated) = (keys["requests"].as_u64().unwrap_or(0), requests["treated"].as_u64().unwrap_or(0));
    ensure!(drawn > 0 && drawn.abs_diff(treated) <= treated / 4, "{run:#}");
    let control = run["evidence"]["control"]["requests"].as_u64().unwrap_or(0);
    ensure!(control > drawn, "less than half are drawn: {run:#}");
    ensure!(requests["strikes"].as_u64() >= requests["struck"].as_u64(), "{run:#}");

    // A payment that is tried again is struck again: the draw is the key's.
    let twice = customers.wait_for("an order that was struck twice", |order| order.struck.len() > 1)?;
    ensure!(twice.outcome != "paid", "{twice:?}");
    let half = customers.orders().into_iter().filter(|order| !order.struck.is_empty() && order.outcome == "paid");
    ensure!(half.count() == 0, "an order was struck at one try, and spared at another");
    server.post("/api/v1/faults/sticky/stop", "")?.expect_status(200)?;
    Ok(())
}
