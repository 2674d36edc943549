//! A server with many runs, and the many clients that report of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use daybreak_control::clock::ManualClock;
use daybreak_control::{Actor, ApplyOptions, Control, Options, StartRequest};
use daybreak_document::Source;
use daybreak_model::wire::{
    ArmCounts, ClientState, FaultSupport, Metric, OperationCounts, PointCounts, Report, Sdk, SloCounts, StoreId,
};
use daybreak_model::{Arm, InstanceId, Key, Percentage, RunId};
use daybreak_store::{MemoryOptions, MemoryStore};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

pub(crate) const RUNS: usize = 100;
pub(crate) const CLIENTS: usize = 1_000;
/// Requests of a client between two reports: all of its SLO's operation, all past all points.
const REQUESTS: u64 = 100;
/// Operations that a client serves besides, each once between two reports.
const OTHERS: usize = 20;

/// How runs and clients are spread.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) services: usize,
    pub(crate) percentage: &'static str,
}

/// Everything.
pub(crate) struct Fleet {
    pub(crate) control: Control,
    clock: Arc<ManualClock>,
    shape: Shape,
    percentage: f64,
    clients: Vec<Client>,
    /// The active runs, by service.
    runs: Vec<Vec<RunId>>,
    random: ChaCha12Rng,
    seconds: usize,
}

/// A client, with its counters since its start.
struct Client {
    report: Report,
    service: usize,
    arms: BTreeMap<(RunId, Arm), ArmCounts>,
}

