//! A client that reports traffic at fault points, so that runs may start; it breaks nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::load::Load;
use crate::Http;

/// How often it reports.
const INTERVAL: Duration = Duration::from_millis(200);
/// Requests between two reports.
const REQUESTS: u64 = 5_000;
/// Reports after which it is known well enough to strike.
const KNOWN_AFTER: u64 = 2;

/// Reports until it is known.
pub(super) async fn introduce(http: &Http, round: u32, points: &[String]) -> Result<()> {
    for sequence in 1..=KNOWN_AFTER {
        http.send("POST", "/api/v1/reports", None, &report(round, sequence, points)).await?.ok()?;
    }
    Ok(())
}

/// Goes on reporting until the server is killed.
pub(super) async fn go_on(load: Arc<Load>, http: Http, round: u32, points: Vec<String>) {
    let mut sequence = KNOWN_AFTER;
    while !load.killed.load(Ordering::SeqCst) {
        tokio::time::sleep(INTERVAL).await;
        sequence += 1;
        // The server may be gone meanwhile.
        let _ = http.send("POST", "/api/v1/reports", None, &report(round, sequence, &points)).await;
    }
}

fn report(round: u32, sequence: u64, points: &[String]) -> String {
    let requests = REQUESTS * sequence;
    let point = json!({ "passes": requests, "requests": { "GET /": requests }, "permitted": true });
    let points: Map<String, Value> = points.iter().map(|name| (name.clone(), point.clone())).collect();
    json!({
        "client": format!("{:032x}", round + 1),
        "sequence": sequence,
        "service": "crash",
        "sdk": { "name": "daybreak-tests", "version": "0" },
        "level": 1,
        "state": "streaming",
        "faults": { "allowed": true, "in_flight": 0 },
        "operations": { "GET /": { "requests": requests, "open": 0 } },
        "points": points,
    })
    .to_string()
}
