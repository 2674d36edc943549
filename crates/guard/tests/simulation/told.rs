//! Runs as the server sees them: processes report cumulative counters, [`Clients`] merges what arrives, and [`Watch`]
//! looks at it. Reports are lost, come twice, and come late.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_guard::clients::Clients;
use daybreak_guard::evidence::Finding;
use daybreak_guard::run::{Event, Guarded, Run, Stage};
use daybreak_guard::watch::{Sight, Watch};
use daybreak_model::wire::{ArmCounts, ArmKeys, Report, RunSpec};
use daybreak_model::{
    Cause, DrawBy, Effect, Good, GuardPolicy, Hours, Indicator, InstanceId, Key, Millis, Percentage, RunId, Slo,
    StatusBound, TimeSpan, Verdict, Weekdays, Window,
};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, RngExt};

use crate::scenario::percent;

/// Processes that report.
pub(crate) const PROCESSES: usize = 3;
/// A run's length: half an hour.
pub(crate) const SECONDS: i64 = 1_800;
/// A run whose stages last a third of it each, in thousandths of a percent.
pub(crate) const RAMP: &[u32] = &[1_000, 5_000, 10_000];

const ID: RunId = RunId::new(7);

/// The server's side of one run.
pub(crate) struct Server {
    pub(crate) run: Run,
    clients: Clients,
    watch: Watch,
    /// Reports on their way, by the look at which they arrive.
    arriving: BTreeMap<usize, Vec<Report>>,
    /// How often reports have been sent, and the guard has looked.
    looks: usize,
    sequence: u64,
    /// Seconds between two looks.
    step: i64,
}

impl Server {
    /// Before the first request: a run of these stages, that rules out so much harm.
    pub(crate) fn new(stages: &[u32], by: DrawBy, tolerated: f64, step: i64) -> Self {
        let mut clients = Clients::default();
        clients.open_run(ID);
        let run = run(stages, by, tolerated);
        Self { run, clients, watch: Watch::default(), arriving: BTreeMap::new(), looks: 0, sequence: 0, step }
    }

    /// Each process reports, and the guard looks. Whether that ends the run by its evidence.
    pub(crate) fn look(&mut self, arms: &[Vec<ArmCounts>; PROCESSES], rng: &mut impl Rng) -> bool {
        self.sequence += 1;
        for (process, arms) in arms.iter().enumerate() {
            let report = report(process, self.sequence, arms);
            for _ in 0..1 + usize::from(rng.random_bool(0.3)) {
                let late = if rng.random_bool(0.2) { rng.random_range(1..=3) } else { 0 };
                if !rng.random_bool(0.1) {
                    self.arriving.entry(self.looks + late).or_default().push(report.clone());
                }
            }
        }
        let now = self.now();
        let _ = self.run.step(Event::Tick, now);
        let arrived = self.arriving.remove(&self.looks).unwrap_or_default();
        arrived.iter().for_each(|report| self.take_in(report, now));
        let silent = self.clients.silent(now);
        let sight = sight(&self.run, &self.clients, &silent, now, false);
        let event = self.watch.look(&self.run, &sight);
        self.looks += 1;
        matches!(event, Some(Event::Guard { cause: Cause::Harm | Cause::InstrumentationBroken, .. }))
    }

    /// What the run shows so far.
    pub(crate) fn finding(&self) -> Finding {
        let now = at(self.step * self.looks as i64);
        let silent = self.clients.silent(now);
        self.watch.finding(&self.run, &sight(&self.run, &self.clients, &silent, now, false))
    }

    /// What it shows in the end, after a last report that arrives.
    pub(crate) fn conclude(&mut self, arms: &[Vec<ArmCounts>; PROCESSES]) -> Finding {
        self.sequence += 1;
        let now = self.now();
        for (process, arms) in arms.iter().enumerate() {
            self.take_in(&report(process, self.sequence, arms), now);
        }
        let silent = BTreeSet::new();
        let sight = sight(&self.run, &self.clients, &silent, now, true);
        self.watch.look_last(&self.run, &sight);
        self.watch.finding(&self.run, &sight)
    }

    fn now(&self) -> Timestamp {
        at(self.step * (self.looks as i64 + 1))
    }

    fn take_in(&mut self, report: &Report, now: Timestamp) {
        self.clients.report(report, now).expect("a report is taken in");
    }
}

