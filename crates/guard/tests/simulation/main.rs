//! Simulated runs of eight hours: false aborts, detection, coverage.
//!
//! 500 runs a cell are a test. `cargo xtask simulate` runs this with more, by `DAYBREAK_SIMULATED_RUNS`, and takes the
//! figures from the folder `DAYBREAK_SIMULATED_OUT`. Seeded: the same runs give the same figures.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod capped;
mod cell;
mod cells;
mod counting;
mod judge;
mod keyed;
mod scenario;
mod served;
mod shadow;
mod silent;
mod told;

use std::path::PathBuf;

use cell::{Cell, Simulation};

/// Runs a cell in a test.
const RUNS: usize = 500;

fn simulate(name: &str, cells: impl Fn(&Simulation) -> Vec<Cell>) -> Vec<Cell> {
    let runs = std::env::var("DAYBREAK_SIMULATED_RUNS").ok();
    let cells = cells(&Simulation { runs: runs.map_or(RUNS, |runs| runs.parse().expect("a number of runs")) });
    if let Some(out) = std::env::var_os("DAYBREAK_SIMULATED_OUT") {
        let json = serde_json::to_vec(&cells).expect("figures are JSON");
        std::fs::write(PathBuf::from(out).join(format!("{name}.json")), json).expect("the folder can be written");
    }
    cells
}

#[test]
fn harmless_runs_are_rarely_aborted() {
    let cells = simulate("harmless", cells::harmless);
    for cell in &cells {
        cell.at_most("e-value", 0.01);
        cell.at_most("ratio", 0.001);
    }
    // What it is held against fails, so this would be seen.
    assert!(cells[0].shares["z-test, peeking"] > 0.05, "{:?}", cells[0]);
}

#[test]
fn whatever_clients_do_to_reports() {
    for cell in simulate("counting", cells::counting) {
        cell.at_most("as Daybreak counts", 0.01);
    }
}

#[test]
fn harm_is_found() {
    for cell in simulate("detection", cells::detection) {
        let least = if cell.name.starts_with("×20") {
            0.99
        } else if cell.name.starts_with("×5, 5 %") {
            0.95
        } else {
            0.02
        };
        assert!(cell.shares["e-value"] >= least, "{cell:?}");
    }
}

#[test]
fn bounds_cover() {
    for cell in simulate("bounds", cells::bounds) {
        cell.at_most("upper missed", 0.05);
        cell.at_most("lower missed", 0.05);
        // Of two intervals.
        cell.at_most("a rate's interval missed", 0.10);
        if !cell.name.starts_with("no harm") {
            cell.at_most("resilient", 0.05);
        }
    }
}

#[test]
fn as_the_server_counts() {
    for cell in simulate("served", served::served) {
        if cell.name.contains("no harm") {
            cell.at_most("aborted", 0.01);
        }
        cell.at_most("upper missed", 0.05);
        cell.at_most("upper missed in the end", 0.05);
        if cell.name.contains("δ = ") {
            cell.at_most("resilient", 0.05);
            cell.at_most("resilient in the end", 0.05);
        }
    }
}

#[test]
fn what_a_shadow_run_sees() {
    for cell in simulate("shadow", served::shadow) {
        if cell.name.starts_with("nothing") {
            cell.at_most("10⁶ requests", 0.011);
        } else {
            assert!(cell.shares["10⁶ requests"] >= 0.99, "{cell:?}");
        }
    }
}
