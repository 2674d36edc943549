//! Searches as fast as they go, to count: each customer asks again when it has its answer.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context as _;
use daybreak_sdk::middleware::INJECTED_HEADER;
use tokio::task::JoinSet;

use crate::load::failure;

/// What came of searches: how many by status (or by what went wrong), and how many met an injected fault.
#[derive(Default)]
struct Count {
    by_outcome: BTreeMap<String, u64>,
    struck: u64,
}

/// Searches and prints `COUNT searches in SECONDS s`, the outcomes, and `STRUCK met a fault`.
pub(crate) async fn run(shop: &str, count: u32, customers: u32) -> anyhow::Result<()> {
    // A client for each customer, as browsers are; each keeps its connection.
    let start = Instant::now();
    let mut all = JoinSet::new();
    for customer in 0..customers {
        let searches = count / customers + u32::from(customer < count % customers);
        all.spawn(search(reqwest::Client::new(), format!("{shop}/search?q=tea&user=user-{customer}"), searches));
    }
    let mut total = Count::default();
    while let Some(counted) = all.join_next().await {
        let counted = counted.context("a customer left")?;
        total.struck += counted.struck;
        counted.by_outcome.into_iter().for_each(|(outcome, n)| *total.by_outcome.entry(outcome).or_default() += n);
    }
    println!("{count} searches in {:.1} s", start.elapsed().as_secs_f64());
    total.by_outcome.iter().for_each(|(outcome, n)| println!("  {n} answered {outcome}"));
    println!("  {} met a fault", total.struck);
    Ok(())
}

async fn search(http: reqwest::Client, url: String, searches: u32) -> Count {
    let mut count = Count::default();
    for _ in 0..searches {
        let outcome = match http.get(&url).send().await {
            Ok(answer) => {
                count.struck += u64::from(answer.headers().contains_key(INJECTED_HEADER));
                let status = answer.status().as_u16().to_string();
                // The connection is kept only where the body is read.
                answer.bytes().await.map_or_else(|error| failure(&error), |_| status)
            }
            Err(error) => failure(&error),
        };
        *count.by_outcome.entry(outcome).or_default() += 1;
    }
    count
}
