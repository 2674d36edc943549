//! The client that applications hold.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use daybreak_model::wire::{ClientState, Position};
use daybreak_model::{Context, ErrorCode, InstanceId, Key, Reason};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use smol_str::SmolStr;
use tokio::sync::watch;

use crate::builder::Builder;
use crate::faults::{Faults, InjectedFault, Pass, Point};
use crate::flag::{Flag, FlagType};
use crate::served::{Documents, Served};
use crate::usage::Usage;
use crate::{Detail, Scope};

/// A client of a Daybreak server. A clone is the same client; the last one that is dropped ends it.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// What ends the client's thread when the last [`Client`] is dropped.
struct Handle {
    core: Arc<Core>,
    _stop: watch::Sender<()>,
}

/// What the clients of one server and the thread behind them share.
pub(crate) struct Core {
    pub(crate) served: ArcSwap<Served>,
    /// The generation of what is served, for handles.
    pub(crate) generation: AtomicU32,
    pub(crate) usage: Arc<Usage>,
    pub(crate) faults: Faults,
    pub(crate) settings: Settings,
    documents: Mutex<Documents>,
    contact: Mutex<Contact>,
    ready: watch::Sender<bool>,
    listeners: Mutex<Vec<Listener>>,
}

type Listener = Arc<dyn Fn(&[Key]) + Send + Sync>;

/// What the builder set.
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) service: String,
    pub(crate) token: Option<String>,
    pub(crate) instance: InstanceId,
    pub(crate) stale_after: Option<Duration>,
}

/// How things stand with the server.
struct Contact {
    state: ClientState,
    last: Option<Instant>,
}

/// How a client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How it gets its changes.
    pub state: ClientState,
    /// The position of the flags that it serves.
    pub position: Option<Position>,
    /// The environment that it belongs to, once it has seen one.
    pub environment: Option<String>,
    /// How long ago the server was last heard.
    pub age: Option<Duration>,
}

impl Client {
    /// Begins a client of the server at a URL.
    #[must_use]
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    pub(crate) fn new(core: Arc<Core>, stop: watch::Sender<()>) -> Self {
        Self { handle: Arc::new(Handle { core, _stop: stop }) }
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
            daybreak_model::Value::Object(map) => T::deserialize(map).ok(),
            _ => None,
        })
    }

    /// A handle on a flag, which also saves the look-up by name: `client.flag::<bool>("new-checkout")`.
    #[must_use]
    pub fn flag<T: FlagType>(&self, key: &str) -> Flag<T> {
        Flag::new(self.clone(), key)
    }

    /// Calls a function with the keys of the flags that changed, on the client's own thread. One that panics
    /// is called no more.
    pub fn on_change(&self, listener: impl Fn(&[Key]) + Send + Sync + 'static) {
        self.core().listeners.lock().push(Arc::new(listener));
    }

    /// Scopes, fault points and leases, for middleware.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.core().faults
    }

    /// Runs a future as one root request: faults may strike inside it. Inside another request it is part of
    /// that one.
    pub async fn request<F: Future>(&self, operation: &str, context: Context, future: F) -> F::Output {
        self.core().faults.request(operation, context, future).await
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
    pub async fn fault_point(&self, name: &str) -> Result<Pass, InjectedFault> {
        self.core().faults.fault_point(name).await
    }

    /// As [`Client::fault_point`], in a scope that is at hand: for spawned tasks.
    ///
    /// # Errors
    /// When a fault makes the pass fail.
    pub async fn fault_point_in(&self, name: &str, scope: &Scope) -> Result<Pass, InjectedFault> {
        self.core().faults.fault_point_in(name, scope).await
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
        let (position, environment) = {
            let documents = self.core().documents.lock();
            (documents.position, documents.environment.clone())
        };
        let contact = self.core().contact.lock();
        Status { state: contact.state, position, environment, age: contact.last.map(|last| last.elapsed()) }
    }

    /// Waits until flags have come from the server; whether they did in time.
    pub async fn wait_ready(&self, patience: Duration) -> bool {
        let mut ready = self.core().ready.subscribe();
        let came = ready.wait_for(|ready| *ready);
        tokio::time::timeout(patience, came).await.is_ok_and(|came| came.is_ok())
    }
}

impl Core {
    pub(crate) fn new(settings: Settings, faults: Faults) -> Self {
        Self {
            served: ArcSwap::default(),
            generation: AtomicU32::new(0),
            usage: Arc::default(),
            faults,
            settings,
            documents: Mutex::default(),
            contact: Mutex::new(Contact { state: ClientState::Starting, last: None }),
            ready: watch::Sender::new(false),
            listeners: Mutex::default(),
        }
    }

    /// The value of a flag, counted; `None` where the caller's default is to be served.
    fn value<T: FlagType>(&self, key: &str, context: &Context) -> Option<T> {
        let served = self.served.load();
        self.read(&served, served.snapshot.evaluate(key, context))
    }

