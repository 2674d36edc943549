//! What is known of one flag's life.
//!
//! It reads no clock: times are handed in.

use std::collections::VecDeque;

use daybreak_guard::clients::EVALUATED_VARIANTS_MAX;
use daybreak_model::Key;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Days whose counts are kept.
pub(super) const DAYS_KEPT: i32 = 30;

/// The life of one flag. It grows with the flag's variants, never with time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    /// Since when the flag is known here.
    pub(super) since: Timestamp,
    /// Whether that is when it was created: not where it was there before anybody looked.
    pub(super) created: bool,
    /// When it was first evaluated.
    pub(super) first: Option<Timestamp>,
    /// When it was last evaluated.
    pub(super) last: Option<Timestamp>,
    /// When it was last answered together with all others, which says nothing of whether anybody uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) with_all: Option<Timestamp>,
    /// The variants that it ever served.
    pub(super) variants: Vec<ServedVariant>,
    /// Counts by day, the oldest first.
    days: VecDeque<Day>,
}

/// A variant that was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServedVariant {
    pub(super) name: Key,
    /// When it was last served.
    pub(super) last: Timestamp,
}

/// The counts of one day in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    day: Date,
    errors: u64,
    /// By variant, in the order of the life's; as many as were served by then.
    counts: Vec<u64>,
}

/// Some evaluations of one flag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch<'a> {
    /// The variant; none where the caller's default was served, because of an error.
    pub(super) variant: Option<&'a Key>,
    pub(super) count: u64,
    pub(super) occasion: Occasion,
}

/// When, and for what, a flag was evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Somebody asked for it of late.
    Now,
    /// Somebody asked for it, perhaps long ago: a client had counted it when it was first heard of.
    LongAgo,
    /// Somebody asked for all flags of late, whether they use it or not.
    WithAll,
}

/// Counts of the days that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DayView {
    /// The day, in UTC.
    pub day: Date,
    /// By variant.
    pub variants: std::collections::BTreeMap<Key, u64>,
    /// Answered with the caller's default, because of an error.
    pub errors: u64,
}

impl Life {
    pub(super) fn new(now: Timestamp, created: bool) -> Self {
        Self {
            since: now,
            created,
            first: None,
            last: None,
            with_all: None,
            variants: Vec::new(),
            days: VecDeque::new(),
        }
    }

    /// Counts evaluations; whether they changed anything. What may be long ago says of a flag that was never evaluated
    /// that it was, and nothing else; what was answered with all others says what it served, and not that it was evaluated.
    pub(super) fn add(&mut self, batch: Batch<'_>, now: Timestamp) -> bool {
        let is_old = batch.occasion == Occasion::LongAgo;
        if batch.count == 0 || (is_old && self.first.is_some() && self.is_known(batch.variant)) {
            return false;
        }
        if batch.occasion == Occasion::WithAll {
            self.with_all = self.with_all.max(Some(now));
        } else {
            self.first.get_or_insert(now);
            self.last = self.last.max(Some(now));
        }
        let place = match batch.variant {
            None => None,
            Some(name) => match self.place(name, now) {
                None => return true,
                place => place,
            },
        };
        let count = if is_old { 0 } else { batch.count };
        let Some(day) = self.today(now) else { return true };
        match place {
            None => day.errors = day.errors.saturating_add(count),
            Some(place) => {
                if day.counts.len() <= place {
                    day.counts.resize(place + 1, 0);
                }
                if let Some(counted) = day.counts.get_mut(place) {
                    *counted = counted.saturating_add(count);
                }
            }
        }
        true
    }

    fn is_known(&self, variant: Option<&Key>) -> bool {
        variant.is_none_or(|name| self.variants.iter().any(|known| known.name == *name))
    }

    /// The place of a variant that is served now; none where there are too many.
    fn place(&mut self, name: &Key, now: Timestamp) -> Option<usize> {
        let known = self.variants.iter().position(|known| known.name == *name);
        let place = known.unwrap_or(self.variants.len());
        if known.is_none() {
            if place >= EVALUATED_VARIANTS_MAX {
                return None;
            }
            self.variants.push(ServedVariant { name: name.clone(), last: now });
        }
        let variant = self.variants.get_mut(place)?;
        variant.last = variant.last.max(now);
        Some(place)
    }

    fn today(&mut self, now: Timestamp) -> Option<&mut Day> {
        let today = now.to_zoned(TimeZone::UTC).date();
        self.forget_before(today);
        // A clock that was put back counts for the latest day.
        if self.days.back().is_none_or(|latest| latest.day < today) {
            self.days.push_back(Day { day: today, errors: 0, counts: Vec::new() });
        }
        let latest = self.days.len().saturating_sub(1);
        self.days.get_mut(latest)
    }

    fn forget_before(&mut self, today: Date) {
        while self.days.front().is_some_and(|oldest| (today - oldest.day).get_days() >= DAYS_KEPT) {
            self.days.pop_front();
        }
    }

