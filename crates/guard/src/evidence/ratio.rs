//! Do the arms come out as drawn? An e-value on how many requests fell in each.
//!
//! If reports, draws and stages work, each eligible request is treated with probability ρ. The e-value bets on other
//! probabilities, spread around ρ as a beta distribution of weight κ:
//!
//! ```text
//! E = Π_s B(κρ + n1, κ(1−ρ) + n0) / (B(κρ, κ(1−ρ)) · ρ^n1 · (1−ρ)^n0)      κ = 1000
//! ```
//!
//! with n1 and n0 the requests of treated and control in stage s. It is a martingale (Robbins' method of mixtures,
//! 1970; for arms of an experiment Lindon & Malek, arXiv 2011.03567).

use super::counts::{Arms, Stage};
use super::mixture::count;

/// A run is aborted when E reaches this: one run in a thousand at most whose instrumentation works.
pub const THRESHOLD: f64 = 1_000.0;

/// κ: so many requests is what the bet's spread around ρ is worth.
const WEIGHT: f64 = 1_000.0;

/// ln E; 0 where the fault draws by an attribute: one key may carry any share of the traffic. Exact to a hundredth for
/// up to 10^12 requests.
#[must_use]
pub fn ln_e(arms: &Arms) -> f64 {
    if arms.sticky { 0.0 } else { arms.stages.iter().map(ln_e_of).sum() }
}

fn ln_e_of(stage: &Stage) -> f64 {
    let (rho, treated, control) = (stage.rho(), stage.treated.requests, stage.control.requests);
    if stage.odds().is_none() {
        // What cannot happen shows that something is broken, at once.
        let impossible = if rho > 0.0 { control } else { treated };
        return if impossible > 0 { f64::INFINITY } else { 0.0 };
    }
    let (one, zero) = (WEIGHT * rho, WEIGHT * (1.0 - rho));
    let (treated, control) = (count(treated), count(control));
    ln_beta(one + treated, zero + control) - ln_beta(one, zero) - treated * rho.ln() - control * (-rho).ln_1p()
}

/// ln B(a, b) for a, b over 0.
fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}
