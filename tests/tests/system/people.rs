//! What pages people ends runs, and in the end changes too: on the real server with another clock, under the real shop.

use anyhow::{Result, anyhow, ensure};
use daybreak_tests::{Answer, curl, eventually};
use serde_json::Value;

use crate::guard::{ask, only};
use crate::hours::Server;
use crate::shop::{Customers, Shop};

/// People may be paged as often as they like here, but work one incident off-hours in half a year.
const DOCUMENT: &str = r#"
flags:
  payment-fallback: { default: on }
  gateway-timeout: { variants: { patient: 2000 }, off: patient, default: patient }
  search-banner: { variants: { none: "", sale: all }, off: none, default: none }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
  office: { time_zone: Europe/Berlin, weekdays: mon..fri, times: ["09:00-17:30"] }
slos:
  checkout: { objective: 95%, window: 28d, sli: { operation: "POST /checkout", good: { status: "<500", latency: "<10s" } } }
on_call:
  payments: { pages_per_week: 10, off_hours_incidents_per_half_year: 1, hours: office, freeze: changes }
faults:
  gateway-slow:
    point: payment.gateway
    percentage: 4%
    effect: { latency: 50ms }
    hours: always
    guard: { slo: checkout, min_budget: 0%, on_call: payments }
    max_duration: 10m
"#;

/// Moments of one winter, years from now; people sleep at each but the last.
const NIGHT: &str = "2035-01-08T03:00:00+01:00";
const HALF_A_YEAR_LATER: &str = "2035-07-12T10:00:00+02:00";

fn send(server: &Server, method: &str, path: &str, body: &str) -> Result<Answer> {
    curl(&["--request", method, "--data-binary", body, &server.url(path)])
}

/// Somebody is paged, and works on it.
fn page(server: &Server, incident: &str) -> Result<()> {
    let body = format!(
        r#"{{"on_call": "payments", "key": "{incident}", "title": "Checkout is down", "off_hours_work": true}}"#
    );
    send(server, "POST", "/api/v1/pages", &body)?.expect_status(200)?;
    Ok(())
}

/// The on-call: how many incidents were worked off-hours, and whether the budget is spent.
fn on_call(server: &Server) -> Result<(Value, Value)> {
    let status = curl(&[server.url("/api/v1/on-call/payments/status")])?.expect_status(200)?.json()?;
    Ok((status["off_hours_incidents"]["count"].clone(), status["spent"].clone()))
}

fn started(server: &Server, body: &str) -> Result<String> {
    ask(&server.url("/api/v1/faults/gateway-slow/start"), body)?.map_err(|reasons| anyhow!("refused: {reasons:?}"))
}

fn ended(server: &Server, id: &str) -> Result<String> {
    eventually("the end of the run", || {
        let run = curl(&[server.url(&format!("/api/v1/runs/{id}"))])?.expect_status(200)?.json()?;
        run["ended"].as_str().map(str::to_owned).ok_or_else(|| anyhow!("{run}"))
    })
}

/// Waits for the run, once its evidence has come in and it has a verdict.
fn concluded(server: &Server, id: &str) -> Result<()> {
    eventually("a verdict", || {
        let run = curl(&[server.url(&format!("/api/v1/runs/{id}"))])?.expect_status(200)?.json()?;
        if run["verdict"].is_string() { Ok(()) } else { Err(anyhow!("{run}")) }
    })
}

