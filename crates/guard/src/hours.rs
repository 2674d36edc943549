//! Calendars: is it open, until when, and when next?
//!
//! A calendar is open exactly while the clock on a wall in its time zone shows a time within one of its spans,
//! on one of its weekdays, not on a holiday. So, when clocks are put forward, a span that begins in the gap
//! opens at the first moment after it, and one that lies in the gap does not open; when clocks are put back, a
//! span within the repeated hour opens twice, and one that ends within it closes, and opens for the second
//! time at the beginning of that hour. A day that a zone skips is no day.

use daybreak_model::{Hours, Millis, TimeSpan};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use crate::span::{after, signed};

/// How far ahead openings and closings are looked for, in days.
pub const SEARCH_DAYS: u64 = 400;

/// A calendar at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HoursStatus {
    /// Whether it is open.
    pub open: bool,
    /// When it closes, where it is open and closes within [`SEARCH_DAYS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
    /// When it opens, where it is closed and opens within [`SEARCH_DAYS`] and the days it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Timestamp>,
    /// Up to when its holidays are known: from then on it is closed. None where it needs no holidays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_until: Option<Timestamp>,
}

/// Why a run does not fit into a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is closed.
    Closed {
        /// The next opening.
        opens_at: Option<Timestamp>,
    },
    /// It closes before the run would end: now, or after the next opening.
    TooShort {
        /// When it closes.
        closes_at: Timestamp,
        /// The next opening that is long enough, within [`SEARCH_DAYS`].
        fits_at: Option<Timestamp>,
    },
    /// Its holidays are not known for all of the run.
    CalendarEnds {
        /// Up to when they are known.
        known_until: Timestamp,
    },
}

/// Whether a calendar is open. One whose time zone is not known never is.
#[must_use]
pub fn is_open(hours: &Hours, now: Timestamp) -> bool {
    TimeZone::get(&hours.time_zone).is_ok_and(|zone| shows(hours, zone.to_datetime(now)))
}

/// Whether a calendar is open, until when, and when it opens next. One whose time zone is not known never is.
#[must_use]
pub fn status(hours: &Hours, now: Timestamp) -> HoursStatus {
    let Ok(zone) = TimeZone::get(&hours.time_zone) else {
        return HoursStatus { open: false, closes_at: None, opens_at: None, known_until: None };
    };
    let horizon = horizon(now);
    let next = openings(hours, &zone, now, horizon).next();
    let open = next.is_some_and(|opening| opening.from <= now);
    HoursStatus {
        open,
        closes_at: next.filter(|opening| open && opening.to < horizon).map(|opening| opening.to),
        opens_at: next.filter(|_| !open).map(|opening| opening.from),
        known_until: known_until(hours, &zone),
    }
}

