//! The control itself: what it holds, how it opens and shuts down, who listens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use daybreak_guard::clients::Clients;
use daybreak_guard::hours::{self, HoursStatus};
use daybreak_guard::run::Run;
use daybreak_guard::watch::Watch;
use daybreak_model::wire::{Goodbye, Message, Position};
use daybreak_model::{Key, Kind, Millis, Resources, RunId};
use daybreak_store::{Contents, Document, Store, StoreError, Stored};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tracing::Instrument;

use crate::budgets::{self, BudgetTable};
use crate::clock::Clock;
use crate::delivery::Deliveries;
use crate::events::{self, Recorder, RefusedStarts};
use crate::files::{self, FilesStatus};
use crate::health::Vitals;
use crate::hub::Hub;
use crate::life::{self, Lives, Tallies};
use crate::pages::Pages;
use crate::runs::{self, Due, Keeping, RunTable};
use crate::schedules::{self, Schedules};
use crate::state::{Revisions, State};
use crate::tokens::Tokens;
use crate::turn::Queue;
use crate::webhooks::Webhooks;
use crate::{Options, OptionsError, Refusal, Resource, hub, resources};

/// The target of spans that are for traces alone, and not for the log.
pub const TRACE_TARGET: &str = "daybreak::trace";
/// The name under which the store keeps the `protect` list.
pub(crate) const PROTECT: &str = "protect";

/// The one place of every change. A clone is another handle of the same.
#[derive(Clone, Debug)]
pub struct Control {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    /// Where changes are made.
    pub(crate) runtime: tokio::runtime::Handle,
    /// Unique for this start; what this server leads by.
    pub(crate) holder: String,
    pub(crate) state: ArcSwap<State>,
    /// Who holds it commits. It may be held as long as the store takes, so nothing that stops a run, and no
    /// reply to a report, waits for it.
    pub(crate) writer: tokio::sync::Mutex<()>,
    /// Who holds it takes a backup.
    pub(crate) backups: Arc<tokio::sync::Semaphore>,
    /// The changes that wait until they may commit.
    pub(crate) queue: Queue,
    /// Who holds it has the store keep or lift the halt.
    pub(crate) halt_writer: tokio::sync::Mutex<()>,
    pub(crate) hub: Hub,
    /// The snapshot that was sent last. Held for moments only; who holds it takes no other.
    pub(crate) sent: Mutex<Option<Arc<State>>>,
    /// Held for moments only, never across a wait; and nobody who holds it takes `clients`, so that stopping waits
    /// for no reader.
    pub(crate) runs: Mutex<RunTable>,
    /// Held for moments only, never across a wait.
    pub(crate) clients: Mutex<Clients>,
    /// Held for moments only, never across a wait; who holds it takes no other.
    pub(crate) deliveries: Mutex<Deliveries>,
    /// Told of each report that counted.
    pub(crate) reported: Notify,
    /// From when on clients could report.
    pub(crate) opened_at: Timestamp,
    /// What the guard remembers of each run. Held for moments only; who holds it takes no other.
    pub(crate) watches: Mutex<BTreeMap<RunId, Watch>>,
    /// Held for moments only; who holds it takes no other.
    pub(crate) due: Mutex<Due>,
    /// Held for moments only, never across a wait; who holds it takes no other.
    pub(crate) keeping: Mutex<Keeping>,
    /// Who holds it tells the store what runs show.
    pub(crate) evidence_keeper: tokio::sync::Mutex<()>,
    pub(crate) entropy: Mutex<ChaCha12Rng>,
    /// The store is being asked whether this server leads.
    pub(crate) confirming: AtomicBool,
    pub(crate) vitals: Mutex<Vitals>,
    pub(crate) files: Mutex<Option<FilesStatus>>,
    /// The last event of a server before.
    pub(crate) recorded_before: u64,
    /// Told of whatever brings events.
    pub(crate) recorded: tokio::sync::watch::Sender<()>,
    pub(crate) recorder: Recorder,
    pub(crate) refused: Mutex<RefusedStarts>,
    pub(crate) webhooks: Mutex<Webhooks>,
    /// Held for moments only, never across a wait; who holds it takes no other.
    pub(crate) budgets: Mutex<BudgetTable>,
    /// Who holds it tells the store what was counted.
    pub(crate) budgets_keeper: tokio::sync::Mutex<()>,
    pub(crate) pages: Pages,
    /// Held for moments only, never across a wait; who holds it takes no other.
    pub(crate) schedules: Mutex<Schedules>,
    /// Who holds it tells the store of schedules, and starts what is due.
    pub(crate) schedules_keeper: tokio::sync::Mutex<()>,
    /// The lives of flags. Held for moments only, never across a wait; who holds it takes no other.
    pub(crate) lives: Mutex<Lives>,
    /// Who holds it tells the store of lives.
    pub(crate) lives_keeper: tokio::sync::Mutex<()>,
    /// What this server evaluated itself.
    pub(crate) tallies: Tallies,
    pub(crate) shutting_down: AtomicBool,
    /// Whether the server is to start anew once it has ended.
    pub(crate) restart: tokio::sync::watch::Sender<bool>,
    pub(crate) tokens: Tokens,
    heartbeat: Bytes,
}