fn with_the_banner(server: &Server, query: &str) -> Result<Answer> {
    send(server, "PATCH", &format!("/api/v1/flags/search-banner{query}"), r#"{"default": "sale"}"#)
}

/// No new page comes: somebody works at night on one that came before the run, and one more would break the objective.
#[test]
fn work_on_an_old_page_ends_the_run() -> Result<()> {
    let server = Server::start(NIGHT, DOCUMENT)?;
    let shop = Shop::open(&server.url(""))?;
    let _customers = Customers::at_rate(&shop, "60")?;
    send(&server, "POST", "/api/v1/pages", r#"{"on_call": "payments", "key": "INC-6"}"#)?.expect_status(200)?;
    only(&server.url(""), "gateway-slow", &["shadow_first"])?;
    let shadow = started(&server, r#"{"shadow": true, "duration": "5s"}"#)?;
    ensure!(ended(&server, &shadow)? == "completed");
    concluded(&server, &shadow)?;
    let run = started(&server, "{}")?;
    page(&server, "INC-6")?;
    ensure!(ended(&server, &run)? == "aborted: paged");
    let run = curl(&[server.url(&format!("/api/v1/runs/{run}"))])?.expect_status(200)?.json()?;
    ensure!(run["end_reason"].as_str().is_some_and(|why| why.contains("its hours are closed until")), "{run}");
    Ok(())
}

#[test]
fn a_night_that_was_worked_ends_the_run_and_freezes_changes() -> Result<()> {
    let server = Server::start(NIGHT, DOCUMENT)?;
    let shop = Shop::open(&server.url(""))?;
    let _customers = Customers::at_rate(&shop, "60")?;
    only(&server.url(""), "gateway-slow", &["shadow_first"])?;
    let shadow = started(&server, r#"{"shadow": true, "duration": "5s"}"#)?;
    ensure!(ended(&server, &shadow)? == "completed");
    concluded(&server, &shadow)?;

    // Any page ends the run; the first night that is worked is still fair.
    let run = started(&server, "{}")?;
    page(&server, "INC-7")?;
    ensure!(ended(&server, &run)? == "aborted: paged");
    ensure!(on_call(&server)? == (1.into(), false.into()), "{:?}", on_call(&server)?);
    with_the_banner(&server, "")?.expect_status(200)?;

    // The second is not.
    page(&server, "INC-8")?;
    ensure!(on_call(&server)? == (2.into(), true.into()), "{:?}", on_call(&server)?);
    let refused = ask(&server.url("/api/v1/faults/gateway-slow/start"), "{}")?;
    ensure!(refused.as_ref().is_err_and(|codes| codes.iter().any(|code| code == "people_budget")), "{refused:?}");
    let back = r#"{"default": "none"}"#;
    let frozen = send(&server, "PATCH", "/api/v1/flags/search-banner", back)?.expect_status(409)?.json()?;
    ensure!(frozen["code"] == "frozen" && frozen["on_calls"] == serde_json::json!(["payments"]), "{frozen}");
    let objective = r#"{"off_hours_incidents_per_half_year": 9}"#;
    send(&server, "PATCH", "/api/v1/on-call/payments", objective)?.expect_status(409)?;
    let flag = curl(&[server.url("/api/v1/flags/search-banner")])?.expect_status(200)?.json()?;
    ensure!(flag["default"] == "sale", "a change that was refused changed something: {flag}");

    // Off it may go, and an admin may say why it must go on.
    send(&server, "POST", "/api/v1/flags/search-banner/disable", "")?.expect_status(200)?;
    send(&server, "POST", "/api/v1/flags/search-banner/enable", "")?.expect_status(409)?;
    send(&server, "POST", "/api/v1/flags/search-banner/enable?override=the%20fix%20for%20INC-8", "")?
        .expect_status(200)?;
    let events = curl(&[server.url("/api/v1/events?kind=flag.enabled")])?.expect_status(200)?.json()?;
    let why = &events["events"][0]["data"]["override"];
    ensure!(why["reason"] == "the fix for INC-8", "{events}");

    // Nights are forgotten in the end.
    server.clock.set(HALF_A_YEAR_LATER)?;
    eventually("the budget to be there again", || match on_call(&server)? {
        (_, spent) if spent == false => Ok(()),
        other => Err(anyhow!("{other:?}")),
    })?;
    send(&server, "PATCH", "/api/v1/flags/search-banner", back)?.expect_status(200)?;
    Ok(())
}
