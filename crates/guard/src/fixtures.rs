//! What tests begin with.

use std::collections::BTreeMap;

use daybreak_model::wire::{
    ArmCounts, ClientState, FaultSupport, Metric, OperationCounts, PointCounts, Report, RunSpec, Sdk,
};
use daybreak_model::{
    Arm, DrawBy, Effect, Fault, Good, Guard, GuardPolicy, Hours, Indicator, InstanceId, Key, Millis, Percentage, RunId,
    Slo, StatusBound, TimeSpan, Weekdays, Window,
};
use jiff::Timestamp;
use jiff::civil::Time;

use crate::run::Run;

pub(crate) fn key(text: &str) -> Key {
    text.parse().unwrap()
}

pub(crate) fn percentage(text: &str) -> Percentage {
    text.parse().unwrap()
}

/// A Monday, 10:00 UTC, and so many seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_428_000 + seconds).unwrap()
}

/// Every day from 08:00 to 16:30 UTC: it closes 6½ hours after `at(0)`.
pub(crate) fn day() -> Hours {
    let time = |hour, minute| Time::new(hour, minute, 0, 0).unwrap();
    Hours {
        description: None,
        time_zone: "UTC".to_owned(),
        weekdays: Weekdays::ALL,
        times: vec![TimeSpan { from: time(8, 0), to: Some(time(16, 30)) }],
        holidays: Vec::new(),
        holidays_until: None,
    }
}

pub(crate) fn fault() -> Fault {
    Fault {
        description: None,
        owner: None,
        tags: Vec::new(),
        metadata: BTreeMap::new(),
        enabled: true,
        point: key("payment.gateway"),
        operation: None,
        host: None,
        when: None,
        percentage: percentage("1%"),
        ramp: daybreak_model::Ramp::NONE,
        by: DrawBy::Request,
        effect: Effect { abort: true, ..Effect::default() },
        times: None,
        hours: key("day"),
        guard: Guard::None,
        max_duration: Millis::from_secs(600),
        schedule: None,
        salt: None,
    }
}

pub(crate) fn spec() -> RunSpec {
    RunSpec {
        fault: key("gateway-slow"),
        point: key("payment.gateway"),
        operation: None,
        host: None,
        when: None,
        segments: BTreeMap::new(),
        protect: Vec::new(),
        by: DrawBy::Request,
        salt: "s".to_owned(),
        effect: Effect { abort: true, ..Effect::default() },
        times: None,
        shadow: false,
        measure: None,
    }
}

pub(crate) const RUN: RunId = RunId::new(7);

/// A run of 1 % that starts at `at(0)` and lasts ten minutes.
pub(crate) fn run() -> Run {
    Run {
        id: RUN,
        spec: spec(),
        revision: 3,
        percentage: percentage("1%"),
        stage: 0,
        ramp: Vec::new(),
        guard: None,
        conclusion: None,
        started_at: at(0),
        ends_at: at(600),
        hours_key: key("day"),
        hours: day(),
        started_by: None,
        hypothesis: None,
        waived: Vec::new(),
        end: None,
    }
}

pub(crate) fn report(client: u128, sequence: u64) -> Report {
    Report {
        client: InstanceId::new(client),
        sequence,
        service: "shop".to_owned(),
        environment: Some("staging".to_owned()),
        sdk: Sdk { name: "daybreak-sdk".to_owned(), version: "0.1.0".to_owned() },
        level: 1,
        position: None,
        position_age: None,
        state: ClientState::Streaming,
        faults: FaultSupport { allowed: true, in_flight: 0 },
        runs: Vec::new(),
        unsupported: Vec::new(),
        operations: BTreeMap::new(),
        points: BTreeMap::new(),
        arms: Vec::new(),
        counted: BTreeMap::new(),
        slos: Vec::new(),
        keys: Vec::new(),
        evaluations: BTreeMap::new(),
        unknown_flags: BTreeMap::new(),
        goodbye: false,
    }
}

/// A report of so many requests of `POST /checkout`, so many of which passed `payment.gateway`.
pub(crate) fn traffic_report(client: u128, sequence: u64, requests: u64, passed: u64) -> Report {
    let operation = "POST /checkout".to_owned();
    let counts = PointCounts {
        passes: passed,
        unscoped: 0,
        requests: BTreeMap::from([(operation.clone(), passed)]),
        permitted: true,
    };
    Report {
        operations: BTreeMap::from([(operation, OperationCounts { requests, open: 0 })]),
        points: BTreeMap::from([(key("payment.gateway"), counts)]),
        ..report(client, sequence)
    }
}

/// The counters of one arm of [`RUN`].
pub(crate) fn arm(arm: Arm, requests: u64, struck: u64) -> ArmCounts {
    ArmCounts {
        run: RUN,
        stage: 0,
        arm,
        operation: "POST /checkout".to_owned(),
        counts: BTreeMap::from([(Metric::Requests, requests), (Metric::Struck, struck), (Metric::Strikes, struck)]),
        latency: BTreeMap::new(),
        keys: None,
    }
}

/// The guard of `checkout`, with `payments` on call.
pub(crate) fn policy() -> GuardPolicy {
    GuardPolicy {
        slo: key("checkout"),
        min_budget: percentage("20%"),
        max_spend: GuardPolicy::MAX_SPEND_DEFAULT,
        harm: GuardPolicy::HARM_DEFAULT,
        on_call: Some(key("payments")),
        stop_when: None,
    }
}

/// 99.9 % of `POST /checkout` below 500, in 28 days.
pub(crate) fn slo() -> Slo {
    let good = Good { status: Some(StatusBound(500)), latency: None };
    Slo {
        description: None,
        owner: None,
        objective: percentage("99.9%"),
        window: Window::Rolling(Millis::from_secs(28 * 86_400)),
        sli: Indicator { operation: "POST /checkout".to_owned(), good, prometheus: None },
    }
}
