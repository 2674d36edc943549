//! Does the treated arm do worse? An e-value on which arm each bad request fell in.
//!
//! If the fault does no harm, a bad request was treated with probability ρ, whatever the rate of bad requests is and
//! however it drifts. The e-value bets against that on several ratios of harm at once:
//!
//! ```text
//! θ_r = rρ/(rρ + 1−ρ)      r ∈ {1.5, 2, 4, 8, 16, 32}, equally weighed
//! E   = mean over r of  Π_s (θ_r/ρ)^k_s · ((1−θ_r)/(1−ρ))^m_s
//! ```
//!
//! with k and m bad requests of treated and control in stage s. Each factor has mean 1 without harm and less with
//! benefit, so E is a supermartingale, and by Ville's inequality (1939) it ever reaches 1/α with probability α at
//! most. The test of an inhomogeneous Bernoulli process is Lindon & Malek's (NeurIPS 2022, arXiv 2011.03567).
//! Several metrics: the mean of their e-values, which is one again.

use super::counts::{Arms, GuardedMetric, Stage};
use super::mixture::{count, ln_mean_exp};

/// A run is aborted when E reaches this: one harmless run in a hundred at most.
pub const THRESHOLD: f64 = 100.0;

/// The ratios of harm on which is bet.
const RATIOS: [f64; 6] = [1.5, 2.0, 4.0, 8.0, 16.0, 32.0];

/// ln E over all guarded metrics; 0 when nothing is guarded.
#[must_use]
pub fn ln_e(arms: &Arms) -> f64 {
    let each: Vec<f64> = arms.metrics.iter().map(|metric| ln_e_of(&arms.stages, *metric)).collect();
    if each.is_empty() { 0.0 } else { ln_mean_exp(&each) }
}

/// ln E of one metric. Stages in which nothing or everything is treated say nothing.
#[must_use]
pub fn ln_e_of(stages: &[Stage], metric: GuardedMetric) -> f64 {
    let mut logs = [0.0; RATIOS.len()];
    for stage in stages {
        let (treated, control) = (stage.treated.bad(metric), stage.control.bad(metric));
        if stage.odds().is_none() || (treated == 0 && control == 0) {
            continue;
        }
        for (log, ratio) in logs.iter_mut().zip(RATIOS) {
            // θ/ρ = r/(1 + (r−1)ρ), and (1−θ)/(1−ρ) = 1/(1 + (r−1)ρ).
            let scale = ((ratio - 1.0) * stage.rho()).ln_1p();
            *log += count(treated) * (ratio.ln() - scale) - count(control) * scale;
        }
    }
    ln_mean_exp(&logs)
}
