//! The client that applications hold.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use daybreak_engine::ValueRef;
use daybreak_model::wire::{ClientState, Position};
use daybreak_model::{Context, ErrorCode, Key, Reason};
use serde::de::DeserializeOwned;
use smol_str::SmolStr;

use crate::builder::Builder;
use crate::core::Core;
use crate::faults::{Faults, InjectedFault, Pass, Point};
use crate::flag::{Flag, FlagType};
use crate::latch::within;
use crate::scope::{HasOutcome, Outcome};
use crate::worker::Life;
use crate::{Detail, Scope};

/// A client of a Daybreak server. A clone is the same client; the last one that is dropped ends it.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// What ends the client's thread when the last [`Client`] is dropped.
struct Handle {
    core: Arc<Core>,
    life: Life,
}

/// One evaluation, as `on_evaluation` is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation<'e> {
    /// The flag.
    pub flag: &'e str,
    /// The variant that was served; `None` where it was the caller's default.
    pub variant: Option<&'e str>,
    /// Why.
    pub reason: Reason,
    /// How long ago the server was last heard, where the reason is [`Reason::Stale`].
    pub age: Option<Duration>,
    /// The rule that matched.
    pub rule: Option<&'e str>,
    /// What went wrong.
    pub error_code: Option<ErrorCode>,
    /// The same in words.
    pub message: Option<&'e str>,
}

/// How a client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How it gets its changes.
    pub state: ClientState,
    /// The position of the flags that it serves.
    pub position: Option<Position>,
    /// The environment that it belongs to, once it has seen one or was built for one.
    pub environment: Option<String>,
    /// How long ago the server was last heard.
    pub age: Option<Duration>,
    /// Whether that is longer ago than is tolerated: then answers say STALE.
    pub stale: bool,
}

impl Client {
    /// Begins a client of the server at a URL.
    #[must_use]
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    pub(crate) fn new(core: Arc<Core>, life: Life) -> Self {
        Self { handle: Arc::new(Handle { core, life }) }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    /// A boolean flag's value for a context; the default where there is none.
    #[must_use]
    pub fn bool(&self, key: &str, context: &Context, default: bool) -> bool {
        self.core().value(key, context).unwrap_or(default)
    }

    /// A number flag's value for a context; the default where there is none.
    #[must_use]
    pub fn number(&self, key: &str, context: &Context, default: f64) -> f64 {
        self.core().value(key, context).unwrap_or(default)
    }

    /// The value of a number flag whose variants are all integers; the default where there is none.
    #[must_use]
    pub fn integer(&self, key: &str, context: &Context, default: i64) -> i64 {
        self.core().value(key, context).unwrap_or(default)
    }

    /// A string flag's value for a context; the default where there is none. Up to 23 bytes are kept inline.
    #[must_use]
    pub fn string(&self, key: &str, context: &Context, default: &str) -> SmolStr {
        self.core().value(key, context).unwrap_or_else(|| default.into())
    }

    /// An object flag's value for a context, decoded; the default where there is none or it does not decode.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self, key: &str, context: &Context, default: T) -> T {
        self.json_detail(key, context, default).value
    }

    /// As [`Client::bool`], with why.
    #[must_use]
    pub fn bool_detail(&self, key: &str, context: &Context, default: bool) -> Detail<bool> {
        self.core().detail(key, context, default, FlagType::read)
    }

    /// As [`Client::number`], with why.
    #[must_use]
    pub fn number_detail(&self, key: &str, context: &Context, default: f64) -> Detail<f64> {
        self.core().detail(key, context, default, FlagType::read)
    }

    /// As [`Client::string`], with why.
    #[must_use]
    pub fn string_detail(&self, key: &str, context: &Context, default: &str) -> Detail<SmolStr> {
        self.core().detail(key, context, default.into(), FlagType::read)
    }

    /// As [`Client::json`], with why.
    #[must_use]
    pub fn json_detail<T: DeserializeOwned>(&self, key: &str, context: &Context, default: T) -> Detail<T> {
        self.core().detail(key, context, default, |value| match value {
            ValueRef::Object(map) => T::deserialize(map).ok(),
            _ => None,
        })
    }

    /// A handle on a flag, which also saves the look-up by name: `client.flag::<bool>("new-checkout")`.
    #[must_use]
    pub fn flag<T: FlagType>(&self, key: &str) -> Flag<T> {
        Flag::new(self.clone(), key)
    }