/// Why a server cannot open its store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An option is out of range.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The store failed.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// The store holds something that cannot be read.
    #[error("the store holds {what}, which cannot be read: {why}")]
    Unreadable {
        /// What it is.
        what: String,
        /// Why it cannot be read.
        why: String,
    },
}

impl Control {
    /// Loads what the store holds. Runs that it holds as active are aborted: nobody watched them meanwhile.
    /// The seed must be random: salts and run ids come from it.
    ///
    /// # Errors
    /// When an option is out of range, or the store fails or holds what cannot be read.
    pub async fn open(
        options: Options,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        seed: [u8; 32],
    ) -> Result<Self, OpenError> {
        options.check()?;
        let mut contents = store.load().await?;
        let recorded_before = events::last_event(&*store).await?;
        let counted = budgets::load(&store).await?;
        let tokens = Tokens::open(&store, &contents).await?;
        let pages = Pages::open(&*store).await?;
        let scheduled = schedules::load(&*store).await?;
        let lives = life::load(&*store).await?;
        let mut entropy = ChaCha12Rng::from_seed(seed);
        let evidence = runs::keep::load(&*store).await?;
        let keeping = Keeping::new(evidence.keys().copied(), clock.elapsed());
        let runs = load_runs(RunTable::new(store.halt().await?), &mut contents, evidence, clock.now())?;
        let state = read_state(contents, &options)?;
        let inner = Inner {
            runtime: tokio::runtime::Handle::current(),
            holder: format!("{:032x}", entropy.random::<u128>()),
            hub: Hub::new(state.position().revision, Arc::clone(&clock)),
            state: ArcSwap::from_pointee(state),
            sent: Mutex::default(),
            writer: tokio::sync::Mutex::default(),
            backups: Arc::new(tokio::sync::Semaphore::new(1)),
            queue: Queue::default(),
            halt_writer: tokio::sync::Mutex::default(),
            runs: Mutex::new(runs),
            clients: Mutex::default(),
            deliveries: Mutex::default(),
            reported: Notify::new(),
            opened_at: clock.now(),
            watches: Mutex::default(),
            due: Mutex::default(),
            keeping: Mutex::new(keeping),
            evidence_keeper: tokio::sync::Mutex::default(),
            entropy: Mutex::new(entropy),
            confirming: AtomicBool::new(false),
            vitals: Mutex::default(),
            files: Mutex::new(None),
            recorded_before,
            recorded: tokio::sync::watch::Sender::new(()),
            recorder: Recorder::default(),
            refused: Mutex::default(),
            webhooks: Mutex::default(),
            budgets: Mutex::new(BudgetTable::new(counted)),
            budgets_keeper: tokio::sync::Mutex::default(),
            pages,
            schedules: Mutex::new(scheduled),
            schedules_keeper: tokio::sync::Mutex::default(),
            lives: Mutex::new(Lives::new(lives)),
            lives_keeper: tokio::sync::Mutex::default(),
            tallies: Tallies::default(),
            shutting_down: AtomicBool::new(false),
            restart: tokio::sync::watch::Sender::new(false),
            tokens,
            heartbeat: hub::frame(&Message::Heartbeat),
            options,
            clock,
            store,
        };
        let control = Self { inner: Arc::new(inner) };
        control.record().await.map_err(|why| StoreError::Unavailable(why.to_string()))?;
        control.tick().await;
        Ok(control)
    }

    /// What it was opened with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Everything at this moment.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.inner.state.load_full()
    }

    /// Where the server stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.inner.state.load().position()
    }

    /// The message that shows that a connection lives, encoded. The server sends it at its own pace.
    #[must_use]
    pub fn heartbeat(&self) -> Bytes {
        self.inner.heartbeat.clone()
    }

    /// Tells when the server stands elsewhere: by the time it does, [`Control::state`] is the new one.
    #[must_use]
    pub fn moved(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.hub.moved()
    }

    /// How many streams are open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.inner.hub.open()
    }

    /// Tells all streams to connect elsewhere, spread over `jitter`, and reports not ready from now on. Nobody waits for
    /// clients any longer.
    pub fn shut_down(&self, jitter: Millis) {
        self.inner.shutting_down.store(true, Ordering::Relaxed);
        self.inner.hub.send(&Message::Goodbye(Goodbye { jitter }));
        self.end_waits();
    }

    /// Whether a calendar is open, until when, and when it opens next.
    ///
    /// # Errors
    /// When there is no such calendar.
    pub fn hours_status(&self, key: &str) -> Result<HoursStatus, Refusal> {
        let state = self.state();
        let calendar =
            state.resources().hours.get(key).ok_or_else(|| not_found(state.resources(), Kind::Hours, key))?;
        Ok(hours::status(calendar, self.inner.clock.now()))
    }

    /// Today, in UTC: from what day on a flag has expired must not depend on where a server stands.
    pub(crate) fn today(&self) -> Date {
        self.inner.clock.now().to_zoned(TimeZone::UTC).date()
    }

    /// The flags that have expired, in the form that people write.
    #[must_use]
    pub fn expired_flags(&self) -> Vec<Resource> {
        let (state, today) = (self.state(), self.today());
        let expired = state.resources().flags.iter().filter(|(_, flag)| flag.expires.is_some_and(|day| day <= today));
        expired.filter_map(|(key, _)| state.resource(Kind::Flag, key.as_str())).collect()
    }

    /// All resources as one document.
    #[must_use]
    pub fn export(&self) -> serde_json::Value {
        daybreak_document::encode(self.state().resources())
    }

    /// Whether changes are still made.
    pub(crate) fn open_for_changes(&self) -> Result<(), Refusal> {
        if self.inner.shutting_down.load(Ordering::Relaxed) { Err(Refusal::ShuttingDown) } else { Ok(()) }
    }

    /// Runs something to its end, also when the caller goes away meanwhile: what is half done would be wrong. It runs
    /// where the control was opened, since compiling may take long, and who calls may be answering others.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.open_for_changes()?;
        let span = tracing::info_span!(target: TRACE_TARGET, "change");
        self.inner
            .runtime
            .spawn(work.instrument(span))
            .await
            .unwrap_or_else(|error| Err(Refusal::Store(error.to_string())))
    }
}

