//! Burn rates, alerts, states.

use daybreak_model::{Key, RunId, Window};
use jiff::SignedDuration;

use super::super::burn::{FAST, PAGING, budget_ratio};
use super::super::{Reservations, State};
use super::{DAY, Simulation, days};

#[test]
fn factors() {
    // The table of the SRE workbook for 30 days, and Sloth's for 28.
    let cases = [
        (days(30), [14.4, 6.0, 14.4]),
        (days(28), [13.44, 5.6, 13.44]),
        (days(7), [3.36, 1.4, 3.36]),
        (days(1), [1.0, 1.0, 1.0]),
        (Window::Month, [14.4, 6.0, 14.4]),
    ];
    for (window, expected) in cases {
        let factors = [PAGING[0], PAGING[1], FAST].map(|alert| alert.factor(window));
        let close = factors.iter().zip(expected).all(|(factor, expected)| (factor - expected).abs() < 1e-9);
        assert!(close, "{window:?}: {factors:?} instead of {expected:?}");
    }
}

#[test]
fn what_an_objective_leaves() {
    let cases = [("99.9%", 0.001), ("99.999%", 0.000_01), ("90%", 0.1), ("100%", 0.0)];
    for (objective, expected) in cases {
        let left = budget_ratio(objective.parse().unwrap());
        assert!((left - expected).abs() < 1e-15, "{objective}: {left}");
    }
}

#[test]
fn states() {
    // Two quiet days with some errors, then an hour of which so much is bad, of so many requests a minute.
    let check = |per_minute: u64, quiet_bad: u64, bad: u64, expected: State| {
        let mut simulation = Simulation::new("99.9%", days(28), "2026-11-01T00:00:00Z");
        for _ in 0..48 {
            simulation.flow(3_600 - 60, 60, per_minute, 0).flow(60, 60, per_minute - quiet_bad, quiet_bad);
        }
        let status = simulation.flow(3_600, 60, per_minute - bad, bad).status();
        assert_eq!(status.state, expected, "{per_minute} a minute, {quiet_bad} and {bad} of them bad: {status:?}");
    };
    check(1_000, 0, 0, State::Ok);
    // Burn rates of 10 and of 20 in the last hour.
    check(1_000, 0, 10, State::Ok);
    check(1_000, 0, 20, State::Burning);
    // 72 requests an hour do for one bad request not to be too many within it; 60 do not.
    check(2, 0, 0, State::Ok);
    check(1, 0, 0, State::InsufficientData);
    // More than one request in a thousand.
    check(1_000, 65, 0, State::Spent);
}

#[test]
fn one_bad_request_does_not_page() {
    let mut simulation = Simulation::new("99.9%", days(30), "2026-11-01T00:00:00Z");
    simulation.flow(6 * 3_600, 60, 1, 0).add(0, 1);
    let status = simulation.status();
    assert!(!status.is_burning());
    assert_eq!(status.state, State::InsufficientData);
    // Four among many neither; five do.
    let mut simulation = Simulation::new("99.9%", days(30), "2026-11-01T00:00:00Z");
    simulation.flow(2 * DAY, 60, 3, 0);
    for bad in 1..=5 {
        simulation.add(0, 1);
        assert_eq!(simulation.status().is_burning(), bad == 5, "{bad} bad");
    }
}

/// A burn rate of just the factor spends just what may be spent.
#[test]
fn an_alert_fires_above_its_factor_and_not_at_it() {
    // Both are exactly 1 here.
    let mut simulation = Simulation::new("50%", days(1), "2026-11-01T00:00:00Z");
    simulation.flow(2 * 3_600, 60, 10, 10);
    let status = simulation.status();
    assert!(status.alerts.iter().all(|alert| alert.long.rate == Some(alert.factor)), "{status:?}");
    assert!(!status.is_burning() && !simulation.fast_burn(), "{status:?}");
    simulation.add(0, 1);
    assert!(simulation.status().is_burning() && simulation.fast_burn());
}

#[test]
fn an_alert_ends_with_its_short_window() {
    let mut simulation = Simulation::new("99.9%", days(30), "2026-11-01T00:00:00Z");
    simulation.flow(2 * DAY, 60, 1_000, 0);
    simulation.flow(600, 10, 100, 100);
    assert!(simulation.status().is_burning());
    simulation.flow(5 * 60 + 20, 10, 100, 0);
    let alerts = simulation.status().alerts;
    assert!(!alerts[0].firing && alerts[0].long.rate > Some(14.4), "{alerts:?}");
    simulation.flow(31 * 60, 10, 100, 0);
    assert!(!simulation.status().is_burning());
}

