//! Shares of traffic and of budgets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::BUCKETS;

/// A share from 0 % to 100 %, exact to 0.001 %. In documents it is written with its sign: `25%`, `0.5%`.
///
/// It is an integer of thousandths of a percent, so that shares add up exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Percentage(u32);

/// Why a text is no percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PercentageError {
    /// A number without the sign: it could mean a ratio or a percentage.
    #[error("a percentage needs its `%`; write `{0}%`")]
    NoSign(String),
    /// More than 100 %.
    #[error("{0}% is more than 100%")]
    TooLarge(String),
    /// More than three decimals.
    #[error("{0}% is finer than 0.001%, the smallest step")]
    TooFine(String),
    /// Anything else.
    #[error("`{0}` is no percentage; write a number and its sign, as in `25%` or `0.5%`")]
    Form(String),
}

impl Percentage {
    /// Nobody.
    pub const ZERO: Self = Self(0);
    /// Everybody.
    pub const FULL: Self = Self(BUCKETS);

    /// A share in thousandths of a percent; `None` beyond 100 %.
    #[must_use]
    pub const fn from_thousandths(thousandths: u32) -> Option<Self> {
        if thousandths > BUCKETS { None } else { Some(Self(thousandths)) }
    }

    /// The share in thousandths of a percent: 1 % is 1,000.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// The share as a ratio: 25 % is 0.25.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / f64::from(BUCKETS)
    }
}

impl TryFrom<u32> for Percentage {
    type Error = PercentageError;

    fn try_from(thousandths: u32) -> Result<Self, PercentageError> {
        let too_large = || PercentageError::TooLarge((f64::from(thousandths) / 1000.0).to_string());
        Self::from_thousandths(thousandths).ok_or_else(too_large)
    }
}

impl From<Percentage> for u32 {
    fn from(percentage: Percentage) -> Self {
        percentage.0
    }
}

impl FromStr for Percentage {
    type Err = PercentageError;

    fn from_str(text: &str) -> Result<Self, PercentageError> {
        let form = || PercentageError::Form(text.to_owned());
        let decimal = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let bare = text.strip_suffix('%').map(str::trim_end);
        let number = bare.unwrap_or(text);
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if decimal(fraction) => (whole, fraction.trim_end_matches('0')),
            Some(_) => return Err(form()),
            None => (number, ""),
        };
        if !decimal(whole) {
            return Err(form());
        }
        if bare.is_none() {
            return Err(PercentageError::NoSign(number.to_owned()));
        }
        if fraction.len() > 3 {
            return Err(PercentageError::TooFine(number.to_owned()));
        }
        let thousandths: Option<u32> = format!("{whole}{fraction:0<3}").parse().ok();
        thousandths.and_then(Self::from_thousandths).ok_or_else(|| PercentageError::TooLarge(number.to_owned()))
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1000, self.0 % 1000);
        match fraction {
            0 => write!(f, "{whole}%"),
            _ => write!(f, "{whole}.{}%", format!("{fraction:03}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn written_forms() {
        for (text, thousandths) in [("1%", 1_000), ("0.001%", 1), ("99.95 %", 99_950), ("100.000%", 100_000)] {
            assert_eq!(text.parse::<Percentage>().map(Percentage::thousandths), Ok(thousandths), "{text}");
        }
    }

    /// Invariant 4, never more than asked: what cannot be read is an error, never 100 %.
    #[test]
    fn invariant_4_a_percentage_that_cannot_be_read_is_an_error() {
        let cases = [
            ("1", PercentageError::NoSign("1".into())),
            ("0.5", PercentageError::NoSign("0.5".into())),
            ("120%", PercentageError::TooLarge("120".into())),
            ("100.001%", PercentageError::TooLarge("100.001".into())),
            ("99999999999%", PercentageError::TooLarge("99999999999".into())),
            ("0.0001%", PercentageError::TooFine("0.0001".into())),
            ("-1%", PercentageError::Form("-1%".into())),
            ("1e1%", PercentageError::Form("1e1%".into())),
            ("%", PercentageError::Form("%".into())),
            ("", PercentageError::Form(String::new())),
            (".5%", PercentageError::Form(".5%".into())),
            ("NaN%", PercentageError::Form("NaN%".into())),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Percentage>(), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parse_reads_what_display_writes(thousandths in 0..=BUCKETS) {
            let percentage = Percentage::from_thousandths(thousandths).unwrap();
            prop_assert_eq!(percentage.to_string().parse(), Ok(percentage));
        }
    }
}
