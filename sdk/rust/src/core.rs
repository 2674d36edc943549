//! What the clients of one server and the thread behind them share.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daybreak_model::wire::{ClientState, Position};
use daybreak_model::{Context, ErrorCode, InstanceId, Key, Reason};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::Detail;
use crate::acknowledgements::Acknowledgements;
use crate::affected::Changed;
use crate::client::{Evaluation, Status};
use crate::current::Current;
use crate::faults::Faults;
use crate::flag::FlagType;
use crate::listeners::Listeners;
use crate::reported::Reported;
use crate::served::{Documents, Served};
use crate::telemetry::{Ruleset, Telemetry, tell};
use crate::usage::Usage;

/// What the clients of one server and the thread behind them share.
pub(crate) struct Core {
    pub(crate) served: Current,
    pub(crate) usage: Arc<Usage>,
    #[cfg(feature = "metrics")]
    pub(crate) series: crate::metrics::Series,
    pub(crate) reports: Reported,
    pub(crate) faults: Faults,
    pub(crate) settings: Settings,
    /// Somebody may want to hear of each evaluation: [`Core::is_heard`].
    pub(crate) heard: bool,
    documents: Mutex<Documents>,
    contact: Mutex<Contact>,
    /// Whether the server has been out of reach for longer than is tolerated. Looked at now and then, so that an answer
    /// costs no look at a clock.
    stale: AtomicBool,
    /// Since when, on the monotonic clock, the client has served the position where it stands.
    taken: Mutex<Option<(Position, Duration)>>,
    pub(crate) acknowledgements: Acknowledgements,
    pub(crate) ready: watch::Sender<bool>,
    pub(crate) listeners: Listeners,
}

