//! What people read of a run, alike in its report and in the terminal: numbers, and latencies as the API tells them.
//! Runs outlive versions of the server, so nothing of it needs to be there.

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
    /// `81.9 to 102.4`, `over 81.9`.
    #[must_use]
    pub fn describe(self) -> String {
        match self.upper {
            Some(upper) => format!("{} to {}", short(self.lower), short(upper)),
            None => format!("over {}", short(self.lower)),
        }
    }
}

/// A number with as many digits as people read.
#[must_use]
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 1.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
