//! When Daybreak starts a fault by itself: at one random moment of each day or week, inside the fault's hours.
//!
//! The moment is a function of the store, the fault and the day or week. So it is the same after a restart, and
//! nothing has to be remembered for that. Every second of the period at which the run fits is as likely as any other.

use daybreak_model::wire::StoreId;
use daybreak_model::{Hours, Key, Millis, Schedule};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::hours::{SEARCH_DAYS, openings};
use crate::span::{after, signed};

/// How late a start may be. One that is later was missed: it is skipped, and not made up for.
pub const LATE_MAX: Millis = Millis::from_secs(60);

/// A fault that Daybreak starts by itself.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The fault.
    pub fault: &'a Key,
    /// How often.
    pub schedule: Schedule,
    /// Its calendar.
    pub hours: &'a Hours,
    /// How long a run lasts.
    pub duration: Millis,
    /// The store that holds it.
    pub store: StoreId,
}

/// One start that a schedule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The day, or the first day of the week, that it is for: in the time zone of the fault's hours.
    pub period: Date,
    /// The moment.
    pub at: Timestamp,
}

/// Seconds at which a run may start, counted since the Unix epoch; the last is one of them.
#[derive(Clone, Copy, Debug)]
struct Starts {
    first: i64,
    last: i64,
}

impl Due {
    /// Whether the moment has come.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.at <= now
    }

    /// Whether the moment has passed, and it is too late for it.
    #[must_use]
    pub fn is_missed(&self, now: Timestamp) -> bool {
        after(self.at, LATE_MAX) < now
    }
}

impl Plan<'_> {
    /// The next start that is not missed, of a period after the last one that was `attempted`. None where its
    /// calendar, as far as it is known, is not open for so long within [`SEARCH_DAYS`].
    #[must_use]
    pub fn next(&self, now: Timestamp, attempted: Option<Date>) -> Option<Due> {
        let zone = TimeZone::get(&self.hours.time_zone).ok()?;
        // One that came just before midnight may still be due.
        let from = now.checked_sub(signed(LATE_MAX)).ok()?;
        let today = zone.to_datetime(from).date();
        let days = i64::from(self.days());
        let first = match self.schedule {
            Schedule::Daily => today,
            Schedule::Weekly => {
                today.checked_sub(i32::from(today.weekday().to_monday_zero_offset()).days()).unwrap_or(today)
            }
        };
        let last = today.checked_add(i64::try_from(SEARCH_DAYS).ok()?.days()).unwrap_or(Date::MAX);
        let periods = first.series(days.days()).take_while(|period| *period <= last);
        let open = periods.filter(|period| attempted.is_none_or(|attempted| attempted < *period));
        open.filter_map(|period| self.due(&zone, period)).find(|due| !due.is_missed(now))
    }

    const fn days(&self) -> u8 {
        match self.schedule {
            Schedule::Daily => 1,
            Schedule::Weekly => 7,
        }
    }

    /// The start of one period; none where the run fits nowhere.
    fn due(&self, zone: &TimeZone, period: Date) -> Option<Due> {
        let midnight = |day: Date| day.to_zoned(zone.clone()).ok().map(|midnight| midnight.timestamp());
        let next = period.checked_add(i64::from(self.days()).days()).ok()?;
        let starts = self.starts(zone, midnight(period)?, midnight(next)?);
        let count = starts.iter().map(Starts::count).sum();
        let mut chosen = one_of(count, xxh3_64(format!("{} {} {period}", self.store, self.fault).as_bytes()))?;
        for starts in starts {
            match chosen.checked_sub(starts.count()) {
                Some(rest) => chosen = rest,
                None => {
                    let at = Timestamp::from_second(starts.first.checked_add_unsigned(chosen)?).ok()?;
                    return Some(Due { period, at });
                }
            }
        }
        None
    }

    /// Where the run fits, also if it is as late as it may be. It starts within the period, and may end after it.
    fn starts(&self, zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<Starts> {
        let room = signed(self.duration).saturating_add(signed(LATE_MAX));
        let Ok(horizon) = to.checked_add(room) else { return Vec::new() };
        let fitting = openings(self.hours, zone, from, horizon).filter_map(|opening| {
            let last = opening.to.checked_sub(room).ok()?.min(to.checked_sub(SignedDuration::from_secs(1)).ok()?);
            let starts = Starts { first: opening.from.as_second(), last: last.as_second() };
            (starts.first <= starts.last).then_some(starts)
        });
        fitting.collect()
    }
}

impl Starts {
    fn count(&self) -> u64 {
        self.last.abs_diff(self.first) + 1
    }
}

/// One of so many, by a hash; none of none.
fn one_of(count: u64, hash: u64) -> Option<u64> {
    let chosen = (u128::from(hash) * u128::from(count)) >> 64;
    u64::try_from(chosen).ok().filter(|_| count > 0)
}

#[cfg(test)]
mod tests;
