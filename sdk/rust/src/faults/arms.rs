//! The counters of one arm of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_model::wire::{ArmKeys, Metric};
use daybreak_model::{KeyHash, KeySketch};
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
    /// Where the run draws by an attribute.
    keys: Option<Box<ArmKeys>>,
}

impl Counts {
    /// A request was drawn by this key.
    pub(super) fn drew(&mut self, key: Option<KeyHash>) {
        self.requests += 1;
        self.in_sketch(key, |keys| &mut keys.drawn);
    }

    /// A request of this key was struck; perhaps for the first time.
    pub(super) fn strike(&mut self) {
        self.strikes += 1;
    }

    /// A strike is over; perhaps the request's first.
    pub(super) fn struck(&mut self, key: Option<KeyHash>, first: bool) {
        self.struck += u64::from(first);
        self.in_sketch(key, |keys| &mut keys.struck);
    }

    fn in_sketch(&mut self, key: Option<KeyHash>, sketch: impl FnOnce(&mut ArmKeys) -> &mut KeySketch) {
        if let Some(key) = key {
            sketch(self.keys.get_or_insert_default()).insert(key);
        }
    }

    /// What became of a request is known; with its key, where this is the first bad outcome of it.
    pub(super) fn settle(&mut self, judgement: Judgement, first_bad: Option<KeyHash>) {
        self.settled += 1;
        let metric = match judgement {
            Judgement::Good => return,
            Judgement::Error => (&mut self.error, Metric::Error),
            Judgement::Slow => (&mut self.slow, Metric::Slow),
            Judgement::Cancelled => (&mut self.cancelled, Metric::Cancelled),
        };
        let (count, metric) = metric;
        *count += 1;
        if let Some(key) = first_bad {
            self.keys.get_or_insert_default().bad.entry(metric).or_default().insert(key);
        }
    }

    /// The keys, where the run draws by an attribute; `full` where some are left out.
    pub(super) fn keys(&self, full: bool) -> Option<ArmKeys> {
        self.keys.as_deref().map(|keys| ArmKeys { full, ..keys.clone() })
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
