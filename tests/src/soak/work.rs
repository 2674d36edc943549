//! What goes on besides: evaluations by OFREP, and applications with the real SDK.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use daybreak_sdk::{Client, ClientState, Context};
use serde_json::json;
use tokio::task::JoinSet;

use super::{Counter, Soak};
use crate::{Raw, Server, eventually};

/// How often an application asks for a flag.
const SDK_EVERY: Duration = Duration::from_millis(1);

/// What goes on until it is called off.
pub(super) struct Work {
    over: Arc<AtomicBool>,
    tasks: JoinSet<Result<()>>,
    by_ofrep: Counter,
    by_sdk: Counter,
}

/// How much of it there was.
#[derive(Clone, Debug, Default)]
pub(super) struct Evaluations {
    pub(super) by_ofrep: u64,
    pub(super) by_sdk: u64,
    pub(super) errors: Vec<String>,
}

impl Work {
    pub(super) async fn begin(server: &Server, soak: &Soak) -> Result<Self> {
        let mut work =
            Self { over: Arc::default(), tasks: JoinSet::new(), by_ofrep: Arc::default(), by_sdk: Arc::default() };
        if soak.evaluations > 0 {
            let raw = Raw::connect(server.address()).await?;
            let (over, count) = (Arc::clone(&work.over), Arc::clone(&work.by_ofrep));
            work.tasks.spawn(evaluate(raw, Duration::from_secs(1) / soak.evaluations, over, count));
        }
        for _ in 0..soak.sdks {
            let client = Client::builder(&server.url("")).service("soak").build()?;
            let ready = client.clone();
            let there = move || {
                eventually("an SDK's flags", || match ready.status().state {
                    ClientState::Streaming => Ok(()),
                    other => Err(other),
                })
            };
            tokio::task::spawn_blocking(there).await??;
            work.tasks.spawn(apply(client, Arc::clone(&work.over), Arc::clone(&work.by_sdk)));
        }
        Ok(work)
    }

    pub(super) async fn end(mut self) -> Result<Evaluations> {
        self.over.store(true, Ordering::SeqCst);
        let mut errors = Vec::new();
        while let Some(ended) = self.tasks.join_next().await {
            errors.extend(ended?.err().map(|error| format!("{error:#}")));
        }
        let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Ok(Evaluations { by_ofrep: count(&self.by_ofrep), by_sdk: count(&self.by_sdk), errors })
    }
}

/// Evaluates one flag and all of them in turn.
async fn evaluate(mut raw: Raw, every: Duration, over: Arc<AtomicBool>, count: Counter) -> Result<()> {
    let context = json!({ "context": { "targetingKey": "anna", "country": "DE" } }).to_string();
    let requests =
        ["/flag-7", ""].map(|flag| Raw::request("POST", &format!("/ofrep/v1/evaluate/flags{flag}"), &context));
    for request in requests.iter().cycle() {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let answer = raw.ask(request).await.context("an evaluation by OFREP")?;
        ensure!(answer.status == 200, "an evaluation by OFREP: {answer:?}");
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(every).await;
    }
    Ok(())
}

/// An application, which asks for flags and never loses its server.
async fn apply(client: Client, over: Arc<AtomicBool>, count: Counter) -> Result<()> {
    let (toggled, rule) = (client.flag::<bool>("toggled"), client.flag::<bool>("flag-7"));
    let context = Context::new("anna").with("country", "FR");
    while !over.load(Ordering::SeqCst) {
        std::hint::black_box((toggled.get(&context, false), rule.get(&context, false)));
        count.fetch_add(2, Ordering::Relaxed);
        let state = client.status().state;
        ensure!(state == ClientState::Streaming, "an SDK is {state:?}");
        tokio::time::sleep(SDK_EVERY).await;
    }
    Ok(())
}