/// What is called with each evaluation.
pub(crate) type EvaluationHook = Box<dyn Fn(&Evaluation<'_>) + Send + Sync>;

/// What the builder set.
pub(crate) struct Settings {
    pub(crate) url: String,
    /// The only environment that the client takes flags and leases of; the first one it sees, unless said.
    pub(crate) environment: Option<String>,
    pub(crate) service: String,
    pub(crate) token: Option<String>,
    pub(crate) client_certificate: Option<PathBuf>,
    pub(crate) instance: InstanceId,
    pub(crate) stale_after: Option<Duration>,
    pub(crate) on_evaluation: Option<EvaluationHook>,
    pub(crate) telemetry: Option<Telemetry>,
}

/// How things stand with the server. Its times are on the clock that runs while the machine sleeps.
struct Contact {
    state: ClientState,
    begun: Duration,
    last: Option<Duration>,
    /// How long the server says that it may be out of reach.
    told: Option<Duration>,
}

/// Clients whose connection to the server changed tell it of that within this time.
const TOLD_WITHIN: Duration = Duration::from_millis(100);

impl Core {
    pub(crate) fn new(settings: Settings, faults: Faults, listeners: Listeners) -> Self {
        let documents = Documents::of(settings.environment.clone());
        let begun = faults.now().boot;
        Self {
            served: Current::default(),
            usage: Arc::default(),
            #[cfg(feature = "metrics")]
            series: crate::metrics::Series::default(),
            reports: Reported::default(),
            faults,
            heard: settings.on_evaluation.is_some() || settings.telemetry.is_some(),
            settings,
            documents: Mutex::new(documents),
            contact: Mutex::new(Contact { state: ClientState::Starting, begun, last: None, told: None }),
            stale: AtomicBool::new(false),
            taken: Mutex::default(),
            acknowledgements: Acknowledgements::default(),
            ready: watch::Sender::new(false),
            listeners,
        }
    }

    /// The value of a flag, counted; `None` where the caller's default is to be served.
    pub(crate) fn value<T: FlagType>(&self, key: &str, context: &Context) -> Option<T> {
        self.served.with(|served| {
            let Some(index) = served.snapshot.index(key) else {
                return self.read_none(served, key, context);
            };
            if !self.is_heard()
                && let Some((bit, counter)) = served.fixed(index)
                && let Some(value) = T::from_bit(bit)
            {
                self.usage.count(counter);
                return Some(value);
            }
            self.read(served, key, &served.snapshot.evaluate_at(index, context))
        })
    }

    /// What is answered where there is no such flag.
    #[cold]
    fn read_none<T: FlagType>(&self, served: &Served, key: &str, context: &Context) -> Option<T> {
        self.read(served, key, &served.snapshot.evaluate(key, context))
    }

    /// Counts an answer and reads its value.
    #[inline]
    pub(crate) fn read<T: FlagType>(
        &self,
        served: &Served,
        key: &str,
        answer: &daybreak_engine::Detail<'_>,
    ) -> Option<T> {
        let value = answer.value().and_then(T::read);
        self.count(served, key, answer, value.is_some());
        if self.heard {
            let error_code = error_code(served, answer, value.is_some());
            self.tell_of_evaluation(served, key, answer, error_code);
        }
        value
    }

    /// Counts an answer, as served or as an error.
    #[inline]
    fn count(&self, served: &Served, key: &str, answer: &daybreak_engine::Detail<'_>, has_value: bool) {
        let counter = match (answer.flag(), answer.variant_index()) {
            (Some(flag), Some(variant)) if has_value => served.counter(flag, variant),
            (Some(flag), _) => served.error_counter(flag),
            (None, _) => return self.asked_in_vain(served, key),
        };
        if let Some(counter) = counter {
            self.usage.count(counter);
        }
    }

    /// Counts that a flag was asked for which is not there. Before the first flags came nobody knows that.
    #[cold]
    pub(crate) fn asked_in_vain(&self, served: &Served, key: &str) {
        if served.position.is_some() {
            self.usage.unknown.count(key);
        }
    }

    /// Whether anybody hears of evaluations just now.
    #[inline]
    pub(crate) fn is_heard(&self) -> bool {
        self.heard && self.is_heard_now()
    }

    #[cold]
    fn is_heard_now(&self) -> bool {
        let records = || self.settings.telemetry.is_some_and(|telemetry| telemetry.is_heard());
        // What is asked is not ours either: it may panic as what is told.
        let records = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(records)).unwrap_or_default();
        self.settings.on_evaluation.is_some() || records()
    }

    #[cold]
    fn tell_of_evaluation(
        &self,
        served: &Served,
        key: &str,
        answer: &daybreak_engine::Detail<'_>,
        error_code: Option<ErrorCode>,
    ) {
        if !self.is_heard() {
            return;
        }
        let reason = if error_code.is_some() { Reason::Error } else { self.reason(served, answer.reason()) };
        let message = message(answer, error_code);
        let evaluation = Evaluation {
            flag: key,
            variant: answer.variant().filter(|_| error_code.is_none()).map(Key::as_str),
            reason,
            age: self.age(reason),
            rule: answer.rule().map(Key::as_str),
            error_code,
            message: message.as_deref(),
        };
        tell("an evaluation", || {
            if let Some(hook) = &self.settings.on_evaluation {
                hook(&evaluation);
            }
            if let Some(telemetry) = &self.settings.telemetry {
                let version = answer.flag().map(|_| answer.revision());
                telemetry.evaluated(&evaluation, Ruleset { set: served.environment.as_deref(), version });
            }
        });
    }

    /// The answer of a flag, counted, with why.
    pub(crate) fn detail<T>(
        &self,
        key: &str,
        context: &Context,
        default: T,
        read: impl Fn(daybreak_engine::ValueRef<'_>) -> Option<T>,
    ) -> Detail<T> {
        self.served.with(|served| self.detail_of(served, key, context, &read)).unwrap_or(default)
    }

    fn detail_of<T>(
        &self,
        served: &Served,
        key: &str,
        context: &Context,
        read: impl Fn(daybreak_engine::ValueRef<'_>) -> Option<T>,
    ) -> Detail<Option<T>> {
        let answer = served.snapshot.evaluate(key, context);
        let value = answer.value().and_then(read);
        self.count(served, key, &answer, value.is_some());
        let error_code = error_code(served, &answer, value.is_some());
        self.tell_of_evaluation(served, key, &answer, error_code);
        let reason = if error_code.is_some() { Reason::Error } else { self.reason(served, answer.reason()) };
        Detail {
            reason,
            age: self.age(reason),
            variant: answer.variant().filter(|_| value.is_some()).map(ToString::to_string),
            value,
            error_code,
            message: message(&answer, error_code),
            rule: answer.rule().map(ToString::to_string),
            prerequisite: answer.prerequisite().map(ToString::to_string),
            revision: answer.flag().map(|_| answer.revision()),
            metadata: answer.metadata().cloned().unwrap_or_default(),
        }
    }

    /// The reason, unless the flags are not the server's own, or older than tolerated.
    fn reason(&self, served: &Served, reason: Reason) -> Reason {
        match self.stale.load(Ordering::Relaxed) {
            true => Reason::Stale,
            false if served.cached => Reason::Cached,
            false => reason,
        }
    }

    /// How old what is served may be, where that is the reason.
    fn age(&self, reason: Reason) -> Option<Duration> {
        let silent = || self.faults.now().boot.saturating_sub(self.contact.lock().heard_or_begun());
        (reason == Reason::Stale).then(silent)
    }

    /// Looks whether the server has been out of reach for too long. To be called every second or so.
    pub(crate) fn look_at_age(&self) {
        self.served.forget();
        let now = self.faults.now().boot;
        let contact = self.contact.lock();
        let tolerance = self.settings.stale_after.or(contact.told);
        let silent = now.saturating_sub(contact.heard_or_begun());
        let stale = tolerance.is_some_and(|tolerance| silent > tolerance);
        // Under the lock, so that it is not set after the server was heard.
        if self.stale.swap(stale, Ordering::Relaxed) != stale && stale {
            tracing::warn!(?silent, "the server is out of reach: answers are STALE from here on");
        }
    }

    /// The server says how long it may be out of reach.
    pub(crate) fn tolerate(&self, told: Option<Duration>) {
        self.contact.lock().told = told;
    }

    /// Takes what changes the documents, compiles and serves it, and tells who listens.
    pub(crate) fn update<E>(
        &self,
        cached: bool,
        change: impl FnOnce(&mut Documents) -> Result<Changed, E>,
    ) -> Result<(), E> {
        let mut documents = self.documents.lock();
        let before = documents.position;
        let changed = change(&mut documents)?;
        let served = self.served.load();
        if documents.position == before && changed.is_empty() && served.cached == cached {
            return Ok(());
        }
        let snapshot = documents.compile_over(&served.snapshot, &changed);
        let generation = served.generation.wrapping_add(1);
        let at_hand = self.usage.at_hand_over(&served.at_hand, &served.snapshot, &snapshot, &changed.revised);
        let position = documents.position;
        if position != before {
            *self.taken.lock() = position.map(|position| (position, self.faults.monotonic()));
        }
        let environment = documents.environment.as_deref().map(Into::into);
        // Whoever publishes drops the version before, unless somebody has it.
        drop(served);
        self.served.publish(Arc::new(Served { snapshot, at_hand, environment, position, cached, generation }));
        let affected = if self.listeners.is_empty() { BTreeSet::new() } else { documents.affected(changed) };
        drop(documents);
        if !cached {
            self.ready.send_replace(true);
        }
        let flags = self.served.load().at_hand.len();
        self.listeners.tell(&affected, flags, |key| self.documents.lock().has(key));
        Ok(())
    }

    /// The server stands there, and no document changed.
    pub(crate) fn reach(&self, position: Position) {
        let mut documents = self.documents.lock();
        let before = documents.position;
        documents.reach(position);
        if documents.position != before {
            *self.taken.lock() = documents.position.map(|position| (position, self.faults.monotonic()));
        }
    }

    /// How long the client has served this position.
    pub(crate) fn age_of(&self, position: Option<Position>) -> Option<Duration> {
        let taken = *self.taken.lock();
        let (_, since) = taken.filter(|(taken, _)| Some(*taken) == position)?;
        Some(self.faults.monotonic().saturating_sub(since))
    }

    /// Something was heard from the server.
    pub(crate) fn heard(&self, state: ClientState) {
        let now = self.faults.now().boot;
        let mut contact = self.contact.lock();
        let before = std::mem::replace(&mut contact.state, state);
        contact.last = Some(now);
        let was_stale = self.stale.load(Ordering::Relaxed);
        if was_stale {
            self.stale.store(false, Ordering::Relaxed);
        }
        drop(contact);
        if was_stale {
            tracing::info!("the server is there again: answers are STALE no longer");
        }
        if before != state {
            self.tell_soon();
        }
    }

    /// Has the server told soon where the client stands.
    pub(crate) fn tell_soon(&self) {
        self.acknowledgements.want(TOLD_WITHIN);
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

    pub(crate) fn status(&self) -> Status {
        let (position, environment) = self.stand();
        let contact = self.contact.lock();
        let now = self.faults.now().boot;
        Status {
            state: contact.state,
            position,
            environment,
            age: contact.last.map(|last| now.saturating_sub(last)),
            stale: self.stale.load(Ordering::Relaxed),
        }
    }

    /// Where the documents stand, and their environment.
    pub(crate) fn stand(&self) -> (Option<Position>, Option<String>) {
        let documents = self.documents.lock();
        (documents.position, documents.environment.clone())
    }

    /// The documents in the form of a snapshot, for the cache.
    pub(crate) fn to_wire(&self) -> Option<daybreak_model::wire::Snapshot> {
        // A copy, so that nobody waits while it is written out.
        let documents = self.documents.lock().clone();
        documents.to_wire()
    }
}

impl Contact {
    /// When the server was last heard, or else when the client began.
    fn heard_or_begun(&self) -> Duration {
        self.last.unwrap_or(self.begun)
    }
}

/// What went wrong, if anything did: with the flag, or with the type that was asked for.
fn error_code(served: &Served, answer: &daybreak_engine::Detail<'_>, has_value: bool) -> Option<ErrorCode> {
    match answer.error() {
        Some(ErrorCode::FlagNotFound) if served.position.is_none() && !served.cached => {
            Some(ErrorCode::ProviderNotReady)
        }
        None if !has_value => Some(ErrorCode::TypeMismatch),
        other => other,
    }
}

/// The same in words.
fn message(answer: &daybreak_engine::Detail<'_>, error_code: Option<ErrorCode>) -> Option<String> {
    match error_code {
        Some(ErrorCode::TypeMismatch) => Some("the flag is of another type than asked for".to_owned()),
        Some(ErrorCode::ProviderNotReady) => Some("no flags have come from the server yet".to_owned()),
        _ => answer.message(),
    }
}

#[cfg(test)]
mod tests;
