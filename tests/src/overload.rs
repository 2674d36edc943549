//! More than a server can take, of all kinds at once, until it is called off.
//!
//! Whoever is told to come again comes again soon: sooner than they are told to, and for ever.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Raw, Server};

/// How soon somebody asks again who was told to come again.
const AGAIN: Duration = Duration::from_millis(10);
/// How soon somebody connects anew. Whoever connects faster than a server with few places can listen to them keeps others
/// from being listened to, and the tests' servers have very few.
const ANEW: Duration = Duration::from_millis(250);
/// How long one who says nothing waits to be cut off, before they look whether all is over.
const LOOK: Duration = Duration::from_millis(200);

/// How many connections do what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overload {
    /// Evaluate all flags, again and again.
    pub evaluators: usize,
    /// Export all flags, again and again.
    pub exporters: usize,
    /// Turn a flag on and off; it is called `toggled`.
    pub changers: usize,
    /// Apply documents of so many bytes, which are refused when they have been read.
    pub documents: (usize, usize),
    /// Say nothing.
    pub silent: usize,
    /// Say half of what they want.
    pub halting: usize,
    /// Ask once, and nothing more.
    pub idle: usize,
    /// Follow the stream.
    pub streams: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Counts {
    /// Answers as they should be.
    pub done: AtomicU64,
    /// Answers that say when to come again.
    pub shed: AtomicU64,
    /// Connections that were cut off.
    pub cut: AtomicU64,
    /// The first other answers.
    wrong: parking_lot::Mutex<Vec<String>>,
}

/// A load that goes on until it is called off.
#[derive(Debug)]
pub struct Loaded {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    over: AtomicBool,
    counts: Counts,
}

/// What one connection does.
#[derive(Clone, Debug)]
enum Role {
    Ask(Arc<Vec<Vec<u8>>>),
    Say(Arc<Vec<u8>>),
    Idle,
    Follow,
}

impl Overload {
    /// Begins.
    #[must_use]
    pub fn begin(self, server: &Server) -> Loaded {
        let shared = Shared { address: server.address(), over: false.into(), counts: Counts::default() };
        let (shared, mut tasks) = (Arc::new(shared), JoinSet::new());
        let ask = |requests: &[Vec<u8>]| Role::Ask(Arc::new(requests.to_vec()));
        let context = json!({"context": {"targetingKey": "anna", "plan": "pro", "country": "DE", "version": "2.4.1"}});
        let toggle = |action: &str| Raw::request("POST", &format!("/api/v1/flags/toggled/{action}"), "");
        let (documents, bytes) = self.documents;
        let document = || format!("flags: {{ big: {{ default: perhaps, description: {} }} }}", "x".repeat(bytes));
        let document = if documents > 0 { document() } else { String::new() };
        let say = |bytes: &str| Role::Say(Arc::new(bytes.as_bytes().to_vec()));
        let roles = [
            (self.evaluators, ask(&[Raw::request("POST", "/ofrep/v1/evaluate/flags", &context.to_string())])),
            (self.exporters, ask(&[Raw::request("GET", "/api/v1/export", "")])),
            (self.changers, ask(&[toggle("enable"), toggle("disable")])),
            (documents, ask(&[Raw::request("POST", "/api/v1/apply", &document)])),
            (self.silent, say("")),
            (self.halting, say("GET /api/v1/flags HTTP/1.1\r\nhost: loc")),
            (self.idle, Role::Idle),
            (self.streams, Role::Follow),
        ];
        for (count, role) in roles {
            for _ in 0..count {
                let (shared, role) = (Arc::clone(&shared), role.clone());
                tasks.spawn(async move { shared.go_on(&role).await });
            }
        }
        Loaded { shared, tasks }
    }
}

impl Loaded {
    /// What came of it so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Calls it off.
    ///
    /// # Errors
    /// When anything was answered as it should not be.
    pub async fn end(mut self) -> Result<(u64, u64, u64)> {
        self.shared.over.store(true, Ordering::SeqCst);
        // Some wait for what does not come any more.
        self.tasks.shutdown().await;
        let counts = &self.shared.counts;
        let wrong = counts.wrong.lock();
        if !wrong.is_empty() {
            bail!("not every answer was as it should be: {wrong:#?}");
        }
        let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Ok((count(&counts.done), count(&counts.shed), count(&counts.cut)))
    }
}

impl Shared {
    /// One connection after the other.
    async fn go_on(&self, role: &Role) {
        while !self.over.load(Ordering::SeqCst) {
            if self.one(role).await.is_err() {
                self.counts.cut.fetch_add(1, Ordering::SeqCst);
            }
            tokio::time::sleep(ANEW).await;
        }
    }

    /// One connection, until it ends.
    async fn one(&self, role: &Role) -> Result<()> {
        let mut raw = Raw::connect(self.address).await?;
        match role {
            Role::Ask(requests) => {
                for request in requests.iter().cycle() {
                    if !self.took(&mut raw, request).await? {
                        break;
                    }
                }
                Ok(())
            }
            Role::Say(bytes) => {
                raw.send(bytes).await?;
                self.until_cut(&mut raw).await
            }
            Role::Idle => match self.took(&mut raw, &Raw::request("GET", "/api/v1/hours", "")).await? {
                true => self.until_cut(&mut raw).await,
                false => Ok(()),
            },
            Role::Follow => {
                raw.send(&Raw::request("GET", "/api/v1/stream", "")).await?;
                let head = raw.next().await?.unwrap_or_default();
                if head.starts_with(b"HTTP/1.1 503 ") || head.starts_with(b"HTTP/1.1 429 ") {
                    self.counts.shed.fetch_add(1, Ordering::SeqCst);
                    return Ok(());
                }
                self.until_cut(&mut raw).await
            }
        }
    }

    /// Asks; whether the connection goes on.
    async fn took(&self, raw: &mut Raw, request: &[u8]) -> Result<bool> {
        if self.over.load(Ordering::SeqCst) {
            return Ok(false);
        }
        // Whoever is refused while they still send is answered all the same.
        let sent = raw.send(request).await;
        let answer = raw.answer().await;
        let answer = if sent.is_err() { answer.or_else(|error| sent.and(Err(error)))? } else { answer? };
        match (answer.status, answer.retry_after) {
            // The documents are refused for what they say.
            (200..300 | 422, _) => self.counts.done.fetch_add(1, Ordering::SeqCst),
            (429 | 503, Some(1..)) => self.counts.shed.fetch_add(1, Ordering::SeqCst),
            _ => {
                let mut wrong = self.counts.wrong.lock();
                if wrong.len() < 5 {
                    wrong.push(format!("{answer:?} to {}", String::from_utf8_lossy(&request[..request.len().min(60)])));
                }
                0
            }
        };
        if answer.status >= 429 {
            tokio::time::sleep(AGAIN).await;
        }
        Ok(!answer.closes)
    }

    /// Reads on until the server has had enough, or all is over.
    async fn until_cut(&self, raw: &mut Raw) -> Result<()> {
        while !self.over.load(Ordering::SeqCst) {
            match tokio::time::timeout(LOOK, raw.next()).await {
                Ok(Ok(Some(_))) | Err(_) => {}
                Ok(Ok(None) | Err(_)) => bail!("it was cut off"),
            }
        }
        Ok(())
    }
}
