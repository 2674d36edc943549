//! What a fault does to a request that it strikes.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// Everything that one strike does, in this order: latency, hang, data, then error or abort. At least one is
/// set; `error` and `abort` exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Wait before going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Wait for nothing, until the run ends or `max` has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hang: Option<Hang>,
    /// A JSON value handed to the application, which decides what to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
    /// Fail instead of going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorEffect>,
    /// Break the connection instead of going on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abort: bool,
}

impl Effect {
    /// The names of its parts, in the order in which they are done.
    pub const PARTS: [&str; 5] = ["latency", "hang", "data", "error", "abort"];

    /// The name of what does these of its parts: `latency+error`.
    #[must_use]
    pub fn name_of(does: impl Fn(&str) -> bool) -> String {
        let parts: Vec<_> = Self::PARTS.into_iter().filter(|part| does(part)).collect();
        parts.join("+")
    }
}

/// An injected latency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How it is distributed.
    pub distribution: Distribution,
    /// No sample is longer than this; at most 30 s.
    pub max: Millis,
}

/// A distribution of latencies. Samples below zero count as zero, samples above `max` as `max`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Always the same.
    Fixed(Millis),
    /// Every length from `from` to `to` alike.
    Uniform {
        /// The shortest.
        from: Millis,
        /// The longest, not below `from`.
        to: Millis,
    },
    /// The bell curve.
    Normal {
        /// Its mean.
        mean: Millis,
        /// Its standard deviation.
        sd: Millis,
    },
    /// Its logarithm is normal: the usual shape of service latencies.
    Lognormal {
        /// Half of the samples are longer.
        median: Millis,
        /// The standard deviation of the logarithm, above 0 and at most 10: 0.5 is mild, 1.5 has a long tail.
        sigma: f64,
    },
    /// Memoryless.
    Exponential {
        /// Its mean.
        mean: Millis,
    },
    /// A heavy tail.
    Pareto {
        /// The shortest.
        min: Millis,
        /// Above 0 and at most 100; the smaller, the heavier the tail.
        shape: f64,
    },
}

/// A wait that nothing ends but its `max` or the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hang {
    /// At most 30 s.
    pub max: Millis,
}

/// An injected error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorEffect {
    /// The HTTP status that a middleware answers with, 400 to 599; 500 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// A word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
