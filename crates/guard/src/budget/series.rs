//! Good and bad requests in buckets of time, finer ones for the near past, coarser ones for the far.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Requests that an SLO counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Those that kept what the SLO promises.
    pub good: u64,
    /// Those that did not.
    pub bad: u64,
}

/// How long a bucket is. Every count is kept in one bucket of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// For windows of up to an hour.
    TenSeconds,
    /// For windows of up to seven hours.
    Minute,
    /// For windows of up to two days.
    FiveMinutes,
    /// For windows of up to 366 days, the longest that an SLO may have.
    Hour,
}

/// The buckets of one resolution: by their number since 1970, none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tier {
    buckets: BTreeMap<i64, Counts>,
    /// Those that changed since they were last [taken](Series::take_changed).
    changed: BTreeSet<i64>,
}

/// What was counted for one SLO. It keeps at most 10,410 buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Series {
    tiers: [Tier; Resolution::ALL.len()],
}

impl Counts {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { good: self.good.saturating_add(other.good), bad: self.bad.saturating_add(other.bad) }
    }
}

impl Resolution {
    /// The finest first.
    pub const ALL: [Self; 4] = [Self::TenSeconds, Self::Minute, Self::FiveMinutes, Self::Hour];

    /// How long a bucket is.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::FiveMinutes => 5 * 60,
            Self::Hour => 60 * 60,
        }
    }

    /// How many of them are kept: the newest.
    const fn buckets_max(self) -> usize {
        match self {
            Self::TenSeconds => 7 * 60,
            Self::Minute => 8 * 60,
            Self::FiveMinutes => 50 * 12,
            Self::Hour => 371 * 24,
        }
    }

    /// The finest that reaches so many seconds back.
    pub(super) fn reaching(seconds: i64) -> Self {
        let reach = |resolution: &Self| {
            // The first bucket and the last are part of the window only in part.
            i64::try_from(resolution.buckets_max()).unwrap_or(i64::MAX).saturating_sub(2) * resolution.seconds()
        };
        Self::ALL.into_iter().find(|resolution| reach(resolution) >= seconds).unwrap_or(Self::Hour)
    }

    const fn bucket(self, second: i64) -> i64 {
        second.div_euclid(self.seconds())
    }
}

impl Tier {
    fn add(&mut self, counts: Counts, bucket: i64, max: usize) {
        // What a clock that was put back left in the future was counted before now: it counts as of now.
        let mut counts = counts;
        while let Some(ahead) = self.buckets.last_entry().filter(|last| *last.key() > bucket) {
            self.changed.insert(*ahead.key());
            counts = counts.plus(ahead.remove());
        }
        if counts != Counts::default() {
            let sum = self.buckets.entry(bucket).or_default();
            *sum = sum.plus(counts);
            self.changed.insert(bucket);
        }
        // By number, not by age: a clock that jumps ahead and back again costs no history.
        while self.buckets.len() > max {
            self.buckets.pop_first();
        }
    }
}

impl Series {
    pub(super) fn add(&mut self, counts: Counts, now: Timestamp) {
        for (resolution, tier) in Resolution::ALL.into_iter().zip(&mut self.tiers) {
            tier.add(counts, resolution.bucket(now.as_second()), resolution.buckets_max());
        }
    }

    fn tier(&self, resolution: Resolution) -> Option<&Tier> {
        Resolution::ALL.into_iter().zip(&self.tiers).find(|(of, _)| *of == resolution).map(|(_, tier)| tier)
    }

    /// Every bucket that holds anything of `since` or later, each with the second at which it begins: up to one bucket
    /// more than was asked for, never less.
    pub(super) fn since(&self, since: i64, resolution: Resolution) -> impl Iterator<Item = (i64, Counts)> + '_ {
        let first = resolution.bucket(since);
        let buckets = self.tier(resolution).into_iter().flat_map(move |tier| tier.buckets.range(first..));
        buckets.map(move |(bucket, counts)| (bucket.saturating_mul(resolution.seconds()), *counts))
    }

    /// What was counted over the last so many seconds, up to a bucket more.
    pub(super) fn over(&self, seconds: i64, now: Timestamp) -> Counts {
        let since = now.as_second().saturating_sub(seconds);
        let buckets = self.since(since, Resolution::reaching(seconds));
        buckets.fold(Counts::default(), |sum, (_, counts)| sum.plus(counts))
    }

    /// The buckets that changed since this was last asked, with when they begin; one that is gone again is empty.
    pub(super) fn take_changed(&mut self) -> Vec<(Resolution, Timestamp, Counts)> {
        let mut changed = Vec::new();
        for (resolution, tier) in Resolution::ALL.into_iter().zip(&mut self.tiers) {
            for bucket in std::mem::take(&mut tier.changed) {
                let counts = tier.buckets.get(&bucket).copied().unwrap_or_default();
                let start = Timestamp::from_second(bucket.saturating_mul(resolution.seconds()));
                changed.extend(start.ok().map(|start| (resolution, start, counts)));
            }
        }
        changed
    }

    /// Says again that a bucket changed.
    pub(super) fn mark(&mut self, resolution: Resolution, start: Timestamp) {
        for (of, tier) in Resolution::ALL.into_iter().zip(&mut self.tiers) {
            if of == resolution {
                tier.changed.insert(resolution.bucket(start.as_second()));
            }
        }
    }

    /// Puts back what was kept elsewhere. Of the same bucket the last one counts.
    pub(super) fn load(&mut self, resolution: Resolution, start: Timestamp, counts: Counts) {
        for (of, tier) in Resolution::ALL.into_iter().zip(&mut self.tiers) {
            if of == resolution && counts != Counts::default() {
                tier.buckets.insert(resolution.bucket(start.as_second()), counts);
                while tier.buckets.len() > resolution.buckets_max() {
                    tier.buckets.pop_first();
                }
            }
        }
    }

    /// When the oldest bucket of a resolution begins.
    pub(super) fn oldest(&self, resolution: Resolution) -> Option<Timestamp> {
        let (bucket, _) = self.tier(resolution)?.buckets.first_key_value()?;
        Timestamp::from_second(bucket.saturating_mul(resolution.seconds())).ok()
    }

    #[cfg(test)]
    pub(super) fn buckets(&self) -> usize {
        self.tiers.iter().map(|tier| tier.buckets.len()).sum()
    }
}
