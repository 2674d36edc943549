//! A soak: many clients, changes at a steady pace, reports from all of them and evaluations beside, for as long as one
//! likes. It looks whether memory grows, whether a client lags, and whether anything goes wrong.
//!
//! A client may be one change behind. A revision that not all clients have a second after the *next* one was asked for is
//! a lag, which counts from before that one was published: no shorter one is overlooked.

mod followers;
mod memory;
mod outcome;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{Http, Server};
use followers::Followers;
use memory::Memory;
pub use outcome::Outcome;
use work::Work;

/// How long a client may be more than one change behind.
pub(crate) const LAG_MAX: Duration = Duration::from_secs(1);

/// What is to be soaked.
#[derive(Clone, Debug)]
pub struct Soak {
    /// Clients that follow the stream and report.
    pub clients: usize,
    /// Clients with the real SDK, in this process.
    pub sdks: usize,
    /// Changes, in all.
    pub changes: u32,
    /// Changes a second.
    pub pace: u32,
    /// Evaluations a second, by OFREP.
    pub evaluations: u32,
    /// Where `followers` is.
    pub followers: PathBuf,
}

/// What there is besides what is toggled.
fn document() -> String {
    let flag = |number: u32| {
        format!(
            "  flag-{number}: {{ default: off, rules: [ {{ name: eu, when: {{ country: {{ in: [DE, FR] }} }}, \
             percentage: 25%, serve: on }} ] }}\n"
        )
    };
    format!("flags:\n  toggled: {{ default: on }}\n{}", (0..100).map(flag).collect::<String>())
}

impl Soak {
    /// Runs it. `tell` is told each second how far it is.
    ///
    /// # Errors
    /// When it cannot be run. What was found stands in the outcome.
    pub async fn run(&self, tell: impl Fn(&str)) -> Result<Outcome> {
        ensure!(self.clients > 0 && self.pace > 0 && self.changes > 1, "a soak has clients, and changes at a pace");
        let mut server = Server::with(&document(), &["--log", "warn"])?;
        let (id, http) = (server.process().id(), Http::to(&server.url(""))?);
        tell(&format!("{} clients come", self.clients));
        let followers = Followers::come(&self.followers, server.address(), self.clients).await?;
        let work = Work::begin(&server, self).await?;
        let mut memory = Memory::of(id)?;
        let (began, mut asked) = (Instant::now(), Vec::new());
        let mut errors = Vec::new();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / self.pace);
        // Late changes are not made up for by a burst: the pace that was reached is told.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for number in 0..self.changes {
            ticks.tick().await;
            let action = if number % 2 == 0 { "disable" } else { "enable" };
            let at = crate::BootTime::now();
            match http.send("POST", &format!("/api/v1/flags/toggled/{action}"), None, "").await.and_then(|it| it.ok()) {
                Ok(changed) => asked.push((changed.made()?, at)),
                Err(error) => errors.push(format!("a change: {error:#}")),
            }
            if number % self.pace == 0 {
                memory.look(began.elapsed())?;
                tell(&format!("{number} of {} changes, {} MiB", self.changes, memory.last_mib()));
            }
        }
        let took = began.elapsed();
        memory.look(took)?;
        let arrivals = followers.end(asked.last().map(|(revision, _)| *revision)).await?;
        let evaluations = work.end().await?;
        Ok(Outcome::new(self, took, &asked, arrivals, &memory, evaluations, errors))
    }
}

/// Counts of what was asked beside, shared with whoever asks.
type Counter = Arc<std::sync::atomic::AtomicU64>;
