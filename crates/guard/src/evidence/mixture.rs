//! What the tests share: the mean of exponentials, the greatest e-value so far, and the bound that a mixture sets.

use serde::{Deserialize, Serialize};

/// Greater logarithms are kept as this one, so that every sum stays a number.
const LN_E_MAX: f64 = 1e6;
/// Newton's steps for a bound; ten are enough for what a run counts.
const STEPS_MAX: u32 = 100;

/// ln of the mean of exp(x): the greatest is taken out first, so nothing overflows. Nothing at all is −∞.
pub(super) fn ln_mean_exp(logs: &[f64]) -> f64 {
    let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !greatest.is_finite() {
        return greatest;
    }
    let sum: f64 = logs.iter().map(|log| (log - greatest).exp()).sum();
    greatest + (sum / count(logs.len() as u64)).ln()
}

/// The greatest e-value that was seen: what Ville's inequality speaks of. It begins at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Greatest {
    ln: f64,
}

impl Greatest {
    /// Takes a look in, given as ln E.
    pub fn look(&mut self, ln_e: f64) {
        self.ln = self.ln.max(ln_e.min(LN_E_MAX));
    }

    /// Its natural logarithm, from 0 to 1,000,000.
    #[must_use]
    pub const fn ln(self) -> f64 {
        self.ln
    }

    /// Whether it has reached a threshold, as 100.
    #[must_use]
    pub fn reached(self, threshold: f64) -> bool {
        // A rounding error must not decide about a threshold that is met exactly.
        self.ln >= threshold.ln() - 1e-12
    }

    /// The anytime-valid p-value, 1/E: under no effect the chance that it ever is below x is at most x.
    #[must_use]
    pub fn p(self) -> f64 {
        (-self.ln).exp()
    }
}

/// One member of a mixture exp(rate·(x − centre) − cost).
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Its slope in x, over 0.
    pub(super) rate: f64,
    /// What the variance so far costs it.
    pub(super) cost: f64,
}

/// sup{x : (1/of) Σ exp(rate·(x − centre) − cost) < 1/α}. `of` is the number of members that the mixture began with,
/// of which some may have gone. +∞ without members.
pub(super) fn upper(members: &[Member], of: usize, centre: f64, alpha: f64) -> f64 {
    let limit = count(of as u64).ln() - alpha.ln();
    // Where one member alone is at the limit, the sum is not under it.
    let reach = |member: &Member| (limit + member.cost) / member.rate;
    let start = members.iter().map(reach).fold(f64::INFINITY, f64::min);
    if !start.is_finite() {
        return f64::INFINITY;
    }
    let value = |x: f64| {
        let greatest = members.iter().map(|member| member.rate * x - member.cost).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut slope) = (0.0, 0.0);
        for member in members {
            let part = (member.rate * x - member.cost - greatest).exp();
            sum += part;
            slope += part * member.rate;
        }
        (greatest + sum.ln() - limit, slope / sum)
    };
    centre + root(start, value)
}

/// The root of a convex function, by Newton's steps; `value` is the function and its slope. From where the function is
/// over 0 they come no further than the root, so what is returned is never inside a bound.
pub(super) fn root(start: f64, value: impl Fn(f64) -> (f64, f64)) -> f64 {
    let mut x = start;
    for _ in 0..STEPS_MAX {
        let (over, slope) = value(x);
        let step = over / slope;
        if !step.is_finite() || step.abs() <= 1e-13 * x.abs().max(1.0) {
            break;
        }
        x -= step;
    }
    x
}

/// A count as a number: exact to 2^53, and beyond that to 16 digits.
pub(super) const fn count(of: u64) -> f64 {
    of as f64
}

/// ψ(l) = −ln(1−l) − l for 0 ≤ l < 1: what a squared deviation costs.
pub(super) fn psi(l: f64) -> f64 {
    -(-l).ln_1p() - l
}
