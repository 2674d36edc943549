//! Lengths of time as people write them: `300ms`, `10m`, `28d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time in whole milliseconds. In documents it is written with its unit: `300ms`, `1m30s`, `28d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(u64);

/// The units, the largest first. `m` is a minute; there is no month.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MillisError {
    /// A bare number.
    #[error("a duration needs its unit; write `{0}ms`, `{0}s` or `{0}m`")]
    NoUnit(String),
    /// Units, and after them a bare number.
    #[error("`{0}` ends with a number without its unit; write one, as in `1m30s`")]
    LastNoUnit(String),
    /// A unit that is none of `ms s m h d`.
    #[error("`{0}` is no unit of time; write one of ms, s, m, h, d")]
    UnknownUnit(String),
    /// Units that repeat, or a smaller one before a larger one.
    #[error("write the units of a duration from the largest to the smallest, each once: `1h30m`")]
    Order,
    /// Anything else.
    #[error("`{0}` is no duration; write a whole number and its unit, as in `300ms` or `10m`")]
    Form(String),
    /// More than 2⁶⁴ ms.
    #[error("this duration is too long")]
    TooLong,
}

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A length of time of so many milliseconds.
    #[must_use]
    pub const fn new(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// A length of time of so many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }

    /// The whole milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same length as the standard library's type.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        millis.to_duration()
    }
}

impl FromStr for Millis {
    type Err = MillisError;

    fn from_str(text: &str) -> Result<Self, MillisError> {
        let form = || MillisError::Form(text.to_owned());
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut total: u64 = 0;
        if text.is_empty() {
            return Err(form());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let number: u64 = match rest[..digits].parse() {
                Ok(number) => number,
                Err(_) if digits > 0 => return Err(MillisError::TooLong),
                Err(_) => return Err(form()),
            };
            rest = &rest[digits..];
            let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if name.is_empty() {
                return Err(match rest {
                    "" if digits == text.len() => MillisError::NoUnit(number.to_string()),
                    "" => MillisError::LastNoUnit(text.to_owned()),
                    _ => form(),
                });
            }
            if !UNITS.iter().any(|(unit, _)| *unit == name) {
                return Err(MillisError::UnknownUnit(name.to_owned()));
            }
            let (_, factor) = units.find(|(unit, _)| *unit == name).ok_or(MillisError::Order)?;
            total = number.checked_mul(*factor).and_then(|part| total.checked_add(part)).ok_or(MillisError::TooLong)?;
            rest = after;
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Millis {
    /// The shortest way to write it that [`FromStr`] reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, factor) in UNITS {
            if rest / factor > 0 {
                write!(f, "{}{unit}", rest / factor)?;
            }
            rest %= factor;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn written_forms() {
        let cases = [("300ms", 300), ("10m", 600_000), ("1m30s", 90_000), ("28d", 2_419_200_000), ("0s", 0)];
        for (text, milliseconds) in cases {
            assert_eq!(text.parse(), Ok(Millis::new(milliseconds)), "{text}");
        }
    }

    #[test]
    fn refused_forms() {
        let cases = [
            ("300", MillisError::NoUnit("300".into())),
            ("30m5", MillisError::LastNoUnit("30m5".into())),
            ("5 m", MillisError::Form("5 m".into())),
            ("5min", MillisError::UnknownUnit("min".into())),
            ("1s1m", MillisError::Order),
            ("1m1m", MillisError::Order),
            ("", MillisError::Form(String::new())),
            ("-1s", MillisError::Form("-1s".into())),
            ("1.5s", MillisError::Form("1.5s".into())),
            ("99999999999999999999d", MillisError::TooLong),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Millis>(), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parse_reads_what_display_writes(milliseconds in any::<u64>()) {
            let millis = Millis::new(milliseconds);
            prop_assert_eq!(millis.to_string().parse(), Ok(millis));
        }
    }
}
