//! What the statistics are computed from: cumulative counts by ramp stage and arm.

use daybreak_model::Percentage;
use serde::{Deserialize, Serialize};

/// A way in which a request can be bad. A request counts in at most one: the sums over metrics rest on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardedMetric {
    /// It failed.
    Error,
    /// It succeeded, but later than the SLO allows.
    Slow,
    /// The client left before the deadline.
    Cancelled,
}

impl GuardedMetric {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Error, Self::Slow, Self::Cancelled];
}

/// What became of the requests of one arm. Where a fault draws by an attribute, a *request* is a key: it is bad if
/// any of its requests was, counted once over all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Eligible requests.
    pub requests: u64,
    /// Those that met at least one injection.
    pub struck: u64,
    /// Those that failed.
    pub error: u64,
    /// Those that were late.
    pub slow: u64,
    /// Those that the client gave up.
    pub cancelled: u64,
}

/// One stage of a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The probability with which a request was treated.
    pub percentage: Percentage,
    /// Eligible and drawn.
    pub treated: Outcomes,
    /// Eligible and not drawn by this run, whatever other runs drew.
    pub control: Outcomes,
}

/// Both arms of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arms {
    /// By stage at the draw.
    pub stages: Vec<Stage>,
    /// What is guarded: settled when the run starts, or the tests say nothing.
    pub metrics: Vec<GuardedMetric>,
    /// Whether the fault draws by an attribute. Then units are keys.
    pub sticky: bool,
    /// Whether more keys were bad than are counted: then the counts stand still.
    pub full: bool,
}

impl Outcomes {
    /// How many were bad in this way.
    #[must_use]
    pub const fn bad(&self, metric: GuardedMetric) -> u64 {
        match metric {
            GuardedMetric::Error => self.error,
            GuardedMetric::Slow => self.slow,
            GuardedMetric::Cancelled => self.cancelled,
        }
    }

    /// How many were bad in any of these ways.
    #[must_use]
    pub fn bad_in(&self, metrics: &[GuardedMetric]) -> u64 {
        metrics.iter().fold(0, |sum, metric| self.bad(*metric).saturating_add(sum))
    }

    /// Both together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            struck: self.struck.saturating_add(other.struck),
            error: self.error.saturating_add(other.error),
            slow: self.slow.saturating_add(other.slow),
            cancelled: self.cancelled.saturating_add(other.cancelled),
        }
    }
}

impl Stage {
    /// A stage in which nothing has happened yet.
    #[must_use]
    pub fn new(percentage: Percentage) -> Self {
        Self { percentage, treated: Outcomes::default(), control: Outcomes::default() }
    }

    /// ρ: the probability with which a request was treated, from 0 to 1.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.percentage.ratio()
    }

    /// ρ/(1−ρ), by which bad requests of control are weighed; `None` where nothing or everything is treated, so that
    /// there is nothing to compare.
    #[must_use]
    pub fn odds(&self) -> Option<f64> {
        let rho = self.rho();
        (rho > 0.0 && rho < 1.0).then(|| rho / (1.0 - rho))
    }
}

impl Arms {
    /// The treated arm over all stages.
    #[must_use]
    pub fn treated(&self) -> Outcomes {
        self.stages.iter().fold(Outcomes::default(), |sum, stage| sum.plus(&stage.treated))
    }

    /// The control arm over all stages.
    #[must_use]
    pub fn control(&self) -> Outcomes {
        self.stages.iter().fold(Outcomes::default(), |sum, stage| sum.plus(&stage.control))
    }

    /// Whether there is more than one stage in which requests were counted.
    #[must_use]
    pub fn is_ramped(&self) -> bool {
        let begun = |stage: &&Stage| stage.treated.requests > 0 || stage.control.requests > 0;
        self.stages.iter().filter(begun).count() > 1
    }
}
