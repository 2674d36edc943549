//! Tables, whose figures were computed apart from this code, and properties of the statistics.

mod properties;
mod tables;
mod verdicts;

use daybreak_model::Percentage;

use super::{Arms, GuardedMetric, Outcomes, Stage};

/// An arm with so many requests, all of them struck, and so many errors.
fn arm(requests: u64, error: u64) -> Outcomes {
    Outcomes { requests, struck: requests, error, ..Outcomes::default() }
}

fn stage(percentage: Percentage, treated: Outcomes, control: Outcomes) -> Stage {
    Stage { percentage, treated, control: Outcomes { struck: 0, ..control } }
}

/// Errors only, as (thousandths of a percent, treated requests, bad, control requests, bad).
fn errors(stages: &[(u32, u64, u64, u64, u64)]) -> Arms {
    let of = |(thousandths, n1, k, n0, m): &(u32, u64, u64, u64, u64)| {
        stage(percent(*thousandths), arm(*n1, *k), arm(*n0, *m))
    };
    Arms { stages: stages.iter().map(of).collect(), metrics: vec![GuardedMetric::Error], sticky: false, full: false }
}

fn percent(thousandths: u32) -> Percentage {
    Percentage::from_thousandths(thousandths).unwrap_or(Percentage::FULL)
}

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{got} is not {expected}");
}
