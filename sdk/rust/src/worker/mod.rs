//! The client's thread: it follows the stream, polls while that is silent, and reports.
//!
//! It has a runtime and connections of its own, so that it neither slows its host down nor is slowed by it,
//! and so that no middleware of the host can strike its traffic. What may hang, the disk and the host's listeners,
//! is left to threads of its own.

mod backoff;
mod cache;
mod events;
mod follow;
mod http;
mod life;
mod pace;
mod poll;
mod report;
mod stream;
#[cfg(test)]
mod tests;
mod unpack;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::core::Core;
use cache::{Cache, Keeper};
use http::Http;
pub(crate) use life::Life;
use life::Stop;
use pace::Pace;
use report::Reports;

/// How long a goodbye may take that nobody waits for.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// What the thread works with.
struct Worker {
    core: Arc<Core>,
    http: Http,
    keeper: Option<Keeper>,
    reports: Reports,
    pace: Pace,
}

/// Starts the thread, on what a bootstrap file or the cache has.
pub(crate) fn start(core: &Arc<Core>, bootstrap: Option<&Path>, cache: Option<&Path>) -> Result<Life, String> {
    start_at(Pace::default(), core, bootstrap, cache)
}

fn start_at(pace: Pace, core: &Arc<Core>, bootstrap: Option<&Path>, cache: Option<&Path>) -> Result<Life, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let http = Http::new(&core.settings)?;
    let cache = cache.map(|folder| Cache::new(folder, &core.settings));
    let known = cache.as_ref().and_then(Cache::read).or_else(|| bootstrap.and_then(cache::read_bootstrap));
    if let Some(begin) = known
        && let Err(refused) = core.update(true, |documents| documents.begin_with(&begin))
    {
        tracing::warn!(%refused, "the client begins without flags");
    }
    let keeper = cache.map(|cache| Keeper::start(core, move |snapshot| cache.write(snapshot)));
    let keeper = keeper.transpose().map_err(|error| error.to_string())?;
    let worker = Worker { core: Arc::clone(core), http, keeper, reports: Reports::default(), pace };
    worker.spawn(runtime).map_err(|error| error.to_string())
}
/// Works until it has ended in good order, and begins anew after a panic: that can only be a fault of ours, and
/// the host is to notice nothing but older flags. No fault strikes meanwhile. Whether the server was told.
fn supervise(core: &Core, runtime: &Runtime, stop: &Stop, pause: Duration, mut work: impl FnMut() -> bool) -> bool {
    loop {
        if let Ok(told) = std::panic::catch_unwind(AssertUnwindSafe(&mut work)) {
            return told;
        }
        core.faults.suspend();
        tracing::error!("the Daybreak client panicked; it begins anew in {pause:?}");
        let mut stop = stop.clone();
        if runtime.block_on(async { tokio::time::timeout(pause, stop.wait()).await }).is_ok() {
            return false;
        }
        core.faults.unsuspend();
    }
}

impl Worker {
    /// Starts the thread.
    fn spawn(self, runtime: Runtime) -> std::io::Result<Life> {
        let (life, stop) = Life::new();
        let ended = Arc::clone(life.ended());
        let work = move || {
            let told = supervise(&self.core, &runtime, &stop, self.pace.after_panic, || {
                runtime.block_on(self.work(&mut stop.clone()))
            });
            drop(self);
            ended.set(told);
        };
        std::thread::Builder::new().name("daybreak".into()).spawn(work)?;
        Ok(life)
    }

    /// Works until the client ends, then says goodbye; whether the server knows.
    async fn work(&self, stop: &mut Stop) -> bool {
        let patience = tokio::select! {
            () = self.follow() => None,
            () = self.reports.keep_up(&self.core, &self.http.asks, self.pace) => None,
            () = self.expire() => None,
            patience = stop.wait() => patience,
        };
        // From here on nobody reports what would strike.
        self.core.faults.suspend();
        self.reports.say_goodbye(&self.core, &self.http.asks, patience.unwrap_or(GOODBYE_TIMEOUT)).await
    }

    /// Ends for ever what has lapsed.
    async fn expire(&self) {
        loop {
            tokio::time::sleep(self.pace.expire_every).await;
            self.core.faults.expire();
            self.core.look_at_age();
        }
    }

    /// The documents have changed.
    fn keep(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.keep();
        }
    }
}
