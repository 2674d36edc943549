//! How long requests took, in both arms.

use daybreak_guard::readable::short;
use serde::Deserialize;

/// Latencies of both arms.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Latencies {
    /// Of treated requests; none before the first.
    pub treated: Option<Latency>,
    /// Of the others.
    pub control: Option<Latency>,
}

/// Quantiles of one arm's latencies, in milliseconds, and where each is for sure.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Half took no longer.
    pub p50_ms: f64,
    /// Nine of ten took no longer.
    pub p90_ms: f64,
    /// 99 of a hundred took no longer.
    pub p99_ms: f64,
    /// Where the first is.
    pub p50_bounds_ms: Option<Bounds>,
    /// Where the second is.
    pub p90_bounds_ms: Option<Bounds>,
    /// Where the third is.
    pub p99_bounds_ms: Option<Bounds>,
}

/// Where a quantile is, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Bounds {
    /// At least here.
    pub lower: f64,
    /// At most here; none where nothing bounds it.
    pub upper: Option<f64>,
}

impl Bounds {
    /// `81.9 to 102.4`, `over 81.9`; of too few requests to tell, that.
    #[must_use]
    pub fn describe(self) -> String {
        match self.upper {
            Some(upper) => format!("{} to {}", short(self.lower), short(upper)),
            None if self.lower > 0.0 => format!("over {}", short(self.lower)),
            None => "too few to tell".to_owned(),
        }
    }
}
