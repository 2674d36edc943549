//! No reports, in whatever order and with whatever counters, make the guard panic; what was counted once is not counted
//! again; and what it finds in them are shares and counts that can be told.
//!
//! `cargo test` runs it for a second, and the kept corpus first; `BOLERO_RANDOM_TEST_TIME_MS=60000` runs longer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daybreak_guard::blast_radius::exceeding;
use daybreak_guard::clients::{ArmTotals, Clients, RunCounts};
use daybreak_guard::run::{Event, Run};
use daybreak_guard::watch::{Sight, Watch};
use daybreak_model::wire::{ArmCounts, ArmKeys, Metric, Report};
use daybreak_model::{Arm, InstanceId, KeyHash, Percentage, RunId};
use jiff::{SignedDuration, Timestamp};

const RUN: RunId = RunId::new(7);
/// Bytes that make a report.
const BYTES: usize = 12;
/// Counters that mean something to arithmetic.
const COUNTS: [u64; 8] = [0, 1, 2, 7, 100, 1 << 32, u64::MAX - 1, u64::MAX];
const METRICS: [Metric; 9] = [
    Metric::Requests,
    Metric::Struck,
    Metric::Strikes,
    Metric::Spared,
    Metric::Settled,
    Metric::Error,
    Metric::Slow,
    Metric::Cancelled,
    Metric::Other,
];

const REPORT: &str = r#"{"client":"00000000000000000000000000000007","sequence":1,"service":"shop","sdk":{"name":"rust","version":"1"},"state":"streaming","faults":{"allowed":true,"in_flight":1}}"#;
const SEEDED_RUN: &str = r#"{"id":"0000000000000007","revision":1,"stage":0,"percentage":10000,
    "spec":{"fault":"a","point":"b.c","by":"request","salt":"s","effect":{"abort":true}},
    "ramp":[{"percentage":1000,"until":"2026-11-23T10:00:30Z"},{"percentage":5000,"until":"2026-11-23T10:01:00Z"}],
    "guard":{"policy":{"slo":"checkout","min_budget":0,"max_spend":2000,"harm":1000,"stop_when":"resilient"},
        "slo":{"objective":99900,"window":{"rolling":2419200000},"sli":{"operation":"POST /checkout","good":{"status":500,"latency":400}}},
        "spend_max":50.0},
    "started_at":"2026-11-23T10:00:00Z","ends_at":"2026-11-23T10:30:00Z","hours_key":"day",
    "hours":{"time_zone":"UTC","weekdays":127,"times":[{"from":"00:00:00"}]}}"#;

/// A report, and how many seconds after the one before it comes.
fn report(bytes: &[u8]) -> (Report, i64) {
    let at = |index: usize| usize::from(bytes.get(index).copied().unwrap_or_default());
    let count = |index: usize| COUNTS[at(index) % COUNTS.len()];
    let rows = (0..at(11) % 4).map(|row| {
        let metric = |offset: usize| (METRICS[(at(6) + offset + row) % METRICS.len()], count(7 + offset));
        let keys: Vec<KeyHash> = (0..at(9) % 5).map(|key| KeyHash::new(((at(10) + key) as u64) << 56)).collect();
        let keys = ArmKeys {
            drawn: keys.iter().copied().collect(),
            struck: keys.iter().copied().collect(),
            bad: BTreeMap::from([(METRICS[at(10) % METRICS.len()], keys.into_iter().collect())]),
            full: at(10) == 255,
        };
        ArmCounts {
            run: RunId::new(7 + u64::from(at(2) > 250)),
            stage: [0, 1, 2, u32::MAX][(at(2) + row) % 4],
            arm: if (at(3) + row).is_multiple_of(2) { Arm::Treated } else { Arm::Control },
            operation: if at(4) < 250 { "POST /checkout".to_owned() } else { "x".repeat(300) },
            counts: (0..3).map(metric).collect(),
            latency: BTreeMap::from([(count(7), count(8))]),
            keys: (at(5) % 2 == 1).then_some(keys),
        }
    });
    let report: Report = serde_json::from_str(REPORT).unwrap();
    let report = Report {
        client: InstanceId::new(1 + at(0) as u128 % 4),
        service: if at(0).is_multiple_of(4) { "gateway" } else { "shop" }.to_owned(),
        sequence: count(1).max(at(1) as u64),
        runs: if at(5) % 4 < 2 { vec![RUN] } else { Vec::new() },
        goodbye: at(5) == 255,
        arms: rows.collect(),
        ..report
    };
    (report, at(3) as i64 % 16)
}

