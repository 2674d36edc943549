//! The load generator: orders at a steady rate, each put into a cart and paid for.
//!
//! The rate is kept whether or not earlier orders are done, so that a slow shop shows as slow (no coordinated
//! omission): a latency counts from when its order was due.
//!
//! With `--log` each order that is done has a line, `order NUMBER BEGAN ENDED OUTCOME CHECKOUT [STRUCK…]`: when its
//! checkout began and ended and when tries of its payment were struck, in microseconds since the machine started,
//! and which checkout it was (`-` where there is no receipt).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use daybreak_sdk::faults::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::catalogue::PRODUCTS;
use crate::strikes::INJECTED_AT_HEADER;

/// How one order went.
struct Order {
    /// `paid`, `queued`, or what went wrong.
    outcome: String,
    latency: Duration,
    /// How many of its payment's tries were struck.
    strikes: usize,
}

/// What the shop answered.
struct Answer {
    payment: String,
    checkout: String,
    /// The moments at which tries were struck, as the shop tells them.
    struck: String,
}

const COUNTRIES: [&str; 4] = ["DE", "FR", "NO", "US"];
const PLANS: [&str; 3] = ["free", "pro", "vip"];
/// How long it keeps a connection that it does not use: shorter than the shop does.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// How long a customer waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
const DURATION_MAX: Duration = Duration::from_secs(600);

/// Shops for a while and prints what it was like.
pub(crate) async fn run(shop: &str, rate: u32, duration: Duration, log: bool) -> anyhow::Result<()> {
    ensure!(duration <= DURATION_MAX, "a load of at most 10 minutes, please");
    let http = reqwest::Client::builder().timeout(PATIENCE).pool_idle_timeout(IDLE_MAX).build()?;
    http.get(shop).send().await.with_context(|| format!("no shop answers at {shop}; start it first"))?;

    let start = Instant::now();
    let mut orders = JoinSet::new();
    let total = u32::try_from(u128::from(rate) * duration.as_millis() / 1_000)?;
    for number in 0..total {
        let due = start + Duration::from_secs_f64(f64::from(number) / f64::from(rate));
        tokio::time::sleep_until(due.into()).await;
        orders.spawn(order(http.clone(), shop.to_owned(), number, due, log));
    }
    let orders: Vec<Order> = orders.join_all().await;
    print(&orders, start.elapsed());
    Ok(())
}

async fn order(http: reqwest::Client, shop: String, number: u32, due: Instant, log: bool) -> Order {
    let pick = |count: usize| number as usize % count;
    let customer = format!(
        "user=user-{number}&country={}&plan={}&app_version=2.4.0",
        COUNTRIES[pick(COUNTRIES.len())],
        PLANS[pick(PLANS.len())]
    );
    let product = json!({ "product": PRODUCTS[pick(PRODUCTS.len())].id });
    let micros = || SystemClock.now().boot.as_micros();
    let began = micros();
    let answer = shop_once(&http, &shop, &customer, &product).await.unwrap_or_else(|error| Answer {
        payment: failure(&error),
        checkout: "-".to_owned(),
        struck: String::new(),
    });
    if log {
        let Answer { payment, checkout, struck } = &answer;
        println!("order {number} {began} {} {payment} {checkout} {struck}", micros());
    }
    Order { outcome: answer.payment, latency: due.elapsed(), strikes: answer.struck.split_whitespace().count() }
}

async fn shop_once(http: &reqwest::Client, shop: &str, customer: &str, product: &Value) -> reqwest::Result<Answer> {
    let post = |path: &str| http.post(format!("{shop}/{path}?{customer}"));
    post("cart").json(product).send().await?.error_for_status()?;
    let answer = post("checkout").send().await?;
    let struck = answer.headers().get(INJECTED_AT_HEADER).and_then(|value| value.to_str().ok());
    let struck = struck.unwrap_or_default().to_owned();
    let status = answer.status();
    if !status.is_success() {
        return Ok(Answer { payment: status.as_u16().to_string(), checkout: "-".to_owned(), struck });
    }
    let receipt: Value = answer.json().await?;
    let text = |name: &str| receipt[name].as_str().unwrap_or("unreadable").to_owned();
    Ok(Answer { payment: text("payment"), checkout: text("checkout"), struck })
}

/// Why an order has no answer, in a word.
pub(crate) fn failure(error: &reqwest::Error) -> String {
    match error.status() {
        Some(status) => status.as_u16().to_string(),
        None if error.is_timeout() => "timeout".to_owned(),
        None => "unreachable".to_owned(),
    }
}

fn print(orders: &[Order], elapsed: Duration) {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for order in orders {
        *outcomes.entry(&order.outcome).or_default() += 1;
    }
    let mut latencies: Vec<Duration> = orders.iter().map(|order| order.latency).collect();
    latencies.sort_unstable();
    println!("{} orders in {:.1} s", orders.len(), elapsed.as_secs_f64());
    let struck = orders.iter().filter(|order| order.strikes > 0).count();
    for (outcome, count) in outcomes.into_iter().chain([("met a fault", struck)]) {
        #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
        let share = 100.0 * count as f64 / orders.len() as f64;
        println!("  {outcome:<16} {count:>7}  {share:>6.2} %");
    }
    for (name, thousandths) in [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999), ("max", 1_000)] {
        let rank = (latencies.len() * thousandths).div_ceil(1_000).saturating_sub(1);
        if let Some(latency) = latencies.get(rank) {
            println!("  {name:<6} {:>9.1} ms", latency.as_secs_f64() * 1_000.0);
        }
    }
}
