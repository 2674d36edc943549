//! What the tests share: the mean of exponentials, the greatest e-value so far, and the bound that a mixture sets.

use serde::Serialize;

/// Greater logarithms are kept as this one, so that every sum stays a number.
const LN_E_MAX: f64 = 1e6;
/// Halvings of a bracket. They leave less than a double can tell apart.
const HALVINGS: u32 = 64;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
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
    let reach = |limit: f64| {
        let bound = |member: &Member| (limit + member.cost) / member.rate;
        members.iter().map(bound).fold(f64::INFINITY, f64::min)
    };
    let limit = count(of as u64).ln() - alpha.ln();
    // Where each member alone is at its share of the limit, the sum is not over it; where one is at all of it, it is.
    let (mut low, mut high) = (reach(limit - count(members.len() as u64).ln()), reach(limit));
    if !high.is_finite() {
        return f64::INFINITY;
    }
    let mut logs = vec![0.0; members.len()];
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        for (log, member) in logs.iter_mut().zip(members) {
            *log = member.rate * middle - member.cost;
        }
        let sum = ln_mean_exp(&logs) + count(members.len() as u64).ln();
        if sum < limit {
            low = middle;
        } else {
            high = middle;
        }
    }
    centre + high
}

/// Where a function that grows (or falls) crosses zero in a bracket; the end with a value over zero.
pub(super) fn crossing(mut below: f64, mut above: f64, value: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(below, above);
        if value(middle) < 0.0 {
            below = middle;
        } else {
            above = middle;
        }
    }
    above
}

/// A count as a number: exact to 2^53, and beyond that to 16 digits.
pub(super) const fn count(of: u64) -> f64 {
    of as f64
}

/// ψ(l) = −ln(1−l) − l for 0 ≤ l < 1: what a squared deviation costs.
pub(super) fn psi(l: f64) -> f64 {
    -(-l).ln_1p() - l
}