fn key(text: &str) -> Key {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn operation(service: usize) -> String {
    format!("POST /checkout/{service}")
}

fn fault(number: usize) -> String {
    format!("fault-{number}")
}

/// The document: an SLO for each service, and a guarded fault for each run, each on a point of its own.
fn document(shape: Shape) -> String {
    let mut text =
        String::from("hours: { always: { time_zone: UTC, weekdays: mon..sun, times: [\"00:00-24:00\"] } }\nslos:\n");
    for service in 0..shape.services {
        let operation = operation(service);
        let _ = writeln!(
            text,
            "  slo-{service}: {{ objective: 99%, window: 28d, sli: {{ operation: \"{operation}\", good: {{ status: \"<500\" }} }} }}"
        );
    }
    text.push_str("faults:\n");
    for number in 0..RUNS {
        let (name, service, share) = (fault(number), number % shape.services, shape.percentage);
        let _ = writeln!(
            text,
            "  {name}: {{ point: point-{number}, percentage: {share}, effect: {{ latency: 50ms }}, hours: always, \
             guard: {{ slo: slo-{service}, min_budget: 10% }}, max_duration: 30m }}"
        );
    }
    text
}

impl Fleet {
    pub(crate) async fn new(shape: Shape) -> Self {
        let clock = ManualClock::new("2026-11-23T10:00:00Z".parse().unwrap_or_else(|error| panic!("{error}")));
        let clock = Arc::new(clock);
        let store = MemoryStore::open(MemoryOptions::new(StoreId::new(1))).unwrap_or_else(|error| panic!("{error}"));
        let (options, same) = (Options::new("bench"), Arc::<ManualClock>::clone(&clock));
        let control =
            Control::open(options, Arc::new(store), same, [7; 32]).await.unwrap_or_else(|error| panic!("{error}"));
        let sources = vec![Source::new("bench.yaml", document(shape))];
        control
            .apply(sources, ApplyOptions::default(), Actor::default())
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let percentage: Percentage = shape.percentage.parse().unwrap_or_else(|error| panic!("{error}"));
        let clients = (0..CLIENTS).map(|number| Client::new(number, shape)).collect();
        let random = ChaCha12Rng::seed_from_u64(7);
        let runs = vec![Vec::new(); shape.services];
        Self { control, clock, shape, percentage: percentage.ratio(), clients, runs, random, seconds: 0 }
    }

    /// Starts all runs, after a shadow run of each.
    pub(crate) async fn start_all(&mut self) {
        for _ in 0..20 {
            self.pass().await;
        }
        self.start(true).await;
        for _ in 0..20 {
            self.pass().await;
        }
        for number in 0..RUNS {
            self.control.stop(&fault(number), Actor::default()).await.unwrap_or_else(|error| panic!("{error}"));
        }
        for _ in 0..32 {
            self.pass().await;
        }
        self.start(false).await;
    }

    async fn start(&mut self, shadow: bool) {
        self.runs.iter_mut().for_each(Vec::clear);
        for number in 0..RUNS {
            let reason = Some("measured".to_owned());
            let request =
                StartRequest { shadow, override_reason: reason, may_override: true, ..StartRequest::default() };
            let started = self.control.start(&fault(number), request, Actor::default()).await;
            let started = started.unwrap_or_else(|refusal| panic!("{refusal:?}"));
            if let Some(runs) = self.runs.get_mut(number % self.shape.services) {
                runs.push(started.run.id);
            }
        }
    }

    /// A second: half of the clients report, and the guard ticks.
    pub(crate) async fn pass(&mut self) {
        self.advance();
        for client in self.reporting() {
            self.serve(client);
            self.report(client);
        }
        self.control.tick().await;
    }

    pub(crate) fn advance(&mut self) {
        self.seconds += 1;
        self.clock.advance(Duration::from_secs(1));
    }

    /// The clients that report in this second.
    pub(crate) fn reporting(&self) -> impl Iterator<Item = usize> + use<> {
        (self.seconds % 2..CLIENTS).step_by(2)
    }

    /// What a client reports next.
    pub(crate) fn serve(&mut self, client: usize) {
        let Some(client) = self.clients.get_mut(client) else { return };
        let runs = self.runs.get(client.service).map(Vec::as_slice).unwrap_or_default();
        client.serve(runs, self.percentage, &mut self.random);
    }

    pub(crate) fn report(&mut self, client: usize) {
        let Some(client) = self.clients.get_mut(client) else { return };
        let reply = self.control.report(&client.report).unwrap_or_else(|refusal| panic!("{refusal}"));
        client.report.runs = reply.runs.iter().map(|grant| grant.id).collect();
        if client.report.slos.is_empty() {
            let slo = key(&format!("slo-{}", client.service));
            let measures = reply.measures.into_iter().filter(|measure| measure.slo == slo);
            client.report.slos = measures
                .map(|measure| SloCounts {
                    slo: measure.slo,
                    revision: measure.revision,
                    counts: BTreeMap::new(),
                    acknowledged: None,
                })
                .collect();
        }
    }

    /// A report that counts for nothing.
    pub(crate) fn duplicate(&self) -> Report {
        let report = self.clients.first().map(|client| client.report.clone());
        report.map(|report| Report { sequence: 1, arms: Vec::new(), ..report }).unwrap_or_else(|| panic!("no clients"))
    }
}

impl Client {
    fn new(number: usize, shape: Shape) -> Self {
        let service = number % shape.services;
        let point = PointCounts { permitted: true, ..PointCounts::default() };
        let own = (0..RUNS).filter(|run| run % shape.services == service);
        let others = (0..OTHERS).map(|other| format!("GET /other/{other}"));
        let report = Report {
            client: InstanceId::new(number as u128 + 1),
            sequence: 0,
            service: format!("service-{service}"),
            environment: None,
            sdk: Sdk { name: "bench".to_owned(), version: "0".to_owned() },
            level: 1,
            position: None,
            position_age: None,
            state: ClientState::Streaming,
            faults: FaultSupport { allowed: true, in_flight: 0 },
            runs: Vec::new(),
            unsupported: Vec::new(),
            operations: others.chain([operation(service)]).map(|name| (name, OperationCounts::default())).collect(),
            points: own.map(|run| (key(&format!("point-{run}")), point.clone())).collect(),
            arms: Vec::new(),
            counted: BTreeMap::new(),
            slos: Vec::new(),
            keys: Vec::new(),
            evaluations: BTreeMap::new(),
            unknown_flags: BTreeMap::new(),
            goodbye: false,
        };
        Self { report, service, arms: BTreeMap::new() }
    }

    /// Serves until the next report, and has that say what changed.
    fn serve(&mut self, runs: &[RunId], percentage: f64, random: &mut ChaCha12Rng) {
        let (own, report) = (operation(self.service), &mut self.report);
        report.sequence += 1;
        for (name, counts) in &mut report.operations {
            counts.requests += if *name == own { REQUESTS } else { 1 };
        }
        for point in report.points.values_mut() {
            point.passes += REQUESTS;
            *point.requests.entry(own.clone()).or_default() += REQUESTS;
        }
        let bad = u64::from(random.random_bool(0.05));
        for slo in &mut report.slos {
            *slo.counts.entry(Metric::Settled).or_default() += REQUESTS;
            *slo.counts.entry(Metric::Error).or_default() += bad;
        }
        let has = |run: &&RunId| report.runs.contains(run);
        let mut changed = Vec::new();
        for run in runs.iter().filter(has) {
            let treated = (0..REQUESTS).filter(|_| random.random_bool(percentage)).count() as u64;
            for (arm, requests) in [(Arm::Treated, treated), (Arm::Control, REQUESTS - treated)] {
                if requests > 0 {
                    let counts = self.arms.entry((*run, arm)).or_insert_with(|| arm_of(*run, arm, &own));
                    count(counts, requests, random);
                    changed.push(counts.clone());
                }
            }
        }
        self.report.arms = changed;
        self.report.counted = self.report.runs.iter().map(|run| (*run, 0)).collect();
        for ((run, _), counts) in &self.arms {
            *self.report.counted.entry(*run).or_default() += counts.events();
        }
    }
}

fn arm_of(run: RunId, arm: Arm, operation: &str) -> ArmCounts {
    let (counts, latency) = (BTreeMap::new(), BTreeMap::new());
    ArmCounts { run, stage: 0, arm, operation: operation.to_owned(), counts, latency, keys: None }
}

fn count(arm: &mut ArmCounts, requests: u64, random: &mut ChaCha12Rng) {
    let struck = if arm.arm == Arm::Treated { requests } else { 0 };
    let error = u64::from(random.random_bool(requests as f64 * 0.0005));
    let counted = [
        (Metric::Requests, requests),
        (Metric::Settled, requests),
        (Metric::Error, error),
        (Metric::Struck, struck),
        (Metric::Strikes, struck),
    ];
    for (metric, more) in counted {
        *arm.counts.entry(metric).or_default() += more;
    }
    for _ in 0..requests {
        // From 5 to 40 ms, most of them about 14.
        let micros = 5_000.0 * f64::powf(2.0, random.random::<f64>() + random.random::<f64>() + random.random::<f64>());
        *arm.latency.entry(step(micros as u64)).or_default() += 1;
    }
}

/// The step of a latency, as the SDK has them: sixteen to an octave.
fn step(micros: u64) -> u64 {
    let shift = micros.max(32).ilog2() - 4;
    (((micros >> shift) + 1) << shift) - 1
}
