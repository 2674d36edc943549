//! The cells of the simulation, and what is measured in each.

use crate::cell::{Cell, Simulation};
use crate::counting::{Keys, beside_harm, reports, sticky};
use crate::judge::{Judged, Shown, run};
use crate::scenario::{FIVE, Harm, Scenario, Shape};

const RAMP: &[(u32, u32)] = &[(0, 1_000), (160, 5_000), (320, 10_000)];
const HALF: &[(u32, u32)] = &[(0, 50_000)];
const ONE: &[(u32, u32)] = &[(0, 1_000)];

/// Runs whose fault does no harm: how many each test would abort.
pub(crate) fn harmless(simulation: &Simulation) -> Vec<Cell> {
    let of = Scenario::harmless;
    let scenarios = [
        ("flat, 0.1 % bad", of(0.001, Shape::Flat)),
        ("flat, 1 % bad", of(0.01, Shape::Flat)),
        ("daily, 0.1 % bad", of(0.001, Shape::Daily)),
        ("daily, 1 % bad", of(0.01, Shape::Daily)),
        ("bursty, 0.1 % bad", of(0.001, Shape::Bursty)),
        ("bursty, a cap of 40 struck a minute", Scenario { cap: 40, ..of(0.001, Shape::Bursty) }),
        ("flat, 1 % treated", Scenario { ramp: ONE, ..of(0.001, Shape::Flat) }),
        ("flat, 50 % treated", Scenario { ramp: HALF, ..of(0.001, Shape::Flat) }),
        ("flat, ramped 1, 5, 10 %", Scenario { ramp: RAMP, ..of(0.001, Shape::Flat) }),
        ("daily, ramped 1, 5, 10 %", Scenario { ramp: RAMP, ..of(0.001, Shape::Daily) }),
        ("bursty, ramped 1, 5, 10 %", Scenario { ramp: RAMP, ..of(0.001, Shape::Bursty) }),
        ("bursty, three metrics", Scenario { metrics: 3, ..of(0.001, Shape::Bursty) }),
    ];
    let cell = |(name, scenario): (&str, Scenario)| {
        let judged = simulation.each(|seed| run(&scenario, None, seed));
        let mut cell = Cell::new("harmless", name, judged.len());
        cell.share("e-value", &judged, |one| one.harm.is_some());
        cell.share("z-test, peeking", &judged, |one| one.z_peeking.is_some());
        cell.share("z-test, once", &judged, |one| one.z_once);
        cell.share("ratio", &judged, |one| one.ratio);
        cell.curve("e-value", &judged, |one| one.harm);
        cell.curve("z-test, peeking", &judged, |one| one.z_peeking);
        cell
    };
    scenarios.into_iter().map(cell).collect()
}

/// Runs without harm, counted rightly and naively.
pub(crate) fn counting(simulation: &Simulation) -> Vec<Cell> {
    let cell = |name: &str, judge: &(dyn Fn(u64) -> (bool, bool) + Sync)| {
        let aborted = simulation.each(judge);
        let mut cell = Cell::new("counting", name, aborted.len());
        cell.share("as Daybreak counts", &aborted, |one| one.0);
        cell.share("naively", &aborted, |one| one.1);
        cell
    };
    vec![
        cell("30 % of reports twice, 20 % late, 50 processes: each report added", &|seed| reports(50, seed)),
        cell("beside a harmful run: its requests left out of control", &beside_harm),
        cell("sticky: each bad request counted", &|seed| sticky(Keys::Each, false, seed)),
        cell("sticky: a key counted once in each of 3 processes", &|seed| sticky(Keys::Once(3), false, seed)),
        cell("sticky: a key counted once in each of 50 processes", &|seed| sticky(Keys::Once(50), false, seed)),
        cell("sticky, ramped 1, 5, 10 %: each bad request counted", &|seed| sticky(Keys::Each, true, seed)),
    ]
}

