//! A month of burn, seasons, and clocks that jump: in simulated time.

use daybreak_model::{Millis, Window};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::State;
use super::{DAY, Simulation, at, days};

#[test]
fn a_month_of_burn() {
    let mut simulation = Simulation::new("99.9%", days(28), "2026-10-01T00:00:00Z");
    // 28 days with 2,000 requests a minute, of which one is bad: half of the budget.
    let status = simulation.flow(28 * DAY, 60, 1_999, 1).status();
    assert_eq!((status.total, status.bad), (80_640_000, 40_320));
    assert!((status.remaining.unwrap() - 0.5).abs() < 1e-9 && status.state == State::Ok, "{status:?}");
    // An incident: all fails for 20 minutes, 40,000 requests. Nearly all of the rest is gone.
    let status = simulation.flow(20 * 60, 60, 0, 2_000).status();
    assert!(status.remaining.unwrap() < 0.01 && status.is_burning(), "{status:?}");
    assert_eq!(simulation.flow(7 * 3_600, 60, 2_000, 0).status().state, State::Ok);
    // 29 days later it has aged out.
    let status = simulation.flow(29 * DAY, 60, 2_000, 0).status();
    assert!((status.remaining.unwrap() - 1.0).abs() < 1e-9, "{status:?}");
}

#[test]
fn a_calendar_month_begins_anew() {
    let mut simulation = Simulation::new("99%", Window::Month, "2026-10-01T00:00:00Z");
    simulation.flow(31 * DAY - 60, 60, 98, 2);
    let status = simulation.status();
    assert_eq!((status.since, status.state), (at("2026-10-01T00:00:00Z"), State::Spent));
    simulation.flow(60, 60, 100, 0);
    let status = simulation.status();
    assert_eq!((status.since, status.total, status.bad), (at("2026-11-01T00:00:00Z"), 100, 0));
    // Whoever begins a month with two bad hours is told so, whatever was the month before.
    assert_eq!(simulation.flow(DAY, 60, 100, 0).status().state, State::Ok);
}

#[test]
fn seasons_change_nothing() {
    // Berlin puts its clocks back on 25 October, New York on 1 November, and Berlin ahead on 28 March.
    for (zone, day) in
        [("Europe/Berlin", "2026-10-25"), ("America/New_York", "2026-11-01"), ("Europe/Berlin", "2027-03-28")]
    {
        let zone = TimeZone::get(zone).unwrap();
        let midnight: jiff::civil::Date = day.parse().unwrap();
        let before = midnight.yesterday().unwrap().to_zoned(zone.clone()).unwrap().timestamp();
        let mut simulation = Simulation::new("99%", days(1), &before.to_string());
        // Two days there, of 23 or 25 hours each or not; in a window of 24 hours.
        let end = midnight.tomorrow().unwrap().to_zoned(zone).unwrap().timestamp();
        let status = simulation.flow(end.duration_since(before).as_secs(), 60, 99, 1).status();
        assert_eq!((status.total, status.bad), (144_100, 1_441), "{day}: a day, and the bucket that begins");
    }
}

#[test]
fn a_clock_put_back_forgets_nothing_bad() {
    let mut simulation = Simulation::new("99.9%", days(28), "2026-11-01T00:00:00Z");
    simulation.flow(2 * DAY, 60, 1_000, 1);
    let before = simulation.status();
    for back in [1, 59, 3_600, 12 * 3_600] {
        let mut simulation = simulation.clone();
        simulation.now -= SignedDuration::from_secs(back);
        let put_back = simulation.status();
        assert_eq!((put_back.total, put_back.bad), (before.total, before.bad), "{back} s, and nothing came since");
        simulation.add(1_000, 1);
        let status = simulation.status();
        assert_eq!((status.total, status.bad), (before.total + 1_001, before.bad + 1), "{back} s");
        let hour = &status.alerts[0].long;
        assert!(hour.bad >= 60, "{back} s: what was just now is not forgotten: {hour:?}");
        // And the hour after is as any other.
        let hour = simulation.flow(3_700, 60, 1_000, 0).status().alerts[0].long;
        assert_eq!(hour.bad, 0, "{back} s");
    }
}

#[test]
fn a_clock_that_runs_ahead_for_a_moment_costs_no_history() {
    let mut simulation = Simulation::new("99.9%", days(28), "2026-11-01T00:00:00Z");
    simulation.flow(20 * DAY, 3_600, 60_000, 60);
    let (before, now) = (simulation.status(), simulation.now);
    for ahead in ["2027-11-01T00:00:00Z", "2500-01-01T00:00:00Z", "9999-12-30T22:00:00Z"] {
        simulation.now = at(ahead);
        simulation.add(1_000, 0);
        assert_eq!(simulation.status().total, 1_000, "at that time nothing else was");
        simulation.now = now;
        simulation.add(0, 0);
    }
    let after = simulation.status();
    assert_eq!((after.total, after.bad), (before.total + 3_000, before.bad));
}

#[test]
fn any_moment_is_survived() {
    let ends = [Timestamp::MIN, Timestamp::UNIX_EPOCH, at("2026-11-01T00:00:00Z"), Timestamp::MAX];
    for window in [days(1), days(366), Window::Month] {
        let mut simulation = Simulation::new("99.9%", window, "2026-11-01T00:00:00Z");
        for now in ends.into_iter().chain(ends.into_iter().rev()) {
            simulation.now = now;
            simulation.add(u64::MAX / 2, u64::MAX / 2);
            assert!(simulation.status().remaining.is_none_or(f64::is_finite));
            let history = simulation.budgets.history(&simulation.key, &simulation.slo, 28, now);
            assert!(!history.is_empty() && history.len() <= 28);
        }
    }
}

#[test]
fn invariant_5_what_is_old_is_stale() {
    let mut simulation = Simulation::new("99.9%", days(28), "2026-11-01T00:00:00Z");
    let limit = Millis::from_secs(90);
    let stale = |simulation: &Simulation, now| simulation.budgets.stale(&simulation.key, limit, now);
    assert!(stale(&simulation, simulation.now), "nothing came yet");
    simulation.add(0, 0);
    let now = simulation.now;
    for (seconds, expected) in [(0, false), (90, false), (91, true), (-1, false), (-91, true)] {
        assert_eq!(stale(&simulation, now + SignedDuration::from_secs(seconds)), expected, "{seconds} s later");
    }
}