/// Whether a bound lies below a harm that is there.
pub(crate) fn misses(finding: &Finding, harm: f64) -> bool {
    finding.harm.is_some_and(|bounds| bounds.upper < harm)
}

/// Whether harm is said to be ruled out.
pub(crate) fn is_resilient(finding: &Finding) -> bool {
    finding.verdict == Verdict::Resilient
}

fn sight(run: &Run, clients: &Clients, silent: &BTreeSet<InstanceId>, now: Timestamp, over: bool) -> Sight {
    let mut sight = Sight::new(run, clients.run(ID), silent, (now, over));
    sight.last_report = Some(now);
    sight
}

/// The row of one arm in a report.
pub(crate) fn row(
    stage: u32,
    arm: daybreak_model::Arm,
    counts: BTreeMap<daybreak_model::wire::Metric, u64>,
    keys: Option<ArmKeys>,
) -> ArmCounts {
    let operation = "POST /checkout".to_owned();
    ArmCounts { run: ID, stage, arm, operation, counts, latency: BTreeMap::new(), keys }
}

/// A report that has nothing but arms.
const NOTHING: &str = r#"{"client":"00000000000000000000000000000001","sequence":1,"service":"shop",
    "sdk":{"name":"simulation","version":"1"},"state":"streaming","faults":{"allowed":true,"in_flight":0}}"#;

fn report(process: usize, sequence: u64, arms: &[ArmCounts]) -> Report {
    let nothing: Report = serde_json::from_str(NOTHING).expect("a report");
    Report { client: InstanceId::new(1 + process as u128), sequence, runs: vec![ID], arms: arms.to_vec(), ..nothing }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_428_000 + seconds).expect("a time of these years")
}

fn key(text: &str) -> Key {
    text.parse().expect("a key")
}

fn run(stages: &[u32], by: DrawBy, tolerated: f64) -> Run {
    let length = SECONDS / stages.len() as i64;
    let (last, before) = stages.split_last().expect("a stage");
    let stage = |(number, thousandths): (usize, &u32)| Stage {
        percentage: percent(*thousandths),
        until: at(length * (number as i64 + 1)),
    };
    let hours = Hours {
        description: None,
        time_zone: "UTC".to_owned(),
        weekdays: Weekdays::ALL,
        times: vec![TimeSpan { from: jiff::civil::Time::midnight(), to: None }],
        holidays: Vec::new(),
        holidays_until: None,
    };
    Run {
        id: ID,
        spec: spec(by),
        revision: 1,
        percentage: percent(*last),
        stage: 0,
        ramp: before.iter().enumerate().map(stage).collect(),
        guard: Some(guard(tolerated)),
        started_at: at(0),
        ends_at: at(SECONDS) + SignedDuration::from_hours(1),
        hours_key: key("day"),
        hours,
        started_by: None,
        hypothesis: None,
        waived: Vec::new(),
        conclusion: None,
        end: None,
    }
}

/// A guard that only evidence sets off.
fn guard(tolerated: f64) -> Guarded {
    let harm = Percentage::from_thousandths((tolerated * 100_000.0).round() as u32).expect("a percentage");
    let (slo, min_budget, max_spend) = (key("checkout"), Percentage::ZERO, Percentage::FULL);
    let policy = GuardPolicy { slo, min_budget, max_spend, harm, on_call: None, stop_when: None };
    let good = Good { status: Some(StatusBound(500)), latency: Some(Millis::from_secs(10)) };
    let slo = Slo {
        description: None,
        owner: None,
        objective: percent(99_000),
        window: Window::Rolling(Millis::from_secs(28 * 86_400)),
        sli: Indicator { operation: "POST /checkout".to_owned(), good, prometheus: None },
    };
    Guarded { policy, slo, spend_max: f64::INFINITY, next_page: 0 }
}

fn spec(by: DrawBy) -> RunSpec {
    RunSpec {
        fault: key("gateway-slow"),
        point: key("payment.gateway"),
        operation: None,
        host: None,
        when: None,
        segments: BTreeMap::new(),
        protect: Vec::new(),
        by,
        salt: "s".to_owned(),
        effect: Effect { abort: true, ..Effect::default() },
        times: None,
        shadow: false,
        measure: None,
    }
}
