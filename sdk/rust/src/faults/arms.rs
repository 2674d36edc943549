//! The counters of one arm of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_model::wire::Metric;
use hdrhistogram::Histogram;

use crate::scope::Judgement;

/// The longest time that is told apart; a longer one counts as this.
const LONGEST: Duration = Duration::from_secs(60);
/// Significant decimal digits of a latency: with one, a step is at most a sixteenth.
const DIGITS: u8 = 1;

/// The requests of one arm, one stage and one operation.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) struck: u64,
    pub(super) strikes: u64,
    pub(super) spared: u64,
    settled: u64,
    error: u64,
    slow: u64,
    cancelled: u64,
    /// Microseconds to the head of the response.
    latency: Option<Histogram<u64>>,
}

impl Counts {
    /// What became of a request is known.
    pub(super) fn settle(&mut self, judgement: Judgement) {
        self.settled += 1;
        match judgement {
            Judgement::Good => {}
            Judgement::Error => self.error += 1,
            Judgement::Slow => self.slow += 1,
            Judgement::Cancelled => self.cancelled += 1,
        }
    }

    /// The head of a response took so long.
    pub(super) fn took(&mut self, latency: Duration) {
        let longest = micros(LONGEST);
        if self.latency.is_none() {
            self.latency = Histogram::new_with_bounds(1, longest, DIGITS).ok();
        }
        if let Some(histogram) = &mut self.latency {
            histogram.saturating_record(micros(latency).clamp(1, longest));
        }
    }

    pub(super) fn by_metric(&self) -> BTreeMap<Metric, u64> {
        let metrics = [
            (Metric::Requests, self.requests),
            (Metric::Struck, self.struck),
            (Metric::Strikes, self.strikes),
            (Metric::Spared, self.spared),
            (Metric::Settled, self.settled),
            (Metric::Error, self.error),
            (Metric::Slow, self.slow),
            (Metric::Cancelled, self.cancelled),
        ];
        metrics.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// How many took up to so many microseconds.
    pub(super) fn latency(&self) -> BTreeMap<u64, u64> {
        let recorded = self.latency.iter().flat_map(Histogram::iter_recorded);
        recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
