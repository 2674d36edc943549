//! How much counters grew from one sample to the next.

use std::collections::BTreeMap;

use daybreak_model::Millis;
use serde::{Deserialize, Serialize};

use super::query::{Counter, NoSample, Sample};
use super::{STALE_AFTER_MAX, STALE_AFTER_MIN};

/// Samples for which a series that is not there any more is remembered: an hour.
const MISSED_MAX: u32 = 240;
/// The label that a counter has as it was scraped, and a sum of counters has not.
const NAME: &str = "__name__";

/// What was last seen of the series of one query.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counters(BTreeMap<BTreeMap<String, String>, Last>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Last {
    value: f64,
    /// Samples since.
    missed: u32,
}

/// What was last seen of the counters of an SLO, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    scraped_at: f64,
    good: Vec<(BTreeMap<String, String>, f64)>,
    total: Vec<(BTreeMap<String, String>, f64)>,
}

/// What was last seen of an SLO.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counted {
    good: Counters,
    total: Counters,
    /// When what was last seen was scraped.
    scraped_at: f64,
    /// What was last seen, another server saw: the time since says nothing of how often is scraped.
    resumed: bool,
    /// Seconds between the last scrapes; 0 where there were none.
    intervals: [f64; 3],
    /// What is more than whole requests; a query may scale.
    rest: (f64, f64),
}

impl Counters {
    /// How much all series grew together, each by itself. A series that was not there before begins with what it
    /// shows: nobody knows when that was counted. A counter that shrank was restarted, and began at zero; a sum that
    /// shrank lost a part, and nobody knows by how much the others grew.
    fn take(&mut self, counters: &[Counter]) -> f64 {
        self.0.values_mut().for_each(|seen| seen.missed += 1);
        let mut grown = 0.0;
        for Counter { labels, value } in counters {
            let before = self.0.insert(labels.clone(), Last { value: *value, missed: 0 });
            grown += match before {
                Some(before) if before.value <= *value => value - before.value,
                Some(_) if labels.contains_key(NAME) => *value,
                _ => 0.0,
            };
        }
        self.0.retain(|_, seen| seen.missed <= MISSED_MAX);
        grown
    }

    fn values(&self) -> Vec<(BTreeMap<String, String>, f64)> {
        self.0.iter().map(|(labels, last)| (labels.clone(), last.value)).collect()
    }

    fn of(values: Vec<(BTreeMap<String, String>, f64)>) -> Self {
        Self(values.into_iter().map(|(labels, value)| (labels, Last { value, missed: 0 })).collect())
    }
}

/// Takes the whole requests out.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and none is negative")]
fn whole(rest: &mut f64, more: f64) -> u64 {
    *rest += more;
    let whole = rest.floor();
    *rest -= whole;
    whole as u64
}

impl Counted {
    /// What was seen, to be kept.
    pub(super) fn seen(&self) -> Seen {
        Seen { scraped_at: self.scraped_at, good: self.good.values(), total: self.total.values() }
    }

    /// Goes on from what was seen.
    pub(super) fn since(seen: Seen) -> Self {
        let Seen { scraped_at, good, total } = seen;
        Self { good: Counters::of(good), total: Counters::of(total), scraped_at, resumed: true, ..Self::default() }
    }

    /// When what was last seen was scraped, in seconds since 1970; 0 before.
    pub(super) const fn scraped_at(&self) -> f64 {
        self.scraped_at
    }

    /// How old a scrape may be: three of them, the shortest of the last, within bounds.
    pub(super) fn stale_after(&self) -> Millis {
        let shortest = self.intervals.into_iter().filter(|interval| *interval > 0.0).reduce(f64::min);
        let scrapes = Millis::from_secs(whole(&mut 0.0, 3.0 * shortest.unwrap_or(0.0)));
        scrapes.clamp(STALE_AFTER_MIN, STALE_AFTER_MAX)
    }

    /// Good and bad requests since the sample before: none with the first, `None` where nothing was scraped since.
    ///
    /// # Errors
    /// When it was scraped too long ago to say anything of now.
    pub(super) fn take(&mut self, sample: &Sample) -> Result<Option<(u64, u64)>, NoSample> {
        let age = sample.at - sample.scraped_at;
        if age > self.stale_after().to_duration().as_secs_f64() {
            return Err(NoSample::Unreadable(format!("what it counts was last scraped {age:.0} s before")));
        }
        if sample.scraped_at <= self.scraped_at {
            return Ok(None);
        }
        if self.scraped_at > 0.0 && !std::mem::take(&mut self.resumed) {
            self.intervals.rotate_right(1);
            self.intervals[0] = sample.scraped_at - self.scraped_at;
        }
        self.scraped_at = sample.scraped_at;
        let (good, total) = (self.good.take(&sample.good), self.total.take(&sample.total));
        let good = good.min(total);
        Ok(Some((whole(&mut self.rest.0, good), whole(&mut self.rest.1, total - good))))
    }
}