#[test]
fn invariant_5_nothing_counted_is_not_fine() {
    let simulation = Simulation::new("99.9%", days(28), "2026-11-01T00:00:00Z");
    let status = simulation.status();
    assert_eq!((status.state, status.total, status.last_sample), (State::InsufficientData, 0, None));
    assert!(!simulation.fast_burn());
}

#[test]
fn fast_burn_is_seen_within_half_a_minute() {
    let mut simulation = Simulation::new("99.9%", days(30), "2026-11-01T00:00:00Z");
    simulation.flow(DAY, 10, 200, 0);
    let mut seconds = 0;
    while !simulation.fast_burn() {
        // Half of all requests.
        simulation.flow(1, 1, 10, 10);
        seconds += 1;
    }
    assert!((5..=15).contains(&seconds), "{seconds}");
    // It is over half a minute after, to a bucket.
    simulation.flow(40, 1, 20, 0);
    assert!(!simulation.fast_burn());
    // Nine bad ones are not ten.
    let mut simulation = Simulation::new("99.9%", days(30), "2026-11-01T00:00:00Z");
    simulation.flow(600, 10, 10, 0).add(0, 9);
    assert!(!simulation.fast_burn());
    simulation.add(0, 1);
    assert!(simulation.fast_burn());
}

#[test]
fn a_projection_comes_true() {
    // It fills; a month; it is full. In each it goes on as it did.
    let check = |window, quiet_days: i64, burning: u64| {
        let mut simulation = Simulation::new("99%", window, "2026-11-01T00:00:00Z");
        simulation.flow(quiet_days * DAY, 3_600, 12_000, 0).flow(7 * 3_600, 300, 1_000 - burning, burning);
        let status = simulation.status();
        let projected = status.exhausted_at.unwrap();
        let before = projected.duration_since(simulation.now) - SignedDuration::from_hours(2);
        simulation.flow(before.as_secs(), 300, 1_000 - burning, burning);
        assert!(simulation.status().remaining.unwrap() > 0.0, "{window:?}: earlier than {projected}");
        let late = if window == days(7) { 3 * DAY } else { 4 * 3_600 };
        simulation.flow(late, 300, 1_000 - burning, burning);
        assert_eq!(simulation.status().state, State::Spent, "{window:?}: later than {projected}");
    };
    check(days(28), 3, 25);
    check(Window::Month, 3, 30);
    check(days(7), 9, 25);
}

#[test]
fn what_lasts_has_no_end() {
    let mut simulation = Simulation::new("99%", days(28), "2026-11-01T00:00:00Z");
    assert_eq!(simulation.flow(3 * DAY, 300, 991, 9).status().exhausted_at, None, "burns slower than it may");
    let mut simulation = Simulation::new("99%", Window::Month, "2026-11-01T00:00:00Z");
    simulation.flow(29 * DAY, 300, 1_000, 0);
    assert_eq!(simulation.flow(7 * 3_600, 300, 985, 15).status().exhausted_at, None, "the month ends before");
    assert_eq!(simulation.flow(20 * DAY, 300, 0, 1_000).status().exhausted_at, None, "it is spent");
}

#[test]
fn what_runs_may_spend_is_set_aside() {
    let (checkout, search) = (Key::new("checkout").unwrap(), Key::new("search").unwrap());
    let mut reservations = Reservations::default();
    reservations.hold(RunId::new(1), checkout.clone(), "2%".parse().unwrap());
    reservations.hold(RunId::new(2), checkout.clone(), "0.5%".parse().unwrap());
    reservations.hold(RunId::new(3), search, "5%".parse().unwrap());
    assert!((reservations.share(&checkout) - 0.025).abs() < 1e-12);
    let mut simulation = Simulation::new("99%", days(28), "2026-11-01T00:00:00Z");
    let status = simulation.flow(3 * DAY, 300, 992, 8).status();
    assert!((status.remaining_after(reservations.share(&checkout)).unwrap() - 0.175).abs() < 1e-9, "{status:?}");
    reservations.release(RunId::new(1));
    assert!((reservations.share(&checkout) - 0.005).abs() < 1e-12);
}
