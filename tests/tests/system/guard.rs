//! The guard over the real shop: what users feel ends a run, and says what it showed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use daybreak_tests::{Server, curl, eventually, within};
use serde_json::Value;

use crate::shop::{Customers, Gateway, Shop};

/// Orders begun per second.
const RATE: &str = "60";
/// Longer than the 30 s in which a run's last requests are counted.
pub(crate) const CONCLUDED_WITHIN: Duration = Duration::from_secs(120);

const DOCUMENT: &str = r#"
flags:
  payment-fallback: { default: on }
  gateway-timeout: { variants: { patient: 2000 }, off: patient, default: patient }
  search-banner: { variants: { none: "" }, off: none, default: none }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
slos:
  checkout: { objective: 95%, window: 28d, sli: { operation: "POST /checkout", good: { status: "<500", latency: "<10s" } } }
faults:
  gateway-slow:
    point: payment.gateway
    percentage: 20%
    effect: { latency: 6s }
    hours: always
    guard: { slo: checkout, min_budget: 0%, max_spend: 50%, harm: 5%, stop_when: resilient }
    max_duration: 5m
  charge-fails:
    point: gateway.charge
    percentage: 20%
    effect: { error: { status: 503 } }
    hours: always
    guard: { slo: checkout, min_budget: 0%, max_spend: 50%, harm: 5%, stop_when: resilient }
    max_duration: 5m
"#;

/// A server whose runs may touch a fifth.
fn server() -> Result<Server> {
    Server::with(DOCUMENT, &["--max-blast-radius", "50%"])
}

/// Switches the shop's fall-back off, and waits until it has heard of it.
pub(crate) fn without_fallback(server: &Server, open: &Shop) -> Result<()> {
    let url = server.url("/api/v1/flags/payment-fallback");
    curl(&["--request", "PATCH", "--data-binary", r#"{"default": "off"}"#, &url])?.expect_status(200)?;
    open.has_heard(&server.url(""))
}

fn start(server: &Server, fault: &str, body: &str) -> Result<Result<String, Vec<String>>> {
    ask(&server.url(&format!("/api/v1/faults/{fault}/start")), body)
}

/// The run that was started, or the codes of what stands against it.
pub(crate) fn ask(url: &str, body: &str) -> Result<Result<String, Vec<String>>> {
    let answer = curl(&["--request", "POST", "--data-binary", body, url])?;
    let body: Value = serde_json::from_str(&answer.body).with_context(|| answer.body.clone())?;
    if let Some(run) = body["run"]["id"].as_str() {
        return Ok(Ok(run.to_owned()));
    }
    let reasons = body["reasons"].as_array().with_context(|| answer.body.clone())?;
    Ok(Err(reasons.iter().filter_map(|reason| reason["code"].as_str().map(str::to_owned)).collect()))
}

/// Waits until nothing but this stands against a start.
pub(crate) fn only(server: &str, fault: &str, expected: &[&str]) -> Result<()> {
    eventually(&format!("only {expected:?} to stand against a start"), || {
        match ask(&format!("{server}/api/v1/faults/{fault}/start?dry_run=true"), "") {
            Ok(Err(reasons)) if reasons == expected => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
}

pub(crate) fn run(server: &Server, id: &str) -> Result<Value> {
    server.get(&format!("/api/v1/runs/{id}"))?.expect_status(200)?.json()
}

/// A run that is over, once it has a verdict.
pub(crate) fn concluded(server: &Server, id: &str) -> Result<Value> {
    within(CONCLUDED_WITHIN, "a verdict", || match run(server, id) {
        Ok(run) if run["verdict"].is_string() => Ok(run),
        other => Err(format!("{other:?}")),
    })
}

/// Starts a fault, after the shadow run that comes first.
pub(crate) fn begin(server: &Server, fault: &str) -> Result<String> {
    only(&server.url(""), fault, &["shadow_first"])?;
    let shadow = start(server, fault, r#"{"shadow": true, "duration": "5s"}"#)?;
    let shadow = shadow.map_err(|reasons| anyhow::anyhow!("refused: {reasons:?}"))?;
    let shadow = concluded(server, &shadow)?;
    ensure!(shadow["ended"] == "completed", "{shadow}");
    start(server, fault, "{}")?.map_err(|reasons| anyhow::anyhow!("refused: {reasons:?}"))
}

/// Runs a fault, after the shadow run that comes first; the concluded run.
fn experiment(server: &Server, fault: &str) -> Result<Value> {
    let started = begin(server, fault)?;
    let run = concluded(server, &started)?;
    let evidence = &run["evidence"];
    println!(
        "{fault}: {} {} after {} .. {}; treated {}, control {}, spent {}, ln E {}, harm {}",
        run["ended"],
        run["verdict"],
        run["started_at"],
        run["ended_at"],
        evidence["treated"],
        evidence["control"],
        evidence["spent"],
        evidence["harm_ln_e"],
        evidence["harm"]
    );
    Ok(run)
}

pub(crate) fn treated(run: &Value, what: &str) -> u64 {
    run["evidence"]["treated"][what].as_u64().unwrap_or_default()
}

#[test]
fn a_fallback_that_works_is_shown_to_be_resilient() -> Result<()> {
    let server = server()?;
    let open = Shop::open(&server.url(""))?;
    let _customers = Customers::at_rate(&open, RATE)?;
    let run = experiment(&server, "gateway-slow")?;
    ensure!(run["verdict"] == "resilient" && run["ended"] == "completed", "{run}");
    ensure!(treated(&run, "struck") > 50 && treated(&run, "bad") == 0, "{run}");
    Ok(())
}

/// Invariant 1: what users feel ends the run.
#[test]
fn invariant_1_a_missing_fallback_ends_the_run_by_harm() -> Result<()> {
    let server = server()?;
    let open = Shop::open(&server.url(""))?;
    let _customers = Customers::at_rate(&open, RATE)?;
    without_fallback(&server, &open)?;
    let run = experiment(&server, "gateway-slow")?;
    ensure!(run["verdict"] == "harmful" && run["ended"] == "aborted: harm", "{run}");
    ensure!(treated(&run, "error") >= 3, "{run}");
    Ok(())
}

/// Invariant 4: the fault point is in the second service, the draw and the outcome at the first.
#[test]
fn invariant_4_over_two_services_the_root_draws_and_counts() -> Result<()> {
    let server = server()?;
    let gateway = Gateway::open(&server.url(""))?;
    let open = Shop::open_behind(&server.url(""), &gateway)?;
    let _customers = Customers::at_rate(&open, RATE)?;
    without_fallback(&server, &open)?;
    let run = experiment(&server, "charge-fails")?;
    ensure!(run["verdict"] == "harmful" && run["ended"] == "aborted: harm", "{run}");
    let (requests, struck, bad) = (treated(&run, "requests"), treated(&run, "struck"), treated(&run, "bad"));
    ensure!(struck > 0 && bad > 0, "{run}");
    ensure!(struck >= bad, "only what was struck fails here: {run}");
    ensure!(run["evidence"]["control"]["bad"] == 0, "{run}");
    ensure!(requests >= bad, "{run}");
    Ok(())
}
