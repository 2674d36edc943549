//! What Daybreak starts by itself, on a server whose clock the test sets.

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{curl, eventually};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::hours::Server;
use crate::shop::Shop;

const DOCUMENT: &str = r#"
flags:
  search-banner: { variants: { none: "" }, off: none, default: none }
hours:
  office: { time_zone: Europe/Berlin, weekdays: mon..fri, times: ["10:00-12:00"] }
faults:
  broken:
    point: catalogue.search
    percentage: 1%
    effect: { error: { status: 503, code: gateway_down } }
    hours: office
    guard: none
    schedule: daily
    max_duration: 10m
"#;

/// A Monday, years from now, before the office opens.
const MONDAY: &str = "2035-01-08T07:30:00+01:00";

fn get(server: &Server, path: &str) -> Result<Value> {
    curl(&[server.url(path)])?.expect_status(200)?.json()
}

/// When the next start is due.
fn next(server: &Server) -> Result<Timestamp> {
    let schedule = eventually("a next start", || {
        let schedule = get(server, "/api/v1/faults/broken/schedule")?;
        if schedule["next"].is_string() { Ok(schedule) } else { Err(anyhow!("{schedule:#}")) }
    })?;
    schedule["next"].as_str().context("a moment")?.parse().map_err(Into::into)
}

/// What became of the last start, once that is another than before, and is over.
fn last(server: &Server, before: &Value) -> Result<Value> {
    eventually("an attempt", || {
        let schedule = get(server, "/api/v1/faults/broken/schedule")?;
        let last = &schedule["last"];
        if last == before || last["outcome"] == "starting" { Err(anyhow!("{schedule:#}")) } else { Ok(last.clone()) }
    })
}

fn set(server: &Server, moment: Timestamp) -> Result<()> {
    server.clock.set(&moment.to_string())
}

#[test]
fn a_fault_starts_once_a_day_inside_its_hours() -> Result<()> {
    let server = Server::start(MONDAY, DOCUMENT)?;
    let shop = Shop::open(&server.url(""))?;
    shop.has_heard(&server.url(""))?;
    let due = next(&server)?;
    let (opens, closes): (Timestamp, Timestamp) =
        ("2035-01-08T10:00:00+01:00".parse()?, "2035-01-08T12:00:00+01:00".parse()?);
    ensure!(opens <= due && due + SignedDuration::from_mins(10) <= closes, "the whole run fits: {due}");
    ensure!(get(&server, "/api/v1/runs")?["runs"].as_array().is_some_and(Vec::is_empty), "nothing starts before");

    // The clock waits for the shop to be known on it.
    eventually("a client at the point", || {
        set(&server, due - SignedDuration::from_secs(15))?;
        let points = get(&server, "/api/v1/fault-points")?;
        if points.to_string().contains("\"clients\":1") { Ok(()) } else { Err(anyhow!("{points:#}")) }
    })?;
    set(&server, due)?;
    let attempt = last(&server, &Value::Null)?;
    ensure!(attempt["outcome"] == "started", "{attempt:#}");
    let runs = get(&server, "/api/v1/runs")?;
    let run = runs["runs"].get(0).context("a run")?;
    ensure!(run["started_by"] == "schedule" && run["id"] == attempt["run"], "{run:#}");
    eventually("a strike", || match shop.search(1_000)? {
        0 => Err(anyhow!("nothing was struck")),
        _ => Ok(()),
    })?;

    // Once a day: the next one is tomorrow's.
    let tomorrow = next(&server)?;
    let day = "2035-01-09T00:00:00+01:00".parse::<Timestamp>()?;
    ensure!(tomorrow > day && tomorrow < day + SignedDuration::from_hours(24), "{tomorrow}");

    // While everything is halted it is skipped, which the log says; and it is not made up for.
    curl(&["--request", "PUT", &server.url("/api/v1/halt")])?.expect_status(200)?;
    set(&server, tomorrow)?;
    let skipped = last(&server, &attempt)?;
    ensure!(skipped["outcome"] == "skipped" && skipped.to_string().contains("\"halted\""), "{skipped:#}");
    let events = get(&server, "/api/v1/events?kind=schedule.skipped")?;
    ensure!(events.to_string().contains("faults/broken"), "{events:#}");
    ensure!(next(&server)? > day + SignedDuration::from_hours(24), "not made up for");
    Ok(())
}