pub(crate) fn not_found(resources: &Resources, kind: Kind, key: &str) -> Refusal {
    let nearest = crate::refusal::nearest(key, resources.keys(kind));
    Refusal::NotFound { noun: kind.noun(), key: key.to_owned(), nearest }
}

pub(crate) fn read<T: DeserializeOwned>(what: &str, note: serde_json::Value) -> Result<T, OpenError> {
    serde_json::from_value(note).map_err(|error| unreadable(what, &error))
}

pub(crate) fn read_document<T: DeserializeOwned>(what: &str, document: &Document) -> Result<T, OpenError> {
    document.read().map_err(|error| unreadable(what, &error))
}

fn unreadable(what: &str, error: &serde_json::Error) -> OpenError {
    OpenError::Unreadable { what: what.to_owned(), why: error.to_string() }
}

/// Loads the runs that a store holds, each with what it kept of their evidence.
fn load_runs(
    mut runs: RunTable,
    contents: &mut Contents,
    mut evidence: BTreeMap<RunId, serde_json::Value>,
    now: Timestamp,
) -> Result<RunTable, OpenError> {
    for run in read_runs(std::mem::take(&mut contents.runs))? {
        let kept = evidence.remove(&run.id);
        runs.load(run, kept, now);
    }
    Ok(runs)
}

/// The runs that a store holds, the first to start first.
fn read_runs(stored: BTreeMap<RunId, Stored>) -> Result<Vec<Run>, OpenError> {
    let run = |(id, stored): (RunId, Stored)| read_document::<Run>(&format!("the run {id}"), &stored.document);
    let mut runs = stored.into_iter().map(run).collect::<Result<Vec<_>, _>>()?;
    runs.sort_by_key(|run| run.started_at);
    Ok(runs)
}

/// The state in which a store left off. Each document is read and given back before the next one is.
fn read_state(contents: Contents, options: &Options) -> Result<State, OpenError> {
    let Contents { position, resources: documents, meta: mut entries, .. } = contents;
    let (mut resources, mut files_base) = (Resources::default(), Resources::default());
    let mut revisions = Revisions::new();
    for ((kind, key), Stored { revision, document }) in documents {
        read_resource(&mut resources, kind, key.clone(), &format!("the {kind} `{key}`"), &document)?;
        // Mostly the files say what is served: then it is read once, and kept once.
        let entry = files::base::name(kind, &key);
        if entries.get(&entry).is_some_and(|base| base.document == document) {
            entries.remove(&entry);
            resources::copy(&resources, &mut files_base, kind, &key);
        }
        revisions.insert((kind, key), revision);
    }
    if let Some(stored) = entries.get(PROTECT) {
        resources.protect = read_document("the `protect` list", &stored.document)?;
    }
    files::base::load(&mut files_base, entries)?;
    let state = State::new(position, options.environment.as_str().into(), resources, revisions);
    Ok(state.with_files_base(files_base.into()))
}

/// Puts one resource, as a store holds it, among others.
pub(crate) fn read_resource(
    into: &mut Resources,
    kind: Kind,
    key: Key,
    what: &str,
    document: &Document,
) -> Result<(), OpenError> {
    match kind {
        Kind::Flag => drop(into.flags.insert(key, read_document(what, document)?)),
        Kind::Segment => drop(into.segments.insert(key, read_document(what, document)?)),
        Kind::Fault => drop(into.faults.insert(key, read_document(what, document)?)),
        Kind::Hours => drop(into.hours.insert(key, read_document(what, document)?)),
        Kind::Slo => drop(into.slos.insert(key, read_document(what, document)?)),
        Kind::OnCall => drop(into.on_call.insert(key, read_document(what, document)?)),
    }
    Ok(())
}
