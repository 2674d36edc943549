//! The rate of bad requests in one arm, as an interval that holds at every look at once.
//!
//! With k bad of n requests, let P be the sum of their probabilities to be bad, each given what came before. For any
//! θ > 0, θ^k · exp(−(θ−1)·P) is a supermartingale, because 1 + p(θ−1) ≤ exp(p(θ−1)); so is its mean over θ from an
//! exponential distribution of mean 1:
//!
//! ```text
//! M(P) = e^P · Γ(1+k) / (1+P)^(1+k)        the interval of P is {P : M(P) < 1/α}, that of the rate P/n
//! ```
//!
//! This is Robbins' method of mixtures (1970) with the gamma mixture of the Poisson bound, one of those of Howard,
//! Ramdas, McAuliffe & Sekhon (Ann. Stat. 2021, arXiv 1810.08240). Unlike the better-known mixture of binomial
//! likelihoods it does not suppose that the rate stays the same: it covers the mean of a rate that drifts.

use serde::{Deserialize, Serialize};

use super::mixture::{count, root};

/// The chance that an interval ever misses: 5 %.
pub const ALPHA: f64 = 0.05;

/// Two ends, each a share from 0 to 1, or of harm from −1 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// At least this.
    pub lower: f64,
    /// At most this.
    pub upper: f64,
}

/// The interval of the mean rate of bad requests, of which `bad` of `requests` were. With probability 1 − α it holds
/// at every look. Nothing is known without requests: from 0 to 1.
#[must_use]
pub fn rate(bad: u64, requests: u64, alpha: f64) -> Interval {
    if requests == 0 {
        return Interval { lower: 0.0, upper: 1.0 };
    }
    let (k, n) = (count(bad.min(requests)), count(requests));
    // ln M(P) + ln α and its slope: convex, and least at P = k.
    let constant = libm::lgamma(1.0 + k) + alpha.ln();
    let over = |sum: f64| (sum + constant - (1.0 + k) * sum.ln_1p(), (sum - k) / (1.0 + sum));
    let lower = if over(0.0).0 < 0.0 { 0.0 } else { root(0.0, over).clamp(0.0, k) };
    // From inside the interval the first step leads beyond it.
    let upper = root(k + k.sqrt().max(1.0), over).clamp(k, n);
    Interval { lower: lower / n, upper: upper / n }
}

/// ln M(P).
#[cfg(test)]
pub(super) fn ln_mixture(sum: f64, bad: f64) -> f64 {
    sum + libm::lgamma(1.0 + bad) - (1.0 + bad) * sum.ln_1p()
}
