//! Clients that tell when they hear of a halt, on a thread of their own: what else this process does holds nobody up.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::{Commanded, PATIENCE, Raw, Server};

/// What stands in the event of a halt, and in no other.
const HALTED: &[u8] = b"\"halted\":true";

/// The clients.
#[derive(Debug)]
pub struct Witnesses {
    count: usize,
    heard: mpsc::Receiver<Result<Instant>>,
}

impl Witnesses {
    /// So many, each of whom has a stream.
    ///
    /// # Errors
    /// When one of them gets none.
    pub fn come(server: &Server, count: usize) -> Result<Self> {
        let (address, (tell, heard), (open, opened)) = (server.address(), mpsc::channel(), mpsc::channel());
        std::thread::spawn(move || {
            // Whoever asked is gone where nobody takes what is told.
            let _ = follow(address, count, &tell, &open).map_err(|error| tell.send(Err(error)));
        });
        for number in 0..count {
            opened.recv_timeout(PATIENCE).with_context(|| format!("{number} of {count} witnesses have a stream"))?;
        }
        Ok(Self { count, heard })
    }

    /// Halts by curl, and lifts it again: how long after curl was started the last of them had heard of it, and how long
    /// after curl had its answer; nothing where that was before.
    ///
    /// # Errors
    /// When curl is not answered with 2xx, or one of them does not hear of it.
    pub fn halt(&self, server: &Server) -> Result<(Duration, Duration)> {
        let halt = Commanded::send("PUT", &server.url("/api/v1/halt?wait=1ms"))?;
        let mut last = halt.asked;
        for number in 0..self.count {
            let heard = self.heard.recv_timeout(PATIENCE);
            let heard = heard.with_context(|| format!("{number} of {} heard of the halt", self.count))??;
            last = last.max(heard);
        }
        // A load may stand in the way of what does not take risk away.
        crate::eventually("the lift", || Commanded::send("DELETE", &server.url("/api/v1/halt")))?;
        Ok((last - halt.asked, last.saturating_duration_since(halt.answered)))
    }
}

fn follow(
    address: SocketAddr,
    count: usize,
    tell: &mpsc::Sender<Result<Instant>>,
    open: &mpsc::Sender<()>,
) -> Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut all = JoinSet::new();
        for _ in 0..count {
            let (tell, open) = (tell.clone(), open.clone());
            all.spawn(async move { listen(address, &tell, &open).await });
        }
        while let Some(ended) = all.join_next().await {
            ended??;
        }
        Ok(())
    })
}

/// Follows one stream.
async fn listen(address: SocketAddr, tell: &mpsc::Sender<Result<Instant>>, open: &mpsc::Sender<()>) -> Result<()> {
    let mut raw = Raw::connect(address).await?;
    raw.send(&Raw::request("GET", "/api/v1/stream", "")).await?;
    let (mut seen, mut is_open) = (Vec::new(), false);
    while let Some(bytes) = raw.next().await.context("a witness lost its stream")? {
        seen.extend_from_slice(bytes);
        if !is_open && seen.windows(5).any(|bytes| bytes == b"data:") {
            is_open = true;
            open.send(())?;
        }
        if seen.windows(HALTED.len()).any(|bytes| bytes == HALTED) {
            seen.clear();
            tell.send(Ok(Instant::now()))?;
        }
        // An event may come in two parts.
        let done = seen.len().saturating_sub(HALTED.len());
        seen.drain(..done);
    }
    anyhow::bail!("the stream of a witness ended")
}
