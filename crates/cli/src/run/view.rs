//! A run as the server tells of it: what of it is printed. What a newer server says beside that is not read.

use daybreak_server::readable::Latencies;
pub(crate) use daybreak_server::readable::short;
use jiff::Timestamp;
use serde::Deserialize;

/// A run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct View {
    pub(super) id: String,
    pub(super) fault: String,
    pub(super) point: String,
    pub(super) active: bool,
    pub(super) percentage: String,
    pub(super) stage: usize,
    pub(super) ramp: Vec<Stage>,
    pub(super) shadow: bool,
    pub(super) hypothesis: Option<String>,
    pub(super) started_at: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) ended: Option<String>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) end_reason: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) tolerated: String,
    pub(super) evidence: Option<Evidence>,
    pub(super) clients: usize,
    pub(super) warnings: Vec<Warning>,
}

/// What looks wrong with it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Warning {
    pub(super) sentence: String,
}

/// One stage of a ramp, but the last.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stage {
    pub(super) percentage: String,
    pub(super) until: Timestamp,
}

/// What it shows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    pub(super) sentence: String,
    pub(super) reached: u64,
    pub(super) harm_ln_e: f64,
    pub(super) harm: Option<Harm>,
    pub(super) treated_needed: Option<u64>,
    pub(super) treated: Arm,
    pub(super) control: Arm,
    pub(super) spent: Option<Spent>,
    pub(super) latency: Latencies,
}

/// Harm, as shares of struck requests.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Harm {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// One arm.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Arm {
    pub(super) requests: u64,
    pub(super) struck: u64,
    pub(super) bad: u64,
    pub(super) rate: Interval,
}

/// Two shares from 0 to 1.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interval {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// Bad requests out of an error budget.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spent {
    pub(super) bad: u64,
    pub(super) max: f64,
}

impl View {
    /// The share that is treated now.
    pub(super) fn percentage_now(&self) -> &str {
        self.ramp.get(self.stage).map_or(&self.percentage, |stage| &stage.percentage)
    }

    /// Its evidence; that of nothing, before there is any.
    pub(super) fn evidence(&self) -> Evidence {
        self.evidence.clone().unwrap_or_default()
    }
}

impl Evidence {
    /// The e-value of harm, for people: 100 of it end a run.
    pub(super) fn e_value(&self) -> String {
        match self.harm_ln_e {
            ln if ln < 1e4_f64.ln() => short(ln.exp()),
            ln => format!("10^{:.0}", ln / std::f64::consts::LN_10),
        }
    }
}

impl Arm {
    /// `3 of 800 bad: 0.38% (0.1% to 1.2%)`.
    pub(super) fn describe(&self) -> String {
        if self.requests == 0 {
            return "no requests".to_owned();
        }
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = self.bad as f64 / self.requests as f64;
        let Interval { lower, upper } = self.rate;
        format!("{} of {} bad: {} ({} to {})", self.bad, self.requests, percent(rate), percent(lower), percent(upper))
    }
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{}%", short(share * 100.0))
}

/// Text of somebody else's: on a terminal it must do nothing.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let cases =
            [(0.0, "0"), (0.004, "0"), (-0.001, "0"), (0.38, "0.38"), (1.26, "1.3"), (20.0, "20"), (1234.5, "1234")];
        for (value, expected) in cases {
            assert_eq!(short(value), expected, "{value}");
        }
        let e_value = |harm_ln_e| Evidence { harm_ln_e, ..Evidence::default() }.e_value();
        assert_eq!((e_value(0.0), e_value(4.605_2), e_value(230.3)), ("1".into(), "100".into(), "10^100".into()));
    }

    #[test]
    fn what_is_not_known_is_not_read() {
        let view: View =
            serde_json::from_str(r#"{"id": "1", "new": {}, "evidence": {"because": {"code": "x"}}}"#).unwrap();
        assert_eq!(view.evidence().treated.describe(), "no requests");
    }
}