    /// Calls a function with the keys of the flags whose answers may have changed: because they changed
    /// themselves, or a segment, or a prerequisite. It is called on a thread of its own; what changes while it is
    /// busy comes with the next call. One that panics is called no more.
    pub fn on_change(&self, listener: impl Fn(&[Key]) + Send + Sync + 'static) {
        self.core().listeners.add(listener);
    }

    /// Scopes, fault points and leases, for middleware.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.core().faults
    }

    /// Runs a future as one root request: faults may strike inside it. One that is ready with an error has failed; with
    /// `Ok` or `()`, it has succeeded. Inside another request it is part of that one.
    pub async fn request<F>(&self, operation: &str, context: Context, future: F) -> F::Output
    where
        F: Future<Output: HasOutcome>,
    {
        self.core().faults.request(operation, context, future).await
    }

    /// As [`Client::request`], for any output: with what the request came to read off it.
    pub async fn request_with<F: Future>(
        &self,
        operation: &str,
        context: Context,
        future: F,
        outcome: impl FnOnce(&F::Output) -> Outcome,
    ) -> F::Output {
        self.core().faults.request_with(operation, context, future, outcome).await
    }

    /// A handle on a fault point, which saves the look-up by name.
    #[must_use]
    pub fn point(&self, name: &str) -> Point {
        self.core().faults.point(name)
    }

    /// Passes a fault point: nothing happens here, unless a run strikes this request.
    ///
    /// # Errors
    /// When a fault makes the pass fail.
    #[inline]
    pub fn fault_point(&self, name: &str) -> impl Future<Output = Result<Pass, InjectedFault>> + Send {
        self.core().faults.fault_point(name)
    }

    /// As [`Client::fault_point`], in a scope that is at hand: for spawned tasks.
    ///
    /// # Errors
    /// When a fault makes the pass fail.
    #[inline]
    pub fn fault_point_in(
        &self,
        name: &str,
        scope: &Scope,
    ) -> impl Future<Output = Result<Pass, InjectedFault>> + Send {
        self.core().faults.fault_point_in(name, scope)
    }

    /// As [`Client::fault_point`], for threads: it blocks while a fault waits. Not for async tasks.
    ///
    /// # Errors
    /// When a fault makes the pass fail.
    pub fn fault_point_blocking(&self, name: &str) -> Result<Pass, InjectedFault> {
        self.core().faults.fault_point_blocking(name)
    }

    /// Stops all faults in this process at once, until [`Client::resume_faults`].
    pub fn halt_faults(&self) {
        self.core().faults.halt();
    }

    /// Permits faults in this process again.
    pub fn resume_faults(&self) {
        self.core().faults.resume();
    }

    /// How the client stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.core().status()
    }

    /// What the client counted, and how it stands, as OpenMetrics text: for the application to answer with where Prometheus
    /// asks, as [`CONTENT_TYPE`](crate::metrics::CONTENT_TYPE). Its labels are bounded.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn metrics(&self) -> String {
        crate::metrics::write(self.core())
    }

    /// Waits until flags have come from the server; whether they did in time. It needs no runtime.
    pub async fn wait_ready(&self, patience: Duration) -> bool {
        let mut ready = self.core().ready.subscribe();
        let came = async { ready.wait_for(|ready| *ready).await.is_ok() };
        within(patience, came).await.unwrap_or(false)
    }

    /// Ends the client, and all its clones, before the process exits: injection ends at once, and the server is
    /// told goodbye, so that it does not count the process as lost. Waits for that, but no longer than this;
    /// whether the server knows. Flags keep their last values. It needs no runtime.
    ///
    /// The last client that is dropped says goodbye as well, but nothing waits for it.
    pub async fn close(&self, patience: Duration) -> bool {
        self.begin_to_close(patience);
        within(patience, self.handle.life.ended().wait()).await.unwrap_or(false)
    }

    /// As [`Client::close`], for threads: it blocks. Not for async tasks.
    pub fn close_blocking(&self, patience: Duration) -> bool {
        self.begin_to_close(patience);
        self.handle.life.ended().wait_blocking(patience).unwrap_or(false)
    }

    fn begin_to_close(&self, patience: Duration) {
        self.core().faults.suspend();
        self.handle.life.end(patience);
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settings = &self.core().settings;
        f.debug_struct("Client").field("url", &settings.url).field("service", &settings.service).finish_non_exhaustive()
    }
}
