//! How long changes took to reach clients.

use std::time::Duration;

use serde::Serialize;

/// The upper ends of the stretches that are told apart, in milliseconds. What took longer than the last is in one more.
pub const BOUNDS_MS: [u64; 15] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// Times, counted by stretch since the server's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By stretch: up to the bound of the same place in [`BOUNDS_MS`], and the last beyond all of them.
    pub counts: [u64; BOUNDS_MS.len() + 1],
    /// Their sum.
    pub sum: Duration,
    /// The longest.
    pub max: Duration,
}

/// A histogram for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistogramView {
    /// How many there are.
    pub count: u64,
    /// Their sum, in milliseconds.
    pub sum: u64,
    /// Half took no longer, in milliseconds: the upper end of the stretch in which the half is reached.
    pub p50: Option<u64>,
    /// So did 99 %.
    pub p99: Option<u64>,
    /// The longest, in milliseconds.
    pub max: u64,
    /// How many took up to so many milliseconds, those of the stretches before included.
    pub buckets: Vec<Bucket>,
}

/// How many took no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// In milliseconds; none for those that took any time.
    pub up_to: Option<u64>,
    /// How many.
    pub count: u64,
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, took: Duration) {
        // What took 1.2 ms took longer than 1 ms.
        let fits = |bound: &u64| took <= Duration::from_millis(*bound);
        let stretch = BOUNDS_MS.iter().position(fits).unwrap_or(BOUNDS_MS.len());
        if let Some(count) = self.counts.get_mut(stretch) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(took);
        self.max = self.max.max(took);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// For people and programs.
    #[must_use]
    pub fn view(&self) -> HistogramView {
        let mut sum = 0;
        let bounds = BOUNDS_MS.into_iter().map(Some).chain([None]);
        let bucket = |(up_to, count): (Option<u64>, u64)| {
            sum += count;
            Bucket { up_to, count: sum }
        };
        let buckets: Vec<_> = bounds.zip(self.counts).map(bucket).collect();
        let (count, max) = (self.count(), millis(self.max));
        let quantile = |thousandths: u64| {
            let reached = |bucket: &&Bucket| bucket.count.saturating_mul(1_000) >= count.saturating_mul(thousandths);
            let bucket = buckets.iter().find(reached).filter(|_| count > 0)?;
            Some(bucket.up_to.map_or(max, |up_to| up_to.min(max)))
        };
        HistogramView { count, sum: millis(self.sum), p50: quantile(500), p99: quantile(990), max, buckets }
    }
}

/// In whole milliseconds: what is begun counts.
pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_by_stretch() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.view().p50, histogram.view().count), (None, 0));
        for micros in [0, 1_000, 1_001, 41_000, 90_000_000] {
            histogram.add(Duration::from_micros(micros));
        }
        let view = histogram.view();
        assert_eq!((view.count, view.sum, view.max), (5, 90_044, 90_000));
        assert_eq!((view.p50, view.p99), (Some(2), Some(90_000)));
        let counts: Vec<_> = view.buckets.iter().map(|bucket| bucket.count).collect();
        assert_eq!(counts, [2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5]);
        assert_eq!((view.buckets[0].up_to, view.buckets[15].up_to), (Some(1), None));
    }
}
