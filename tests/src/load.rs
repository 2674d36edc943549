//! Many clients change things at once: no change is lost, and no reader sees half of one.
//!
//! Each writer has a flag of its own that it turns on and off, each time at the revision of its last change; and all
//! together count in one flag, again and again at the revision that they read. Some change two flags at once, and readers
//! look whether they ever differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::{Figures, Http, Server};

/// Writers that change two flags at once.
const PAIRS: usize = 4;
/// Writers that count in the one flag.
const COUNTERS: usize = 4;
/// Clients that read.
const READERS: usize = 4;

/// What came of it.
#[derive(Debug)]
pub struct Load {
    /// Clients that changed something.
    pub clients: usize,
    /// How long they did.
    pub took: Duration,
    /// Changes that were acknowledged.
    pub changes: u64,
    /// Those that were refused because somebody else was first, as they should be.
    pub refused: u64,
    /// Times that a reader looked.
    pub reads: u64,
    /// How often the store forced something to disk meanwhile.
    pub syncs: u64,
    /// How long each change took.
    pub latencies: Figures,
}

/// What the clients share.
#[derive(Debug)]
struct Shared {
    http: Http,
    over: AtomicBool,
    refused: AtomicU64,
    reads: AtomicU64,
}

/// Has so many clients change things for a while, on a server that keeps what it acknowledges.
///
/// # Errors
/// When a change is lost, half of one is seen, or an answer is not as it should be.
pub async fn changes(clients: usize, length: Duration) -> Result<Load> {
    let server = Server::with("flags: { first: { default: on } }", &["--log", "warn"])?;
    let http = Http::to(&server.url(""))?;
    let flag = || json!({ "default": "on", "description": "0" });
    let mut flags: Map<String, Value> = (0..clients).map(|number| (format!("toggle-{number}"), flag())).collect();
    flags.extend((0..PAIRS).flat_map(|number| ["a", "b"].map(|side| (format!("{side}-{number}"), flag()))));
    flags.insert("counter".to_owned(), flag());
    let body = json!({ "flags": flags }).to_string();
    let before = http.send("POST", "/api/v1/apply", None, &body).await?.ok()?.made()?;
    let syncs = syncs(&http).await?;

    let shared = Shared { http: http.clone(), over: false.into(), refused: 0.into(), reads: 0.into() };
    let shared = Arc::new(shared);
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    let began = Instant::now();
    for number in 0..clients {
        writers.spawn(Arc::clone(&shared).toggle(number));
    }
    (0..PAIRS).for_each(|number| drop(writers.spawn(Arc::clone(&shared).pair(number))));
    let counters: Vec<_> = (0..COUNTERS).map(|_| tokio::spawn(Arc::clone(&shared).count())).collect();
    (0..READERS).for_each(|_| drop(readers.spawn(Arc::clone(&shared).look())));
    tokio::time::sleep(length).await;
    shared.over.store(true, Ordering::SeqCst);

    let mut latencies = Vec::new();
    for done in writers.join_all().await {
        latencies.extend(done?);
    }
    let mut counted = 0;
    for counter in counters {
        let done = counter.await??;
        counted += done.len();
        latencies.extend(done);
    }
    let took = began.elapsed();
    readers.join_all().await.into_iter().collect::<Result<()>>()?;
    let count = http.get("/api/v1/flags/counter").await?.ok()?.body["description"].clone();
    ensure!(count == json!(counted.to_string()), "{counted} were counted, and the counter says {count}");
    let after = http.get("/healthz").await?.ok()?.position.1;
    let changes = latencies.len() as u64;
    ensure!(after - before == changes, "{changes} changes made {} revisions", after - before);
    let syncs = self::syncs(&http).await? - syncs;
    let (refused, reads) = (shared.refused.load(Ordering::SeqCst), shared.reads.load(Ordering::SeqCst));
    let clients = clients + PAIRS + COUNTERS;
    Ok(Load { clients, took, changes, refused, reads, syncs, latencies: latencies.into_iter().collect() })
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Turns a flag on and off, and finds it at the end as it left it. How long each change took.
    async fn toggle(self: Arc<Self>, number: usize) -> Result<Vec<Duration>> {
        let (mut took, mut enabled) = (Vec::new(), true);
        let mut tag: Option<String> = None;
        while !self.is_over() {
            enabled = !enabled;
            let path = format!("/api/v1/flags/toggle-{number}/{}", if enabled { "enable" } else { "disable" });
            let asked = Instant::now();
            // Nobody else changes it: were its revision another, a change had been lost.
            let answer = self.http.send("POST", &path, tag.as_deref(), "").await?.ok()?;
            took.push(asked.elapsed());
            tag = Some(answer.made_tag()?);
        }
        let flag = self.http.get(&format!("/api/v1/flags/toggle-{number}")).await?.ok()?.body;
        ensure!((flag["enabled"] != false) == enabled, "toggle-{number} was left as {enabled}: {flag:#}");
        Ok(took)
    }

    /// Changes two flags in one revision.
    async fn pair(self: Arc<Self>, number: usize) -> Result<Vec<Duration>> {
        let mut took = Vec::new();
        while !self.is_over() {
            let flag = json!({ "default": "on", "description": (took.len() + 1).to_string() });
            let flags: Map<String, Value> =
                ["a", "b"].map(|side| (format!("{side}-{number}"), flag.clone())).into_iter().collect();
            let asked = Instant::now();
            self.http.send("POST", "/api/v1/apply", None, &json!({ "flags": flags }).to_string()).await?.ok()?;
            took.push(asked.elapsed());
        }
        Ok(took)
    }

    /// Adds one to the counter at the revision that it has read; where somebody else was first, it reads again.
    async fn count(self: Arc<Self>) -> Result<Vec<Duration>> {
        let mut took = Vec::new();
        while !self.is_over() {
            let read = self.http.get("/api/v1/flags/counter").await?.ok()?;
            let count: u64 = read.body["description"].as_str().context("the counter has a count")?.parse()?;
            let patch = json!({ "description": (count + 1).to_string() }).to_string();
            let asked = Instant::now();
            let answer = self.http.send("PATCH", "/api/v1/flags/counter", read.tag.as_deref(), &patch).await?;
            if answer.status == 412 {
                self.refused.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            answer.ok()?;
            took.push(asked.elapsed());
        }
        Ok(took)
    }

    /// Looks whether the pairs differ, and whether revisions go back.
    async fn look(self: Arc<Self>) -> Result<()> {
        let mut revision = 0;
        while !self.is_over() {
            let read = self.http.get("/api/v1/flags").await?.ok()?;
            ensure!(read.position.1 >= revision, "{revision} was seen, and then {}", read.position.1);
            revision = read.position.1;
            for number in 0..PAIRS {
                let [a, b] = ["a", "b"].map(|side| &read.body["flags"][format!("{side}-{number}")]["description"]);
                ensure!(a.is_string() && a == b, "half a change was seen: {a} and {b}");
            }
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// How often the store has forced something to disk.
async fn syncs(http: &Http) -> Result<u64> {
    let ready = http.get("/readyz").await?.ok()?.body;
    ready["store"]["syncs"].as_u64().with_context(|| format!("the server does not tell of its store: {ready:#}"))
}
