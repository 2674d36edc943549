//! Ramps: how a run grows to its full percentage.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Millis, MillisError, Percentage, PercentageError};

/// Steps of one ramp.
pub const RAMP_STEPS_MAX: usize = 10;

/// The stages before the full percentage, each with the share that it treats and how long it lasts. The shares grow.
/// Written `1% for 5m, then 2% for 5m`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ramp(Vec<RampStep>);

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RampStep {
    /// The share of eligible requests that are treated.
    pub percentage: Percentage,
    /// How long it lasts; more than nothing.
    #[serde(rename = "for")]
    pub length: Millis,
}

/// Why a text is no ramp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RampError {
    /// A step is not of the form `1% for 5m`.
    #[error("`{0}` is no step of a ramp; write a share and how long it lasts, as in `1% for 5m`")]
    Step(String),
    /// A step's share cannot be read.
    #[error(transparent)]
    Percentage(#[from] PercentageError),
    /// A step's length cannot be read.
    #[error(transparent)]
    Length(#[from] MillisError),
    /// A step of no length.
    #[error("a step of no length is none; write how long {0} lasts, as in `{0} for 5m`")]
    NoLength(Percentage),
    /// A step that does not grow.
    #[error("a ramp grows, but {1} follows {0}")]
    Order(Percentage, Percentage),
    /// A first step of nobody.
    #[error("a step at 0% strikes nobody; write the share that it treats")]
    Nobody,
    /// More than [`RAMP_STEPS_MAX`].
    #[error("a ramp has at most {RAMP_STEPS_MAX} steps")]
    TooMany,
}

impl Ramp {
    /// No stage before the full percentage.
    pub const NONE: Self = Self(Vec::new());

    /// Whether there are no stages before the full percentage.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The stages, in order.
    #[must_use]
    pub fn steps(&self) -> &[RampStep] {
        &self.0
    }

    /// How long all stages together last.
    #[must_use]
    pub fn length(&self) -> Millis {
        Millis::new(self.0.iter().fold(0, |sum, step| sum.saturating_add(step.length.get())))
    }
}

impl FromStr for Ramp {
    type Err = RampError;

    fn from_str(text: &str) -> Result<Self, RampError> {
        let mut steps: Vec<RampStep> = Vec::new();
        for part in text.split(',') {
            let part = part.trim();
            let step = part.strip_prefix("then ").unwrap_or(part).trim();
            let (percentage, length) = step.split_once(" for ").ok_or_else(|| RampError::Step(part.to_owned()))?;
            let step = RampStep { percentage: percentage.trim().parse()?, length: length.trim().parse()? };
            match steps.last() {
                None if step.percentage == Percentage::ZERO => return Err(RampError::Nobody),
                Some(last) if last.percentage >= step.percentage => {
                    return Err(RampError::Order(last.percentage, step.percentage));
                }
                _ if step.length == Millis::ZERO => return Err(RampError::NoLength(step.percentage)),
                _ if steps.len() == RAMP_STEPS_MAX => return Err(RampError::TooMany),
                _ => steps.push(step),
            }
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { ", then " };
            write!(f, "{before}{} for {}", step.percentage, step.length)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_or_refused_with_what_to_write() {
        let cases = [
            ("1% for 5m", "1% for 5m"),
            ("1% for 5m, then 2% for 10m", "1% for 5m, then 2% for 10m"),
            (" 1% for 60s ,2% for 1m, then 4.5% for 1h", "1% for 1m, then 2% for 1m, then 4.5% for 1h"),
            ("", "`` is no step of a ramp; write a share and how long it lasts, as in `1% for 5m`"),
            ("1%", "`1%` is no step of a ramp; write a share and how long it lasts, as in `1% for 5m`"),
            ("1% for 5m,", "`` is no step of a ramp; write a share and how long it lasts, as in `1% for 5m`"),
            ("1 for 5m", "a percentage needs its `%`; write `1%`"),
            ("2% for 5m, then 2% for 5m", "a ramp grows, but 2% follows 2%"),
            ("0% for 5m", "a step at 0% strikes nobody; write the share that it treats"),
            ("1% for 0s", "a step of no length is none; write how long 1% lasts, as in `1% for 5m`"),
        ];
        for (text, expected) in cases {
            let read = text.parse::<Ramp>().map_or_else(|error| error.to_string(), |ramp| ramp.to_string());
            assert_eq!(read, expected, "{text}");
        }
        let steps = |count: u32| (1..=count).map(|n| format!("{n}% for 1s")).collect::<Vec<_>>().join(", ");
        assert_eq!(steps(10).parse::<Ramp>().map(|ramp| ramp.length()), Ok(Millis::from_secs(10)));
        assert_eq!(steps(11).parse::<Ramp>(), Err(RampError::TooMany));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written_back(text in "[0-9]{1,3}% ?for [0-9]{1,2}[ms](, (then )?[0-9]{1,3}% for [0-9]m)*|.{0,40}") {
            if let Ok(ramp) = text.parse::<Ramp>() {
                prop_assert_eq!(ramp.to_string().parse::<Ramp>(), Ok(ramp));
            }
        }
    }
}
