//! What this crate's tests share: a control on a memory store, a clock moved by hand, clients that report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use daybreak_document::Source;
use daybreak_model::wire::{
    ArmCounts, ClientState, FaultSupport, Message, OperationCounts, PointCounts, Reply, Report, Sdk, StoreId,
};
use daybreak_model::{InstanceId, Key, Percentage};
use daybreak_store::{
    Backup, BackupReader, BoxFuture, Change, Contents, Delivery, Event, EventFilter, EventPage, Expected, Halt,
    Leadership, LeadershipRequest, MemoryOptions, MemoryStore, ReportBucket, Restoration, Restored, Store, StoreError,
    StoreStats, Watch,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::clock::ManualClock;
use crate::{Actor, ApplyOptions, Control, Options, StartRequest, Started};

/// A Monday, 11:00 in Berlin.
pub(crate) const MONDAY: &str = "2026-11-23T10:00:00Z";

/// One flag, one segment, two calendars, and faults on two points.
pub(crate) const DOCUMENT: &str = r#"
segments:
  eu: { when: { country: { in: [DE, FR] } } }
  vip: { when: { tier: gold } }
protect: [ vip ]
flags:
  new-checkout:
    default: off
    rules: [ { name: eu, when: { segment: eu }, percentage: 25%, serve: on } ]
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
  office: { time_zone: Europe/Berlin, weekdays: mon..fri, times: ["10:00-12:00"] }
slos:
  checkout: { objective: 99.9%, window: 28d, sli: { operation: "POST /checkout", good: { status: "<500" } } }
faults:
  gateway-slow:
    point: payment.gateway
    percentage: 1%
    when: { segment: eu }
    effect: { latency: 300ms }
    hours: always
    guard: none
    max_duration: 30m
  gateway-down:
    point: payment.gateway
    percentage: 1%
    effect: { abort: true }
    hours: always
    guard: none
    max_duration: 30m
  stock-slow:
    point: stock
    percentage: 100%
    effect: { latency: 300ms }
    hours: office
    guard: none
    max_duration: 30m
  guarded:
    point: payment.gateway
    percentage: 1%
    effect: { abort: true }
    hours: always
    guard: { slo: checkout, min_budget: 20% }
    max_duration: 30m
"#;

/// A control, and what it stands on.
pub(crate) struct Bench {
    pub(crate) control: Control,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<Flaky>,
}

impl Bench {
    /// With [`DOCUMENT`], on a [`MONDAY`].
    pub(crate) async fn new() -> Self {
        Self::with(Options::new("test")).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let bench = Self::empty(options).await;
        let sources = vec![Source::new("test.yaml", DOCUMENT)];
        bench.control.apply(sources, ApplyOptions::default(), Actor::default()).await.unwrap();
        bench
    }

    pub(crate) async fn empty(options: Options) -> Self {
        let clock = Arc::new(ManualClock::new(MONDAY.parse().unwrap()));
        let store = Arc::new(Flaky::new());
        let control = Control::open(options, Arc::<Flaky>::clone(&store), Arc::<ManualClock>::clone(&clock), [7; 32]);
        Self { control: control.await.unwrap(), clock, store }
    }

    /// The server ends, and another starts on the same store.
    pub(crate) async fn restarted(self) -> Self {
        let Self { clock, store, .. } = self;
        let (options, same) = (Options::new("test"), Arc::<Flaky>::clone(&store));
        let control = Control::open(options, same, Arc::<ManualClock>::clone(&clock), [8; 32]).await.unwrap();
        Self { control, clock, store }
    }

    /// Time passes, second by second, with a tick at each; then the live clients report.
    pub(crate) async fn pass(&self, seconds: u64, clients: &mut [TestClient]) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            for client in clients.iter_mut() {
                client.report(&self.control);
            }
            self.control.tick().await;
        }
    }

    pub(crate) async fn start(&self, fault: &str) -> Result<Started, crate::Refusal> {
        self.control.start(fault, StartRequest::default(), Actor::named("ada")).await
    }
}

/// A client of the service `shop` that knows the points `payment.gateway` and `stock`.
pub(crate) struct TestClient {
    pub(crate) report: Report,
}

impl TestClient {
    pub(crate) fn new(id: u128) -> Self {
        let point = PointCounts { passes: 10, permitted: true, ..PointCounts::default() };
        let points = ["payment.gateway", "stock"].map(|key| (Key::new(key).unwrap(), point.clone()));
        Self {
            report: Report {
                client: InstanceId::new(id),
                sequence: 0,
                service: "shop".to_owned(),
                environment: None,
                sdk: Sdk { name: "test".to_owned(), version: "0".to_owned() },
                level: 1,
                position: None,
                position_age: None,
                state: ClientState::Streaming,
                faults: FaultSupport { allowed: true, in_flight: 0 },
                runs: Vec::new(),
                unsupported: Vec::new(),
                operations: [("POST /checkout".to_owned(), OperationCounts::default())].into(),
                points: points.into(),
                arms: Vec::new(),
                counted: BTreeMap::new(),
                slos: Vec::new(),
                keys: Vec::new(),
                evaluations: BTreeMap::new(),
                unknown_flags: BTreeMap::new(),
                goodbye: false,
            },
        }
    }

