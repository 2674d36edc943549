//! Buckets: exact to one of them, bounded, kept and loaded.

use std::collections::BTreeMap;

use daybreak_model::{Key, Millis};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::Budgets;
use super::super::series::{Counts, Resolution, Series};
use super::{DAY, Simulation, at, days, slo};

proptest! {
    #[test]
    fn a_window_holds_all_of_its_requests_and_at_most_a_bucket_more(
        steps in prop::collection::vec((0_i64..4_000, 0_u64..100, 0_u64..10), 1..200),
        window in prop::sample::select(vec![30, 300, 1_800, 3_600, 6 * 3_600, DAY, 28 * DAY]),
    ) {
        let mut series = Series::default();
        let mut now = at("2026-11-01T00:00:00Z");
        let mut all = Vec::new();
        for (later, good, bad) in steps {
            now += SignedDuration::from_secs(later);
            series.add(Counts { good, bad }, now);
            all.push((now, good + bad));
        }
        let within = |seconds: i64| -> u64 {
            let since = now - SignedDuration::from_secs(seconds);
            all.iter().filter(|(at, _)| *at >= since).map(|(_, total)| total).sum()
        };
        let total = series.over(window, now).total();
        let more = window + Resolution::reaching(window).seconds();
        prop_assert!((within(window)..=within(more)).contains(&total));
    }
}

#[test]
fn resolutions() {
    let cases = [
        (30, Resolution::TenSeconds),
        (3_600, Resolution::TenSeconds),
        (6 * 3_600, Resolution::Minute),
        (DAY, Resolution::FiveMinutes),
        (28 * DAY, Resolution::Hour),
        (366 * DAY, Resolution::Hour),
    ];
    for (seconds, expected) in cases {
        assert_eq!(Resolution::reaching(seconds), expected, "{seconds} s");
    }
}

#[test]
fn two_years_are_bounded() {
    let mut series = Series::default();
    let mut now = at("2026-01-01T00:00:00Z");
    for _ in 0..2 * 366 * 24 {
        now += SignedDuration::from_hours(1);
        series.add(Counts { good: 1, bad: 0 }, now);
    }
    assert!(series.buckets() <= 10_410, "{}", series.buckets());
    assert!(series.over(366 * DAY, now).total() >= 366 * 24);
}

#[test]
fn what_is_kept_can_be_loaded() {
    let mut simulation = Simulation::new("99.9%", days(28), "2026-11-01T00:00:00Z");
    let definition = simulation.slo.clone();
    simulation.budgets.define(&simulation.key, &definition, 3);
    let mut kept = BTreeMap::new();
    for _ in 0..50 {
        simulation.flow(3_600, 7, 20, 1);
        // Put back once in a while.
        simulation.now -= SignedDuration::from_secs(200);
        for bucket in simulation.budgets.take_changed() {
            kept.insert((bucket.resolution, bucket.start), bucket);
        }
    }
    assert!(simulation.budgets.take_changed().is_empty());
    let mut loaded = Budgets::default();
    loaded.load(&simulation.key, definition.sli.clone(), 3, kept.into_values());
    let status = |budgets: &Budgets| {
        let status = budgets.status(&simulation.key, &definition, simulation.now);
        (status.total, status.bad, status.alerts, status.state)
    };
    assert_eq!(status(&loaded), status(&simulation.budgets));
    assert!(loaded.stale(&simulation.key, Millis::from_secs(3_600), simulation.now), "until somebody counts again");
}

#[test]
fn what_could_not_be_kept_is_tried_again() {
    let mut simulation = Simulation::new("99.9%", days(28), "2026-11-01T00:00:00Z");
    simulation.add(5, 1);
    let changed = simulation.budgets.take_changed();
    assert_eq!(changed.len(), Resolution::ALL.len());
    simulation.budgets.give_back(&changed);
    simulation.add(1, 0);
    let again = simulation.budgets.take_changed();
    assert!(again.len() == changed.len() && again.iter().all(|bucket| bucket.counts == Counts { good: 6, bad: 1 }));
}

#[test]
fn another_indicator_begins_anew() {
    let (key, now) = (Key::new("checkout").unwrap(), Timestamp::UNIX_EPOCH);
    let mut budgets = Budgets::default();
    let before = slo("99.9%", days(28));
    assert!(!budgets.define(&key, &before, 5));
    budgets.add(&key, 5, 10, 0, now);
    // The promise is another, the question is the same.
    let stricter = slo("99.99%", days(7));
    assert!(!budgets.define(&key, &stricter, 6));
    budgets.add(&key, 5, 10, 0, now);
    assert_eq!(budgets.status(&key, &stricter, now).total, 20);
    let mut other = stricter;
    other.sli.operation = "GET /".to_owned();
    assert!(budgets.define(&key, &other, 8));
    budgets.add(&key, 7, 10, 0, now);
    assert_eq!(budgets.status(&key, &other, now).total, 0, "who does not know it yet counts something else");
    budgets.add(&key, 8, 10, 0, now);
    assert_eq!(budgets.status(&key, &other, now).total, 10);
    assert_eq!(budgets.retain(|_| false), vec![key.clone()]);
    assert_eq!(budgets.status(&key, &other, now).total, 0);
}

#[test]
fn a_plot_shows_every_request_once() {
    let mut simulation = Simulation::new("99%", days(28), "2026-10-01T00:00:00Z");
    simulation.flow(40 * DAY, 3_600, 99, 1);
    for points in [1, 10, 28, 56, 1_000] {
        let history = simulation.budgets.history(&simulation.key, &simulation.slo, points, simulation.now);
        let total: u64 = history.iter().map(|point| point.total).sum();
        assert_eq!(total, simulation.status().total, "{points}");
        assert!(history.len() <= points && history.is_sorted_by_key(|point| point.start), "{points}");
        assert!(history.iter().all(|point| point.rate.is_some_and(|rate| (rate - 1.0).abs() < 1e-9)));
    }
}
