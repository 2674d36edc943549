//! The load generator: orders at a steady rate, each put into a cart and paid for.
//!
//! The rate is kept whether or not earlier orders are done, so that a slow shop shows as slow (no coordinated
//! omission): a latency counts from when its order was due.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::catalogue::PRODUCTS;

/// How one order went.
struct Order {
    /// `paid`, `queued`, or what went wrong.
    outcome: String,
    latency: Duration,
}

const COUNTRIES: [&str; 4] = ["DE", "FR", "NO", "US"];
const PLANS: [&str; 3] = ["free", "pro", "vip"];
const DURATION_MAX: Duration = Duration::from_secs(600);

/// Shops for a while and prints what it was like.
pub(crate) async fn run(shop: &str, rate: u32, duration: Duration) -> anyhow::Result<()> {
    ensure!(duration <= DURATION_MAX, "a load of at most 10 minutes, please");
    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    http.get(shop).send().await.with_context(|| format!("no shop answers at {shop}; start it first"))?;

    let start = Instant::now();
    let mut orders = JoinSet::new();
    let total = u32::try_from(u128::from(rate) * duration.as_millis() / 1_000)?;
    for number in 0..total {
        let due = start + Duration::from_secs_f64(f64::from(number) / f64::from(rate));
        tokio::time::sleep_until(due.into()).await;
        orders.spawn(order(http.clone(), shop.to_owned(), number, due));
    }
    let orders: Vec<Order> = orders.join_all().await;
    print(&orders, start.elapsed());
    Ok(())
}

async fn order(http: reqwest::Client, shop: String, number: u32, due: Instant) -> Order {
    let pick = |count: usize| number as usize % count;
    let customer = format!(
        "user=user-{number}&country={}&plan={}&app_version=2.4.0",
        COUNTRIES[pick(COUNTRIES.len())],
        PLANS[pick(PLANS.len())]
    );
    let product = json!({ "product": PRODUCTS[pick(PRODUCTS.len())].id });
    let outcome = match shop_once(&http, &shop, &customer, &product).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_timeout() => "timeout".to_owned(),
        Err(error) => error.status().map_or_else(|| "no connection".to_owned(), |status| status.to_string()),
    };
    Order { outcome, latency: due.elapsed() }
}

async fn shop_once(http: &reqwest::Client, shop: &str, customer: &str, product: &Value) -> reqwest::Result<String> {
    let post = |path: &str| http.post(format!("{shop}/{path}?{customer}"));
    post("cart").json(product).send().await?.error_for_status()?;
    let receipt: Value = post("checkout").send().await?.error_for_status()?.json().await?;
    Ok(receipt["payment"].as_str().unwrap_or("unreadable receipt").to_owned())
}

fn print(orders: &[Order], elapsed: Duration) {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for order in orders {
        *outcomes.entry(&order.outcome).or_default() += 1;
    }
    let mut latencies: Vec<Duration> = orders.iter().map(|order| order.latency).collect();
    latencies.sort_unstable();
    println!("{} orders in {:.1} s", orders.len(), elapsed.as_secs_f64());
    for (outcome, count) in outcomes {
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