/// Whether a run that starts at `from` is over when the calendar closes, and the calendar is known for all of it.
///
/// # Errors
/// Every reason why not.
pub fn fits(hours: &Hours, from: Timestamp, duration: Millis) -> Result<(), Vec<Misfit>> {
    let HoursStatus { open, closes_at, opens_at, known_until } = status(hours, from);
    let end = after(from, duration);
    let mut misfits = Vec::new();
    if !open {
        misfits.push(Misfit::Closed { opens_at });
    }
    // Where it is closed, the next opening may be too short as well: waiting for it would not do.
    let opening = if open {
        Some((closes_at, end))
    } else {
        opens_at.map(|at| (status(hours, at).closes_at, after(at, duration)))
    };
    let closing = opening.and_then(|(closes_at, end)| closes_at.filter(|closes_at| *closes_at < end));
    if let Some(closes_at) = closing.filter(|closes_at| Some(*closes_at) != known_until) {
        misfits.push(Misfit::TooShort { closes_at, fits_at: next_fit(hours, closes_at, duration) });
    }
    if let Some(known_until) = known_until.filter(|known_until| *known_until < end) {
        misfits.push(Misfit::CalendarEnds { known_until });
    }
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// The moment at which a calendar has been open for so long since `from`; none where that is not within
/// [`SEARCH_DAYS`] and the days it knows.
#[must_use]
pub fn open_for(hours: &Hours, from: Timestamp, length: Millis) -> Option<Timestamp> {
    let zone = TimeZone::get(&hours.time_zone).ok()?;
    let mut left = signed(length);
    for opening in openings(hours, &zone, from, horizon(from)) {
        let open = opening.to.duration_since(opening.from);
        if open >= left {
            return opening.from.checked_add(left).ok();
        }
        left = left.saturating_sub(open);
    }
    None
}

/// The next opening that is long enough.
fn next_fit(hours: &Hours, from: Timestamp, duration: Millis) -> Option<Timestamp> {
    let zone = TimeZone::get(&hours.time_zone).ok()?;
    let mut openings = openings(hours, &zone, from, horizon(from));
    openings.find(|opening| after(opening.from, duration) <= opening.to).map(|opening| opening.from)
}

fn horizon(from: Timestamp) -> Timestamp {
    after(from, Millis::from_secs(SEARCH_DAYS * 86_400))
}

fn known_until(hours: &Hours, zone: &TimeZone) -> Option<Timestamp> {
    let day_after = hours.holidays_until?.tomorrow().ok()?;
    day_after.to_zoned(zone.clone()).ok().map(|midnight| midnight.timestamp())
}

/// Whether it is open while the clock on the wall shows this.
fn shows(hours: &Hours, wall: DateTime) -> bool {
    let time = wall.time();
    let within = |span: &TimeSpan| span.from <= time && span.to.is_none_or(|to| time < to);
    is_open_on(hours, wall.date()) && hours.times.iter().any(within)
}

fn is_open_on(hours: &Hours, day: Date) -> bool {
    hours.weekdays.contains(day.weekday())
        && hours.holidays_until.is_none_or(|until| day <= until)
        && !hours.holidays.iter().any(|holiday| holiday.first <= day && day <= holiday.last)
}

/// A stretch of time in which a calendar is open; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Every opening from one moment to another, in order and apart: those that touch are one.
pub(crate) fn openings<'a>(
    hours: &'a Hours,
    zone: &'a TimeZone,
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = Opening> + 'a {
    let mut pieces = offsets(zone, from, to).flat_map(|stretch| pieces(hours, stretch)).peekable();
    std::iter::from_fn(move || {
        let mut opening = pieces.next()?;
        while let Some(piece) = pieces.next_if(|piece| piece.from <= opening.to) {
            opening.to = opening.to.max(piece.to);
        }
        Some(opening)
    })
}

/// A stretch of time in which a zone's clocks are not changed: in it, wall-clock time runs straight.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    offset: Offset,
}

fn offsets(zone: &TimeZone, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Stretch> + '_ {
    let mut next = Some((from, zone.to_offset(from)));
    let mut changes = zone.following(from).map(|change| (change.timestamp(), change.offset()));
    std::iter::from_fn(move || {
        let (from, offset) = next.filter(|(from, _)| *from < to)?;
        next = changes.next();
        Some(Stretch { from, to: next.map_or(to, |(change, _)| change.min(to)), offset })
    })
}

/// What the spans of each day come to within a stretch.
fn pieces(hours: &Hours, stretch: Stretch) -> impl Iterator<Item = Opening> + '_ {
    let Stretch { from, to, offset } = stretch;
    let (first, last) = (offset.to_datetime(from).date(), offset.to_datetime(to).date());
    let days = first.series(1.day()).take_while(move |day| *day <= last).filter(|day| is_open_on(hours, *day));
    days.flat_map(move |day| hours.times.iter().filter_map(move |span| piece(day, *span, stretch)))
}

fn piece(day: Date, span: TimeSpan, Stretch { from, to, offset }: Stretch) -> Option<Opening> {
    let end = span
        .to
        .map_or_else(|| day.tomorrow().map(|day| day.to_datetime(Time::midnight())), |to| Ok(day.to_datetime(to)));
    let opening = Opening {
        from: offset.to_timestamp(day.to_datetime(span.from)).ok()?.max(from),
        to: offset.to_timestamp(end.ok()?).ok()?.min(to),
    };
    (opening.from < opening.to).then_some(opening)
}

#[cfg(test)]
mod tests;
