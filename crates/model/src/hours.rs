//! Named calendars: when runs may happen.

use std::fmt;

use jiff::civil::{Date, Time, Weekday};
use serde::{Deserialize, Serialize};

/// A named calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// What they are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The IANA name of the time zone, checked: `Europe/Berlin`.
    pub time_zone: String,
    /// The days of the week on which it is open.
    pub weekdays: Weekdays,
    /// The spans of each such day, sorted and apart; never empty.
    pub times: Vec<TimeSpan>,
    /// Days on which it is closed all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<DateRange>,
    /// The last day for which `holidays` is complete: after it, nothing is known to be open. Required where
    /// there are holidays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays_until: Option<Date>,
}

/// A set of weekdays.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weekdays(u8);

/// A span of local wall-clock time within one day: `10:00-12:00`, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimeSpan {
    /// The first moment.
    pub from: Time,
    /// The moment after the last; `None` is midnight, written `24:00`.
    pub to: Option<Time>,
}

/// One day or several: `2026-12-24`, `2026-12-24..2027-01-01`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DateRange {
    /// The first day.
    pub first: Date,
    /// The last day, not before the first.
    pub last: Date,
}

/// Monday first, as in ISO 8601; the names as documents write them.
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Weekdays {
    /// No day.
    pub const NONE: Self = Self(0);
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// The weekday of a name such as `mon`.
    #[must_use]
    pub fn named(name: &str) -> Option<Weekday> {
        let offset = NAMES.iter().position(|known| *known == name)?;
        Weekday::from_monday_zero_offset(i8::try_from(offset).ok()?).ok()
    }

    /// The same set with one more day.
    #[must_use]
    pub fn with(self, day: Weekday) -> Self {
        Self(self.0 | 1 << day.to_monday_zero_offset())
    }

    /// The days of either set.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether the day is in the set.
    #[must_use]
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & 1 << day.to_monday_zero_offset() != 0
    }

    /// Whether no day is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Weekdays {
    /// As documents write it: `mon..fri`, `mon, wed..sun`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |day: usize| day < NAMES.len() && self.0 & 1 << day != 0;
        let mut separator = "";
        let mut day = 0;
        while day < NAMES.len() {
            let first = day;
            while has(day) {
                day += 1;
            }
            match day - first {
                0 => day += 1,
                1 => write!(f, "{separator}{}", NAMES[first])?,
                2 => write!(f, "{separator}{}, {}", NAMES[first], NAMES[first + 1])?,
                _ => write!(f, "{separator}{}..{}", NAMES[first], NAMES[day - 1])?,
            }
            if day > first && has(first) {
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        write!(f, "{}-{}", minutes(self.from), self.to.map_or_else(|| "24:00".to_owned(), minutes))
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}..{}", self.first, self.last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_as_text() {
        let of =
            |names: &[&str]| names.iter().fold(Weekdays::NONE, |days, name| days.with(Weekdays::named(name).unwrap()));
        assert_eq!(of(&["mon", "tue", "wed", "thu", "fri"]).to_string(), "mon..fri");
        assert_eq!(of(&["sun", "mon"]).to_string(), "mon, sun");
        assert_eq!(of(&["mon", "wed", "thu"]).to_string(), "mon, wed, thu");
        assert_eq!(Weekdays::ALL.to_string(), "mon..sun");
        assert_eq!(Weekdays::NONE.to_string(), "");
    }
}
