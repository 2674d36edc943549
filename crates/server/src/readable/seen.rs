//! A run as the API tells of it. What a newer server says beside that is not read.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Latencies, e_value, percent};

/// A run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Identifies it.
    pub id: String,
    /// The key of its fault.
    pub fault: String,
    /// Where it strikes.
    pub point: String,
    /// Only requests of this operation.
    pub operation: Option<String>,
    /// Only calls to this host.
    pub host: Option<String>,
    /// Whether it is going on.
    pub active: bool,
    /// The share that is treated, after its ramp.
    pub percentage: String,
    /// The stage of its ramp, from 0.
    pub stage: usize,
    /// The ramp's stages before the last.
    pub ramp: Vec<Stage>,
    /// What a strike does, in the form of documents.
    pub effect: Json,
    /// Draws and counts, and strikes nothing.
    pub shadow: bool,
    /// What its starter believes.
    pub hypothesis: Option<String>,
    /// Who started it.
    pub started_by: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// The calendar that it runs in.
    pub hours: String,
    /// What was waived at its start.
    pub waived: Vec<String>,
    /// How it ended.
    pub ended: Option<String>,
    /// When.
    pub ended_at: Option<Timestamp>,
    /// By whom.
    pub ended_by: Option<String>,
    /// Why.
    pub end_reason: Option<String>,
    /// What it showed in the end.
    pub verdict: Option<String>,
    /// The SLO that guards it.
    pub slo: Option<String>,
    /// The harm that is tolerated.
    pub tolerated: String,
    /// What it shows.
    pub evidence: Option<Evidence>,
    /// Live clients that take part.
    pub clients: usize,
    /// What looks wrong with it.
    pub warnings: Vec<Warning>,
}

/// What looks wrong with a run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Warning {
    /// In words.
    pub sentence: String,
}

/// One stage of a ramp, but the last.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// The share that it treats.
    pub percentage: String,
    /// When the next one begins.
    pub until: Timestamp,
}

/// What a run shows, so far or in the end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The verdict, if it ended now.
    pub verdict: String,
    /// Why.
    pub sentence: String,
    /// Clients that counted anything of it.
    pub reached: u64,
    /// The greatest e-value of harm, as its natural logarithm.
    pub harm_ln_e: f64,
    /// Harm to struck requests; none before the first.
    pub harm: Option<Harm>,
    /// How many more treated requests it takes, if there is no harm.
    pub treated_needed: Option<u64>,
    /// Eligible and drawn.
    pub treated: Arm,
    /// Eligible and not drawn.
    pub control: Arm,
    /// What it spent of the error budget; none without a guard.
    pub spent: Option<Spent>,
    /// How long requests took.
    pub latency: Latencies,
    /// What was seen over time.
    pub timeline: Vec<Moment>,
}

/// Harm, as shares of struck requests.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Harm {
    /// At least.
    pub lower: f64,
    /// About.
    pub estimate: f64,
    /// At most.
    pub upper: f64,
}

/// One arm.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Arm {
    /// Eligible requests.
    pub requests: u64,
    /// Those that met an injection.
    pub struck: u64,
    /// Those that failed.
    pub error: u64,
    /// Those that were late.
    pub slow: u64,
    /// Those whose client left.
    pub cancelled: u64,
    /// Those that were bad in any way.
    pub bad: u64,
    /// The rate of bad ones.
    pub rate: Interval,
}

/// Two shares from 0 to 1.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Interval {
    /// At least.
    pub lower: f64,
    /// At most.
    pub upper: f64,
}

/// Bad requests out of an error budget.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// So many were.
    pub bad: u64,
    /// At so many the run is ended.
    pub max: f64,
}

/// What was seen at one moment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// Eligible and drawn.
    pub treated: Arm,
    /// Eligible and not drawn.
    pub control: Arm,
    /// The greatest e-value of harm, as its natural logarithm.
    pub harm_ln_e: f64,
    /// The most harm that there may be.
    pub harm_upper: Option<f64>,
}

impl Seen {
    /// The share that is treated now.
    #[must_use]
    pub fn percentage_now(&self) -> &str {
        self.ramp.get(self.stage).map_or(&self.percentage, |stage| &stage.percentage)
    }

    /// Its evidence; that of nothing, before there is any.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.evidence.clone().unwrap_or_default()
    }

    /// What a strike does, in words.
    #[must_use]
    pub fn effect(&self) -> String {
        super::effect(&self.effect)
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(&self, at: Timestamp) -> f64 {
        at.duration_since(self.started_at).as_secs_f64()
    }
}

impl Evidence {
    /// The e-value of harm, for people: 100 of it end a run.
    #[must_use]
    pub fn e_value(&self) -> String {
        e_value(self.harm_ln_e)
    }

    /// Whether harm is shown: then no number of requests takes it back.
    #[must_use]
    pub fn is_harmful(&self) -> bool {
        self.verdict == "harmful"
    }

    /// How many more treated requests a verdict takes; none where it is there, or where no number would do.
    #[must_use]
    pub fn still_needed(&self) -> Option<u64> {
        self.treated_needed.filter(|needed| *needed > 0 && !self.is_harmful())
    }
}

impl Arm {
    /// `3 of 800 bad: 0.38% (0.1% to 1.2%)`.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.requests == 0 {
            return "no requests".to_owned();
        }
        let Interval { lower, upper } = self.rate;
        let rate = percent(share(self.bad, self.requests));
        format!("{} of {} bad: {rate} ({} to {})", self.bad, self.requests, percent(lower), percent(upper))
    }

    /// The share of requests that were bad in any way; moments have the ways alone.
    #[must_use]
    pub fn bad_rate(&self) -> f64 {
        share(self.error.saturating_add(self.slow).saturating_add(self.cancelled), self.requests)
    }

    /// The share of requests that met an injection.
    #[must_use]
    pub fn struck_share(&self) -> f64 {
        share(self.struck, self.requests)
    }

    /// The share of requests that were good.
    #[must_use]
    pub fn good_share(&self) -> f64 {
        1.0 - share(self.bad, self.requests)
    }
}

/// A share of `part` in `of`; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_read() {
        let seen: Seen =
            serde_json::from_str(r#"{"id": "1", "new": {}, "evidence": {"because": {"code": "x"}}}"#).unwrap();
        assert_eq!(seen.evidence().treated.describe(), "no requests");
    }

    #[test]
    fn once_harm_is_shown_nothing_more_is_needed() {
        for (verdict, needed, expected) in
            [("inconclusive", Some(600), Some(600)), ("harmful", Some(600), None), ("resilient", Some(0), None)]
        {
            let evidence = Evidence { verdict: verdict.to_owned(), treated_needed: needed, ..Evidence::default() };
            assert_eq!(evidence.still_needed(), expected, "{verdict}");
        }
    }
}
