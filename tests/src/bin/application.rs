//! A small application with the SDK, as the whole-system tests run it: it passes one fault point again and again,
//! each time in a request of its own, and prints what it met.
//!
//! `application URL BURST` prints
//!
//! * `pass BEGAN` right before a pass, in microseconds on CLOCK_BOOTTIME;
//! * `passed BEGAN ENDED struck|spared on|off` right after it, with the flag `feature`;
//! * `burst NUMBER STRUCK PASSED` after BURST requests in a row, each time that the flag `burst` is turned on.

use std::time::Duration;

use anyhow::{Context as _, Result};
use daybreak_sdk::{Client, Context};
use daybreak_tests::BootTime;

/// The pause between two passes.
const PAUSE: Duration = Duration::from_millis(5);
/// Passes that go on at the same time.
const WORKERS: usize = 3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("the server's URL comes first")?;
    let burst = arguments.next().context("the requests of a burst come second")?.parse()?;
    let client = Client::builder(&url).service("application").build()?;
    for _ in 0..WORKERS {
        tokio::spawn(pass_again_and_again(client.clone()));
    }
    burst_when_asked(&client, burst).await
}

/// Passes the fault point in a request of its own; whether it was struck.
async fn pass(client: &Client) -> bool {
    client.request("GET /", Context::default(), client.fault_point("payment.gateway")).await.is_err()
}

async fn pass_again_and_again(client: Client) {
    loop {
        let began = BootTime::now().micros();
        println!("pass {began}");
        let struck = if pass(&client).await { "struck" } else { "spared" };
        let ended = BootTime::now().micros();
        let feature = if client.bool("feature", &Context::default(), false) { "on" } else { "off" };
        println!("passed {began} {ended} {struck} {feature}");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn burst_when_asked(client: &Client, requests: u64) -> Result<()> {
    let asked = || client.bool("burst", &Context::default(), false);
    for number in 1.. {
        while !asked() {
            tokio::time::sleep(PAUSE).await;
        }
        let mut struck = 0_u64;
        for _ in 0..requests {
            struck += u64::from(pass(client).await);
        }
        println!("burst {number} {struck} {}", requests - struck);
        while asked() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}
