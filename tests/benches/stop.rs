//! From a `stop` by curl to requests that go on: each sleeps in an injected latency of 5 s when the run is stopped.
//!
//! The clients live in this process, as many as hold over a hundred sleepers at the cap of each; the server in one of
//! its own. Each stop is of another fault at another point, which need not cool down.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use daybreak_sdk::{Client, Context};
use daybreak_tests::{Commanded, Figures, Server, eventually, percent_before};
use tokio::task::JoinSet;

const STOPS: usize = 20;
const CLIENTS: usize = 2;
/// Of each client: below the cap of 64 faults in flight.
const SLEEPERS: usize = 60;
const SLEEP: Duration = Duration::from_secs(5);

fn document() -> String {
    let fault = |number| {
        format!(
            "  slow-{number}: {{ point: point-{number}, percentage: 100%, by: request, hours: always, guard: none, \
             max_duration: 10m, effect: {{ latency: {{ fixed: 5s, max: 5s }} }} }}\n"
        )
    };
    let faults: String = (0..STOPS).map(fault).collect();
    format!("hours: {{ always: {{ time_zone: UTC, weekdays: mon..sun, times: ['00:00-24:00'] }} }}\nfaults:\n{faults}")
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let server = Server::with(&document(), &["--max-blast-radius", "100%"])?;
    let clients = (0..CLIENTS).map(|_| Client::builder(&server.url("")).service("benchmark").build());
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let mut woken = Vec::with_capacity(STOPS * CLIENTS * SLEEPERS);
    for number in 0..STOPS {
        woken.extend(stop(&server, &clients, number).await?);
    }
    let since = |from: fn(&Commanded) -> Instant| {
        woken.iter().map(move |(stop, woken)| woken.saturating_duration_since(from(stop))).collect::<Figures>()
    };
    println!(
        "| {STOPS} stops, {} sleepers each, counted from | p50 | p90 | p99 | max | before the 2xx |",
        CLIENTS * SLEEPERS
    );
    println!("|---|---|---|---|---|---|");
    println!("| curl's 2xx | {} | {} |", since(|stop| stop.answered).cells(), percent_before(&woken));
    println!("| curl's start | {} | |", since(|stop| stop.asked).cells());
    Ok(())
}

/// Starts a fault, lets requests fall asleep in it, stops it; when each went on.
async fn stop(server: &Server, clients: &[Client], number: usize) -> Result<Vec<(Commanded, Instant)>> {
    let fault = |action| server.url(&format!("/api/v1/faults/slow-{number}/{action}"));
    let point = format!("point-{number}");
    for client in clients {
        client.request("GET /", Context::default(), client.fault_point(&point)).await?;
    }
    eventually("a start", || Commanded::post(&fault("start")))?;
    eventually("the leases", || {
        let without = clients.iter().filter(|client| client.faults().leases().is_empty()).count();
        if without == 0 { Ok(()) } else { Err(without) }
    })?;

    let mut sleepers = JoinSet::new();
    let asleep = Arc::new(AtomicUsize::new(0));
    for client in clients.iter().flat_map(|client| std::iter::repeat_n(client, SLEEPERS)) {
        sleepers.spawn(sleep(client.clone(), point.clone(), Arc::clone(&asleep)));
    }
    eventually("the sleepers", || match asleep.load(Ordering::SeqCst) {
        all if all == CLIENTS * SLEEPERS => Ok(()),
        some => Err(some),
    })?;
    let stop = Commanded::post(&fault("stop"))?;
    let mut woken = Vec::with_capacity(CLIENTS * SLEEPERS);
    while let Some(slept) = sleepers.join_next().await {
        let (began, ended) = slept?;
        ensure!(ended > stop.asked && ended - began < SLEEP, "it slept {:?}, to its end", ended - began);
        woken.push((stop, ended));
    }
    Ok(woken)
}

/// A request that passes the point; it counts itself asleep where it does not pass at once. When it began and went on.
async fn sleep(client: Client, point: String, asleep: Arc<AtomicUsize>) -> (Instant, Instant) {
    let began = Instant::now();
    let mut request = pin!(client.request("GET /", Context::default(), client.fault_point(&point)));
    let first = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
    if first.is_pending() {
        asleep.fetch_add(1, Ordering::SeqCst);
        // A latency that is over, or was cut short, is no error.
        let _ = request.await;
    }
    (began, Instant::now())
}