/// Runs whose fault does harm: how many are found, when, and at what cost.
pub(crate) fn detection(simulation: &Simulation) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut add = |name: &str, scenario: &Scenario| {
        let judged = simulation.each(|seed| run(scenario, None, seed));
        let mut cell = Cell::new("detection", name, judged.len());
        cell.share("e-value", &judged, |one| one.harm.is_some());
        cell.share("z-test, peeking", &judged, |one| one.z_peeking.is_some());
        cell.share("z-test, once", &judged, |one| one.z_once);
        cell.medians("e-value", &judged, |one| one.harm);
        cell.medians("z-test, peeking", &judged, |one| one.z_peeking);
        cell.curve("e-value", &judged, |one| one.harm);
        cells.push(cell);
    };
    for (times, name) in [(2.0, "×2"), (5.0, "×5"), (20.0, "×20")] {
        let harmful = |shape| Scenario { harm: Harm::Times(times), ..Scenario::harmless(0.001, shape) };
        for (ramp, treated) in [(FIVE, "5 % treated"), (ONE, "1 % treated"), (RAMP, "ramped 1, 5, 10 %")] {
            for (shape, weather) in [(Shape::Flat, "flat"), (Shape::Daily, "daily")] {
                add(&format!("{name}, {treated}, {weather}"), &Scenario { ramp, ..harmful(shape) });
            }
        }
        add(&format!("{name}, 5 % treated, flat, three metrics"), &Scenario { metrics: 3, ..harmful(Shape::Flat) });
    }
    cells
}

/// Bounds and intervals, looked at each minute; and runs called resilient whose harm is just what is tolerated, 1 % of
/// struck requests, or none.
pub(crate) fn bounds(simulation: &Simulation) -> Vec<Cell> {
    let points =
        |points, share, base, shape| Scenario { harm: Harm::Points(points, share), ..Scenario::harmless(base, shape) };
    let scenarios = [
        ("no harm, flat, 0.1 % bad", 0.01, Scenario::harmless(0.001, Shape::Flat)),
        ("no harm, flat, 1 % bad", 0.01, Scenario::harmless(0.01, Shape::Flat)),
        ("no harm, daily, 1 % bad", 0.01, Scenario::harmless(0.01, Shape::Daily)),
        ("no harm, bursty, 0.1 % bad", 0.01, Scenario::harmless(0.001, Shape::Bursty)),
        ("no harm, flat, no errors", 0.01, Scenario::harmless(0.0, Shape::Flat)),
        ("δ = 1 %, flat, 0.1 % bad", 0.01, points(0.01, 1.0, 0.001, Shape::Flat)),
        ("δ = 1 %, flat, 1 % bad", 0.01, points(0.01, 1.0, 0.01, Shape::Flat)),
        ("δ = 1 %, flat, no errors", 0.01, points(0.01, 1.0, 0.0, Shape::Flat)),
        ("δ = 1 %, daily, 0.1 % bad", 0.01, points(0.01, 1.0, 0.001, Shape::Daily)),
        ("δ = 1 %, bursty, 0.1 % bad", 0.01, points(0.01, 1.0, 0.001, Shape::Bursty)),
        (
            "δ = 1 %, bursty, a cap of 40 struck a minute",
            0.01,
            Scenario { cap: 40, ..points(0.01, 1.0, 0.001, Shape::Bursty) },
        ),
        ("δ = 1 %, 60 % struck, flat, 0.1 % bad", 0.01, points(0.01, 0.6, 0.001, Shape::Flat)),
        (
            "δ = 1 %, ramped 1, 5, 10 %, daily, 0.1 % bad",
            0.01,
            Scenario { ramp: RAMP, ..points(0.01, 1.0, 0.001, Shape::Daily) },
        ),
        ("δ = 1 %, 50 % treated, flat, 1 % bad", 0.01, Scenario { ramp: HALF, ..points(0.01, 1.0, 0.01, Shape::Flat) }),
        ("δ = 0.1 %, flat, 0.1 % bad", 0.001, points(0.001, 1.0, 0.001, Shape::Flat)),
        ("harm of 20 %, δ = 1 %, flat, 0.1 % bad", 0.01, points(0.2, 1.0, 0.001, Shape::Flat)),
    ];
    let cell = |(name, tolerated, scenario): (&str, f64, Scenario)| {
        let judged = simulation.each(|seed| run(&scenario, Some(tolerated), seed));
        let mut cell = Cell::new("bounds", name, judged.len());
        cell.share("upper missed", &judged, |one| one.upper_missed);
        cell.share("lower missed", &judged, |one| one.lower_missed);
        cell.share("a rate's interval missed", &judged, |one| one.rate_missed);
        cell.share("Wald missed", &judged, |one| one.wald_missed);
        cell.share("resilient", &judged, |one| one.resilient.is_some());
        cell.medians("resilient", &judged, |one: &Judged| -> Option<Shown> { one.resilient });
        cell
    };
    scenarios.into_iter().map(cell).collect()
}
