//! What becomes of a verdict where requests time out and where clients are killed: what nobody tells is not taken for
//! good.

use anyhow::{Result, anyhow, ensure};
use daybreak_tests::{Server, within};
use serde_json::Value;

use crate::guard::{CONCLUDED_WITHIN, begin, concluded, run, treated, without_fallback};
use crate::shop::{Customers, Gateway, Shop};

/// Orders begun per second at each shop.
const RATE: &str = "40";

const DOCUMENT: &str = r#"
flags:
  payment-fallback: { default: on }
  gateway-timeout: { variants: { patient: 2000 }, off: patient, default: patient }
  search-banner: { variants: { none: "" }, off: none, default: none }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
slos:
  checkout: { objective: 95%, window: 28d, sli: { operation: "POST /checkout", good: { status: "<500", latency: "<9s" } } }
faults:
  charge-hangs:
    point: gateway.charge
    percentage: 20%
    effect: { hang: { max: 2500ms } }
    hours: always
    guard: { slo: checkout, min_budget: 0%, max_spend: 50%, harm: 5% }
    max_duration: 5m
  gateway-fails:
    point: payment.gateway
    percentage: 20%
    effect: { error: { status: 503 } }
    hours: always
    guard: { slo: checkout, min_budget: 0%, max_spend: 50%, harm: 5% }
    max_duration: 5m
"#;

fn server() -> Result<Server> {
    Server::with(DOCUMENT, &["--max-blast-radius", "50%"])
}

/// Waits until so many treated requests were struck.
fn struck(server: &Server, id: &str, wanted: u64) -> Result<Value> {
    within(CONCLUDED_WITHIN, "strikes", || match run(server, id) {
        Ok(run) if treated(&run, "struck") >= wanted => Ok(run),
        other => Err(anyhow!("{other:?}")),
    })
}

fn ended(server: &Server, id: &str) -> Result<Value> {
    within(CONCLUDED_WITHIN, "the end of the run", || match run(server, id) {
        Ok(run) if run["ended"].is_string() => Ok(run),
        other => Err(anyhow!("{other:?}")),
    })
}

/// The second service hangs; the first waits in vain, and its customers for longer than the SLO has it.
#[test]
fn struck_requests_that_time_out_over_two_services_are_harm() -> Result<()> {
    let server = server()?;
    let gateway = Gateway::open(&server.url(""))?;
    let open = Shop::open_behind(&server.url(""), &gateway)?;
    let _customers = Customers::at_rate(&open, RATE)?;
    without_fallback(&server, &open)?;
    let id = begin(&server, "charge-hangs")?;
    let run = concluded(&server, &id)?;
    ensure!(run["verdict"] == "harmful" && run["ended"] == "aborted: harm", "{run}");
    ensure!(treated(&run, "bad") >= 3 && treated(&run, "struck") > 0, "{run}");
    Ok(())
}

/// One client that is killed does not end a run, and takes nothing back of what it told.
#[test]
fn a_shop_that_is_killed_leaves_the_verdict_to_the_others() -> Result<()> {
    let server = server()?;
    let (mut killed, other) = (Shop::open(&server.url(""))?, Shop::open(&server.url(""))?);
    let _customers = (Customers::at_rate(&killed, RATE)?, Customers::at_rate(&other, RATE)?);
    let id = begin(&server, "gateway-fails")?;
    let before = struck(&server, &id, 100)?;
    killed.kill()?;
    let later = struck(&server, &id, treated(&before, "struck") + 200)?;
    ensure!(later["active"] == true, "one lost client ended the run: {later}");
    server.post("/api/v1/faults/gateway-fails/stop", "")?.expect_status(200)?;
    let run = concluded(&server, &id)?;
    let sum = |run: &Value, what| treated(run, what) + run["evidence"]["control"][what].as_u64().unwrap_or_default();
    ensure!(run["evidence"]["reached"] == 2 && sum(&run, "requests") >= sum(&later, "requests"), "{run}");
    // Open where it was killed: one in a few of those that were under way, and they are not taken for good.
    ensure!(["resilient", "inconclusive"].contains(&run["verdict"].as_str().unwrap_or_default()), "{run}");
    ensure!(sum(&run, "error") == 0, "{run}");
    Ok(())
}

/// Two that struck, and are gone at once: perhaps the fault killed them. Whatever the counts say, that is not resilience.
#[test]
fn two_shops_that_are_killed_end_the_run_without_resilience() -> Result<()> {
    let server = server()?;
    let mut shops = [Shop::open(&server.url(""))?, Shop::open(&server.url(""))?];
    let witness = Shop::open(&server.url(""))?;
    let loads = shops.iter().chain([&witness]).map(|shop| Customers::at_rate(shop, RATE));
    let _customers = loads.collect::<Result<Vec<_>>>()?;
    let id = begin(&server, "gateway-fails")?;
    struck(&server, &id, 300)?;
    shops.iter_mut().try_for_each(Shop::kill)?;
    let run = ended(&server, &id)?;
    ensure!(run["ended"] == "aborted: clients_lost", "{run}");
    let run = concluded(&server, &id)?;
    ensure!(run["verdict"] != "resilient", "{run}");
    Ok(())
}