    /// Counts an answer and reads its value.
    #[inline]
    pub(crate) fn read<T: FlagType>(&self, served: &Served, answer: daybreak_engine::Detail<'_>) -> Option<T> {
        let value = answer.value.and_then(T::read);
        let counter = match (answer.flag, answer.variant_index, &value) {
            (Some(flag), Some(variant), Some(_)) => served.counter(flag, variant),
            (Some(flag), ..) => served.error_counter(flag),
            (None, ..) => None,
        };
        if let Some(counter) = counter {
            self.usage.count(counter);
        }
        value
    }

    /// The answer of a flag, counted, with why.
    pub(crate) fn detail<T>(
        &self,
        key: &str,
        context: &Context,
        default: T,
        read: impl FnOnce(&daybreak_model::Value) -> Option<T>,
    ) -> Detail<T> {
        let served = self.served.load();
        let answer = served.snapshot.evaluate(key, context);
        let value = answer.value.and_then(read);
        let counter = match (answer.flag, answer.variant_index, &value) {
            (Some(flag), Some(variant), Some(_)) => served.counter(flag, variant),
            (Some(flag), ..) => served.error_counter(flag),
            (None, ..) => None,
        };
        if let Some(counter) = counter {
            self.usage.count(counter);
        }
        let mismatch = value.is_none() && answer.value.is_some();
        let error_code = match answer.error {
            _ if mismatch => Some(ErrorCode::TypeMismatch),
            Some(ErrorCode::FlagNotFound) if served.position.is_none() => Some(ErrorCode::ProviderNotReady),
            other => other,
        };
        let message = match error_code {
            Some(ErrorCode::TypeMismatch) => Some("the flag is of another type than asked for".to_owned()),
            Some(ErrorCode::ProviderNotReady) => Some("no flags have come from the server yet".to_owned()),
            _ => answer.message(),
        };
        Detail {
            reason: if error_code.is_some() { Reason::Error } else { self.reason(&served, answer.reason) },
            variant: answer.variant.filter(|_| value.is_some()).map(ToString::to_string),
            value: value.unwrap_or(default),
            error_code,
            message,
            rule: answer.rule.map(ToString::to_string),
            revision: answer.flag.map(|_| answer.revision),
        }
    }

    /// The reason, unless the flags are not the server's own, or older than tolerated.
    fn reason(&self, served: &Served, reason: Reason) -> Reason {
        let contact = self.contact.lock();
        let heard = contact.last.map(|last| last.elapsed());
        match (self.settings.stale_after, heard) {
            _ if served.cached => Reason::Cached,
            (Some(tolerance), Some(age)) if age > tolerance => Reason::Stale,
            _ => reason,
        }
    }

    /// Takes what changes the documents, compiles and serves it, and tells who listens.
    pub(crate) fn update<E>(
        &self,
        cached: bool,
        change: impl FnOnce(&mut Documents) -> Result<Vec<Key>, E>,
    ) -> Result<(), E> {
        let mut documents = self.documents.lock();
        let before = documents.position;
        let changed = change(&mut documents)?;
        if documents.position == before && changed.is_empty() && self.served.load().cached == cached {
            return Ok(());
        }
        let snapshot = documents.compile();
        let generation = self.served.load().generation.wrapping_add(1);
        let counters = self.usage.counters(&snapshot);
        let position = documents.position;
        self.served.store(Arc::new(Served { snapshot, counters, position, cached, generation }));
        #[expect(clippy::cast_possible_truncation, reason = "handles compare the lower half")]
        self.generation.store(generation as u32, Ordering::Release);
        drop(documents);
        if !cached {
            self.ready.send_replace(true);
        }
        self.tell(&changed);
        Ok(())
    }

    fn tell(&self, changed: &[Key]) {
        if changed.is_empty() {
            return;
        }
        let listeners = self.listeners.lock().clone();
        for listener in listeners {
            let call = std::panic::AssertUnwindSafe(|| listener(changed));
            if std::panic::catch_unwind(call).is_err() {
                tracing::error!("an on_change listener panicked; it is called no more");
                self.listeners.lock().retain(|known| !Arc::ptr_eq(known, &listener));
            }
        }
    }

    /// Something was heard from the server.
    pub(crate) fn heard(&self, state: ClientState) {
        let mut contact = self.contact.lock();
        contact.state = state;
        contact.last = Some(Instant::now());
    }

    /// The server is out of reach.
    pub(crate) fn lost(&self) {
        let mut contact = self.contact.lock();
        if contact.state != ClientState::Starting {
            contact.state = ClientState::Disconnected;
        }
    }

    pub(crate) fn state(&self) -> ClientState {
        self.contact.lock().state
    }

    /// Where the documents stand, and their environment.
    pub(crate) fn stand(&self) -> (Option<Position>, Option<String>) {
        let documents = self.documents.lock();
        (documents.position, documents.environment.clone())
    }

    /// The documents in the form of a snapshot, for the cache.
    pub(crate) fn to_wire(&self) -> Option<daybreak_model::wire::Snapshot> {
        self.documents.lock().to_wire()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settings = &self.core().settings;
        f.debug_struct("Client").field("url", &settings.url).field("service", &settings.service).finish_non_exhaustive()
    }
}