    /// Reports, and remembers the runs that it is granted.
    pub(crate) fn report(&mut self, control: &Control) -> Reply {
        self.report.sequence += 1;
        let arms = &self.report.arms;
        let events = |run| arms.iter().filter(|arm| arm.run == run).map(ArmCounts::events).sum();
        self.report.counted = self.report.runs.iter().map(|run| (*run, events(*run))).collect();
        let reply = control.report(&self.report).unwrap();
        self.report.runs = reply.runs.iter().map(|grant| grant.id).collect();
        reply
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn percent(text: &str) -> Percentage {
    text.parse().unwrap()
}

/// A memory store that hangs or fails when it is told to.
#[derive(Debug)]
pub(crate) struct Flaky {
    inner: MemoryStore,
    hangs: AtomicBool,
    fails: AtomicBool,
    /// The last that it was asked for failed.
    failed: AtomicBool,
    /// The halt is kept all the same, as by a file of its own.
    keeps_halts: AtomicBool,
    released: tokio::sync::Notify,
    commits: AtomicUsize,
}

impl Flaky {
    fn new() -> Self {
        let inner = MemoryStore::open(MemoryOptions::new(StoreId::new(1))).unwrap();
        Self {
            inner,
            hangs: AtomicBool::new(false),
            fails: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            keeps_halts: AtomicBool::new(false),
            released: tokio::sync::Notify::new(),
            commits: AtomicUsize::new(0),
        }
    }

    /// From now on nothing that it is asked for is answered.
    pub(crate) fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// Everything that hangs goes on.
    pub(crate) fn release(&self) {
        self.hangs.store(false, Ordering::SeqCst);
        self.released.notify_waiters();
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// It fails from now on, as a full disk does: the halt has a place of its own.
    pub(crate) fn fail_but_for_halts(&self) {
        self.keeps_halts.store(true, Ordering::SeqCst);
        self.fail(true);
    }

    /// How often it was asked to commit something.
    pub(crate) fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    fn then<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&'a MemoryStore) -> BoxFuture<'a, T> + Send + 'a,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            loop {
                let released = self.released.notified();
                if !self.hangs.load(Ordering::SeqCst) {
                    break;
                }
                released.await;
            }
            if self.fails.load(Ordering::SeqCst) {
                self.failed.store(true, Ordering::SeqCst);
                return Err(StoreError::Unavailable("told to fail".to_owned()));
            }
            work(&self.inner).await
        })
    }
}

impl Store for Flaky {
    fn load(&self) -> BoxFuture<'_, Contents> {
        self.then(|store| store.load())
    }

    fn commit_all(&self, expected: Expected, changes: Vec<Change>) -> BoxFuture<'_, daybreak_model::wire::Position> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.then(move |store| {
            self.failed.store(false, Ordering::SeqCst);
            store.commit_all(expected, changes)
        })
    }

    fn watch(&self, after: u64) -> BoxFuture<'_, Watch> {
        self.then(move |store| store.watch(after))
    }

    fn append(&self, events: Vec<Event>) -> BoxFuture<'_, ()> {
        self.then(move |store| {
            self.failed.store(false, Ordering::SeqCst);
            store.append(events)
        })
    }

    fn events(&self, filter: EventFilter, limit: usize) -> BoxFuture<'_, EventPage> {
        self.then(move |store| store.events(filter, limit))
    }

    fn put_reports(&self, buckets: Vec<ReportBucket>, keep_from: Timestamp) -> BoxFuture<'_, ()> {
        self.then(move |store| store.put_reports(buckets, keep_from))
    }

    fn reports(&self, series: String, from: Timestamp, until: Timestamp) -> BoxFuture<'_, Vec<ReportBucket>> {
        self.then(move |store| store.reports(series, from, until))
    }

    fn lead(&self, request: LeadershipRequest) -> BoxFuture<'_, Leadership> {
        self.then(move |store| store.lead(request))
    }

    fn resign(&self, name: String, holder: String) -> BoxFuture<'_, ()> {
        self.then(move |store| store.resign(name, holder))
    }

    fn take(&self, limit: usize, now: Timestamp, hold: daybreak_model::Millis) -> BoxFuture<'_, Vec<Delivery>> {
        self.then(move |store| store.take(limit, now, hold))
    }

    fn acknowledge(&self, ids: Vec<u64>) -> BoxFuture<'_, ()> {
        self.then(move |store| store.acknowledge(ids))
    }

    fn put_notes(&self, notes: BTreeMap<String, Option<Value>>) -> BoxFuture<'_, ()> {
        self.then(move |store| store.put_notes(notes))
    }

    fn notes(&self, prefix: String) -> BoxFuture<'_, BTreeMap<String, Value>> {
        self.then(move |store| store.notes(prefix))
    }

    fn backup(&self) -> BoxFuture<'_, Backup> {
        self.then(|store| store.backup())
    }

    fn restore(&self, backup: BackupReader, restoration: Restoration) -> BoxFuture<'_, Restored> {
        self.then(move |store| store.restore(backup, restoration))
    }

    fn stats(&self) -> StoreStats {
        self.inner.stats()
    }

    fn failure(&self) -> Option<String> {
        self.failed.load(Ordering::SeqCst).then(|| "told to fail".to_owned())
    }

    fn halt(&self) -> BoxFuture<'_, Option<Halt>> {
        self.then(|store| store.halt())
    }

    fn put_halt(&self, halt: Halt) -> BoxFuture<'_, ()> {
        match self.keeps_halts.load(Ordering::SeqCst) {
            true => self.inner.put_halt(halt),
            false => self.then(move |store| store.put_halt(halt)),
        }
    }

    fn clear_halt(&self) -> BoxFuture<'_, ()> {
        self.then(|store| store.clear_halt())
    }
}

/// An encoded message, read as an SDK would.
pub(crate) fn read(frame: &[u8]) -> Message {
    let text = std::str::from_utf8(frame).unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    assert!(text.ends_with("\n\n"), "{text}");
    Message::read(field("event: "), field("data: ")).unwrap().unwrap()
}

/// Whether a future is ready after it was polled once: no time passes meanwhile.
pub(crate) fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context).is_ready()
}
