//! The client's thread: it follows the stream, polls where there is none, and reports.
//!
//! It has a runtime and connections of its own, so that it neither slows its host down nor is slowed by it,
//! and so that no middleware of the host can strike its traffic.

mod backoff;
mod cache;
mod poll;
mod report;
mod stream;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daybreak_model::wire::ClientState;
use tokio::sync::watch;

use crate::core::Core;
use cache::Cache;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the kill file is looked for, and points without a lease are disarmed.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(1);
/// How long after a panic of ours the thread begins anew.
const PANIC_PAUSE: Duration = Duration::from_secs(10);

/// Starts the thread, on what a bootstrap file or the cache has.
pub(crate) fn start(
    core: &Arc<Core>,
    bootstrap: Option<&Path>,
    cache: Option<&Path>,
    stopped: watch::Receiver<()>,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let http = http(core)?;
    let cache = cache.map(|folder| Cache::new(folder, &core.settings.url, &core.settings.service));
    let known = cache.as_ref().and_then(Cache::read).or_else(|| bootstrap.and_then(cache::read_bootstrap));
    if let Some(snapshot) = known {
        // The first snapshot of an empty client is never refused.
        let _ = core.update(true, |documents| documents.begin_with(&snapshot));
    }
    let core = Arc::clone(core);
    let work = move || {
        // What follows can only panic by a fault of ours; the host is to notice nothing but older flags.
        while std::panic::catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(work(&core, &http, cache.as_ref(), stopped.clone()));
        }))
        .is_err()
        {
            tracing::error!("the Daybreak client panicked; it begins anew in {PANIC_PAUSE:?}");
            core.faults.halt();
            std::thread::sleep(PANIC_PAUSE);
        }
    };
    std::thread::Builder::new().name("daybreak".into()).spawn(work).map(drop).map_err(|error| error.to_string())
}

fn http(core: &Core) -> Result<reqwest::Client, String> {
    let provider = rustls::crypto::ring::default_provider();
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread of the host may have been faster, which is as good.
        let _ = provider.install_default();
    }
    let mut headers = reqwest::header::HeaderMap::new();
    if let Some(token) = &core.settings.token {
        let mut bearer = reqwest::header::HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token has characters that no header can carry".to_owned())?;
        bearer.set_sensitive(true);
        headers.insert(reqwest::header::AUTHORIZATION, bearer);
    }
    let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).default_headers(headers);
    builder.user_agent(concat!("daybreak-sdk/", env!("CARGO_PKG_VERSION"))).build().map_err(|error| error.to_string())
}

/// Works until the last client is dropped, then says goodbye.
async fn work(core: &Arc<Core>, http: &reqwest::Client, cache: Option<&Cache>, mut stopped: watch::Receiver<()>) {
    let reports = report::Reports::default();
    tokio::select! {
        () = follow(core, http, cache) => {}
        () = reports.keep_up(core, http) => {}
        () = expire(core) => {}
        // Nothing is ever sent: it ends when the last client is dropped.
        _ = stopped.changed() => {}
    }
    reports.say_goodbye(core, http).await;
}

/// Ends for ever what has lapsed.
async fn expire(core: &Core) {
    loop {
        tokio::time::sleep(EXPIRE_INTERVAL).await;
        core.faults.expire();
    }
}

/// Follows the stream for ever; where it cannot be had, polls between the tries.
async fn follow(core: &Arc<Core>, http: &reqwest::Client, cache: Option<&Cache>) {
    let mut backoff = backoff::Backoff::default();
    let mut etag = None;
    loop {
        let end = stream::follow(core, http, &mut backoff, || {
            if let (Some(cache), Some(snapshot)) = (cache, core.to_wire()) {
                cache.write(&snapshot);
            }
        })
        .await;
        match end {
            stream::End::Goodbye(jitter) => {
                tokio::time::sleep(jitter.to_duration().mul_f64(rand::random())).await;
                continue;
            }
            stream::End::Lost(why) => tracing::info!(%why, "the stream ended"),
        }
        match poll::once(core, http, &mut etag).await {
            Ok(()) => core.heard(ClientState::Polling),
            Err(why) => {
                tracing::info!(%why, "polling failed, too");
                core.lost();
            }
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
