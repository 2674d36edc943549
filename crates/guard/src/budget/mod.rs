//! Error budgets: what an objective leaves to fail, how much of it is left, and how fast it burns.
//!
//! Good and bad requests come in as they are counted; [`Status`] says where a budget stands. What changes an indicator
//! starts a budget anew: counts of another question answer nothing. What changes the objective or the window does not.

mod burn;
mod reserve;
mod series;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use daybreak_model::{Indicator, Key, Millis, Slo};
use jiff::Timestamp;

pub use burn::{Alert, AlertStatus, Burn, FAST, PAGING, budget_ratio, period};
pub use reserve::Reservations;
pub use series::{Counts, Resolution};
pub use status::{Lack, Point, RATE_OVER, State, Status};

use series::Series;

/// The error budgets of all SLOs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budgets {
    budgets: BTreeMap<Key, Budget>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Budget {
    /// What is counted; `None` until it is defined.
    indicator: Option<Indicator>,
    /// The first revision of the SLO that counts this.
    since: u64,
    series: Series,
    last_sample: Option<Timestamp>,
}

/// A bucket as it is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Whose.
    pub slo: Key,
    /// How long it is.
    pub resolution: Resolution,
    /// When it begins.
    pub start: Timestamp,
    /// What was counted in it, all in all. Empty: there is no such bucket any more.
    pub counts: Counts,
}

impl Budgets {
    /// Says what an SLO counts, as of which revision of it. Where that was something else, its budget starts anew, and
    /// whoever still counts for an earlier revision is not heard. Whether it did.
    pub fn define(&mut self, slo: &Key, definition: &Slo, revision: u64) -> bool {
        let budget = self.budgets.entry(slo.clone()).or_default();
        if budget.indicator.as_ref() == Some(&definition.sli) {
            return false;
        }
        let anew = budget.indicator.is_some();
        if anew {
            *budget = Budget::default();
            budget.since = revision;
        }
        budget.indicator = Some(definition.sli.clone());
        anew
    }

    /// Keeps the budgets of these SLOs, and forgets all others; they are returned.
    pub fn retain(&mut self, keep: impl Fn(&Key) -> bool) -> Vec<Key> {
        let gone: Vec<Key> = self.budgets.keys().filter(|key| !keep(key)).cloned().collect();
        self.budgets.retain(|key, _| keep(key));
        gone
    }

    /// Counts requests for an SLO, which whoever counted knew as of `slo_revision`. Counts of nothing say that whoever
    /// counts is still there.
    pub fn add(&mut self, slo: &Key, slo_revision: u64, good: u64, bad: u64, now: Timestamp) {
        let budget = self.budgets.entry(slo.clone()).or_default();
        if slo_revision >= budget.since {
            budget.series.add(Counts { good, bad }, now);
            budget.last_sample = Some(now);
        }
    }

    /// Where a budget stands.
    #[must_use]
    pub fn status(&self, slo: &Key, definition: &Slo, now: Timestamp) -> Status {
        self.with(slo, |budget| Status::of(&budget.series, definition, budget.last_sample, now))
    }

    /// The window in up to `points` stretches of the same length, for a plot; the oldest first.
    #[must_use]
    pub fn history(&self, slo: &Key, definition: &Slo, points: usize, now: Timestamp) -> Vec<Point> {
        self.with(slo, |budget| status::history(&budget.series, definition, points, now))
    }

    /// Whether the budget burns so fast over 5 minutes and over 30 seconds that no run may go on.
    #[must_use]
    pub fn fast_burn(&self, slo: &Key, definition: &Slo, now: Timestamp) -> bool {
        self.with(slo, |budget| FAST.status(&budget.series, definition, now).firing)
    }

    /// How many of the window's requests might be bad: (1 − objective) · N(window).
    #[must_use]
    pub fn allowed(&self, slo: &Key, definition: &Slo, now: Timestamp) -> f64 {
        self.status(slo, definition, now).allowed
    }

    /// When counts last came; `None` since the start.
    #[must_use]
    pub fn last_sample(&self, slo: &Key) -> Option<Timestamp> {
        self.budgets.get(slo)?.last_sample
    }

    /// Whether the last counts are older than this, or from a time that is still to come by as much, as after a clock was
    /// put back. Without counts since the start it is.
    #[must_use]
    pub fn stale(&self, slo: &Key, limit: Millis, now: Timestamp) -> bool {
        let age = self.last_sample(slo).map(|last| now.duration_since(last).unsigned_abs());
        age.is_none_or(|age| age > limit.to_duration())
    }

    /// The buckets that changed since this was last asked.
    pub fn take_changed(&mut self) -> Vec<Bucket> {
        let mut changed = Vec::new();
        for (slo, budget) in &mut self.budgets {
            let buckets = budget.series.take_changed().into_iter();
            changed.extend(buckets.map(|(resolution, start, counts)| Bucket {
                slo: slo.clone(),
                resolution,
                start,
                counts,
            }));
        }
        changed
    }

    /// Gives back buckets that could not be kept: they are among those that changed the next time.
    pub fn give_back(&mut self, buckets: &[Bucket]) {
        for bucket in buckets {
            if let Some(budget) = self.budgets.get_mut(&bucket.slo) {
                budget.series.mark(bucket.resolution, bucket.start);
            }
        }
    }

    /// Puts back what was kept: of an SLO that counts this indicator, as of that revision. To be done before anything is
    /// counted.
    pub fn load(&mut self, slo: &Key, indicator: Indicator, since: u64, buckets: impl IntoIterator<Item = Bucket>) {
        let budget = self.budgets.entry(slo.clone()).or_default();
        (budget.indicator, budget.since) = (Some(indicator), since);
        for bucket in buckets {
            budget.series.load(bucket.resolution, bucket.start, bucket.counts);
        }
    }

    /// The SLOs that have a budget.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.budgets.keys()
    }

    /// What an SLO counts; `None` where that was not [defined](Self::define).
    #[must_use]
    pub fn indicator(&self, slo: &Key) -> Option<&Indicator> {
        self.budgets.get(slo)?.indicator.as_ref()
    }

    /// The first revision of an SLO that counts what it counts now.
    #[must_use]
    pub fn since(&self, slo: &Key) -> u64 {
        self.budgets.get(slo).map_or(0, |budget| budget.since)
    }

    /// When the oldest bucket begins that is still there: what is kept elsewhere and older may go.
    #[must_use]
    pub fn oldest(&self, slo: &Key, resolution: Resolution) -> Option<Timestamp> {
        self.budgets.get(slo)?.series.oldest(resolution)
    }

    fn with<T>(&self, slo: &Key, look: impl FnOnce(&Budget) -> T) -> T {
        match self.budgets.get(slo) {
            Some(budget) => look(budget),
            None => look(&Budget::default()),
        }
    }
}