/// What must hold of what was counted.
fn check(run: &RunCounts) {
    for (lost, over) in [(BTreeSet::new(), false), (run.clients().collect(), false), (BTreeSet::new(), true)] {
        let feared = run.feared(&lost, over);
        let with_feared =
            |(at, totals): (&(u32, Arm), &ArmTotals)| totals.with_feared(feared.get(at).copied().unwrap_or_default());
        let stages: Vec<ArmTotals> = run.stages().iter().map(with_feared).collect();
        assert!(stages.iter().all(|totals| totals.struck <= totals.requests), "{stages:?}");
        assert!(!over || stages.iter().all(|totals| totals.open() == 0), "{stages:?}");
        let sane = |keys: &ArmTotals| keys.struck <= keys.requests && keys.error <= keys.requests;
        let keys: Vec<ArmTotals> = run.key_stages().iter().map(with_feared).collect();
        assert!(keys.iter().all(sane), "{keys:?}");
    }
}

fn look(watch: &mut Watch, run: &mut Run, clients: &Clients, now: Timestamp) {
    let (silent, counts) = (clients.silent(now), clients.run(RUN));
    let last_report = clients.iter().map(|client| client.last_heard).max();
    for over in [false, true] {
        let mut sight = Sight::new(run, counts, &silent, (now, over));
        sight.last_report = last_report;
        let finding = match watch.look(run, &sight) {
            Some(event) if !over => {
                let _ = run.step(event, now);
                watch.finding(run, &sight)
            }
            _ => watch.finding(run, &sight),
        };
        let share = |of: f64| (-1.0..=1.0).contains(&of);
        assert!(finding.harm.is_none_or(|harm| share(harm.lower) && share(harm.upper)), "{finding:?}");
        for arm in [finding.treated, finding.control] {
            assert!(share(arm.rate.lower) && arm.rate.lower <= arm.rate.upper, "{finding:?}");
        }
        assert!(finding.harm_ln_e >= 0.0 && (0.0..=1.0).contains(&finding.harm_p), "{finding:?}");
        serde_json::to_string(&finding).unwrap();
    }
}

#[test]
fn reports_of_a_run() {
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes: &[u8]| {
        let mut run: Run = serde_json::from_str(SEEDED_RUN).unwrap();
        let (mut clients, mut watch, mut now) = (Clients::default(), Watch::default(), run.started_at);
        clients.open_run(RUN);
        if bytes.first().is_some_and(|first| first % 2 == 1) {
            run.spec.by = daybreak_model::DrawBy::Attribute("tenant".into());
        }
        let reports: Vec<_> = bytes.chunks(BYTES).take(40).map(report).collect();
        for (report, later) in &reports {
            now += SignedDuration::from_secs(*later);
            let _ = run.step(Event::Tick, now);
            let _ = clients.report(report, now);
            look(&mut watch, &mut run, &clients, now);
        }
        let counted = clients.run(RUN).unwrap().clone();
        check(&counted);
        let _ = (
            exceeding(&[(&run, &counted)], Percentage::FULL),
            clients.lost(&run, &clients.silent(now), now),
            clients.is_through(RUN, (now, now), now),
        );
        // All of them are duplicates by now, or were refused before.
        for (report, _) in &reports {
            let _ = clients.report(report, now);
        }
        assert_eq!(clients.run(RUN), Some(&counted));
    });
}