    /// The counts of the last [`DAYS_KEPT`] days on which it was evaluated, the oldest first.
    pub(super) fn days(&self, now: Timestamp) -> Vec<DayView> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let days = self.days.iter().filter(|day| (today - day.day).get_days() < DAYS_KEPT);
        let view = |day: &Day| {
            let named = self.variants.iter().zip(&day.counts).filter(|(_, count)| **count > 0);
            DayView {
                day: day.day,
                variants: named.map(|(variant, count)| (variant.name.clone(), *count)).collect(),
                errors: day.errors,
            }
        };
        days.map(view).collect()
    }

    /// The one variant that it served within this time, if it was evaluated and is known for as long; and since when it has
    /// served no other.
    pub(super) fn constant(&self, within: SignedDuration, now: Timestamp) -> Option<(&Key, Timestamp)> {
        let from = now.checked_sub(within).unwrap_or(Timestamp::MIN);
        let mut served = self.variants.iter().filter(|variant| variant.last > from);
        let (only, more) = (served.next()?, served.next());
        let others = self.variants.iter().filter(|variant| variant.name != only.name).map(|variant| variant.last);
        let alone = others.max().or(self.first)?;
        (more.is_none() && alone <= from).then_some((&only.name, alone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn at(day: i64) -> Timestamp {
        "2026-11-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(day * DAY)
    }

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    fn evaluated(life: &mut Life, day: i64, variant: &str, count: u64) {
        life.add(Batch { variant: Some(&key(variant)), count, occasion: Occasion::Now }, at(day));
    }

    fn constant(life: &Life, day: i64) -> Option<(String, Timestamp)> {
        let constant = life.constant(SignedDuration::from_secs(30 * DAY), at(day));
        constant.map(|(variant, since)| (variant.to_string(), since))
    }

    #[test]
    fn a_flag_is_constant_once_it_served_nothing_else_for_long() {
        let mut life = Life::new(at(0), true);
        assert_eq!(constant(&life, 100), None, "never evaluated");
        (1..=31).for_each(|day| evaluated(&mut life, day, "on", 5));
        assert_eq!(constant(&life, 30), None, "known for 29 days");
        assert_eq!(constant(&life, 31), Some(("on".to_owned(), at(1))));
        evaluated(&mut life, 32, "off", 1);
        assert_eq!(constant(&life, 32), None);
        (33..=63).for_each(|day| evaluated(&mut life, day, "on", 5));
        assert_eq!(constant(&life, 61), None);
        assert_eq!(constant(&life, 62), Some(("on".to_owned(), at(32))));
        assert_eq!(constant(&life, 200), None, "it is not evaluated any more");
    }

    #[test]
    fn days_are_counted_and_forgotten() {
        let mut life = Life::new(at(0), true);
        evaluated(&mut life, 0, "on", 3);
        evaluated(&mut life, 0, "off", 1);
        evaluated(&mut life, 2, "on", 4);
        life.add(Batch { variant: None, count: 2, occasion: Occasion::Now }, at(2));
        let days = life.days(at(2));
        let day = |at: usize| (days[at].day.to_string(), days[at].variants.clone(), days[at].errors);
        assert_eq!(day(0), ("2026-11-01".to_owned(), [(key("off"), 1), (key("on"), 3)].into(), 0));
        assert_eq!(day(1), ("2026-11-03".to_owned(), [(key("on"), 4)].into(), 2));
        assert_eq!(life.days(at(30)).len(), 1);
        (3..400).for_each(|day| evaluated(&mut life, day, "on", 1));
        assert_eq!(life.days(at(399)).len(), DAYS_KEPT as usize);
        assert_eq!(life.days.len(), DAYS_KEPT as usize, "nothing older is kept");
        evaluated(&mut life, 5, "on", 7);
        let latest = life.days(at(399)).pop().unwrap();
        assert_eq!(latest.variants[&key("on")], 8, "a clock that was put back");
        assert_eq!(life.last, Some(at(399)));
    }

    #[test]
    fn what_may_be_long_ago_only_says_that_it_was() {
        let mut life = Life::new(at(0), true);
        let on = key("on");
        let old = Batch { variant: Some(&on), count: 1_000, occasion: Occasion::LongAgo };
        assert!(life.add(old, at(1)));
        assert_eq!((life.first, life.last), (Some(at(1)), Some(at(1))));
        assert!(life.days(at(1))[0].variants.is_empty(), "nobody knows on which day");
        assert!(!life.add(old, at(2)), "and a restart of the server is no evaluation");
        assert_eq!(life.last, Some(at(1)));
        assert!(!life.add(Batch { count: 0, occasion: Occasion::Now, ..old }, at(3)));
    }

    #[test]
    fn variants_are_bounded() {
        let mut life = Life::new(at(0), true);
        (0..1_000).for_each(|number| evaluated(&mut life, 0, &format!("v{number}"), 1));
        assert_eq!(life.variants.len(), EVALUATED_VARIANTS_MAX);
        assert_eq!(life.days[0].counts.len(), EVALUATED_VARIANTS_MAX);
        let kept: Life = serde_json::from_value(serde_json::to_value(&life).unwrap()).unwrap();
        assert_eq!(kept, life, "what is kept is what was counted");
    }
}
