//! What root requests come to, by SLO: counted whether or not anything runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use daybreak_model::wire::{Measure, Metric, SloCounts};
use rustc_hash::FxHashMap;

use super::open::Open;
use crate::scope::{Ended, Judgement, Scope};

/// Measures of one operation that are counted; further ones are left out.
const OF_OPERATION_MAX: usize = 64;

/// The measures that the server asks for, by operation.
#[derive(Debug, Default)]
pub(crate) struct Measures(ArcSwap<ByOperation>);

type ByOperation = FxHashMap<Box<str>, Arc<[Arc<Measured>]>>;

/// One measure, and what was counted by it.
#[derive(Debug)]
pub(crate) struct Measured {
    measure: Measure,
    deadline: Duration,
    open: Open,
    settled: AtomicU64,
    error: AtomicU64,
    slow: AtomicU64,
    cancelled: AtomicU64,
}

impl Measures {
    /// Takes over what the server asks for. What was asked for before goes on where it was.
    pub(crate) fn set(&self, wanted: &[Measure]) {
        let known = self.0.load();
        let count = known.values().map(|measures| measures.len()).sum::<usize>();
        if count == wanted.len() && wanted.iter().all(|measure| find(&known, measure).is_some()) {
            return;
        }
        let mut by_operation: BTreeMap<&str, Vec<Arc<Measured>>> = BTreeMap::new();
        for measure in wanted {
            let measures = by_operation.entry(&measure.operation).or_default();
            if measures.len() < OF_OPERATION_MAX {
                measures.push(find(&known, measure).unwrap_or_else(|| Arc::new(Measured::new(measure.clone()))));
            }
        }
        let next = by_operation.into_iter().map(|(operation, measures)| (operation.into(), measures.into()));
        self.0.store(Arc::new(next.collect()));
    }

    /// The measures of an operation.
    pub(crate) fn of(&self, operation: &str) -> Option<Arc<[Arc<Measured>]>> {
        let known = self.0.load();
        if known.is_empty() { None } else { known.get(operation).cloned() }
    }

    /// Counts the requests that are open beyond their deadline.
    pub(crate) fn count_overdue(&self, now: Duration) {
        for measures in self.0.load().values() {
            for measured in measures.iter() {
                measured.open.overdue(now).iter().filter(|scope| scope.is_overdue_by(measured)).for_each(|_| {
                    measured.count(Judgement::Slow);
                });
            }
        }
    }

    pub(crate) fn counts(&self) -> Vec<SloCounts> {
        let mut counts: Vec<_> = self.0.load().values().flat_map(|all| all.iter()).map(|one| one.counts()).collect();
        counts.sort_by(|a, b| a.slo.cmp(&b.slo));
        counts
    }
}

fn find(known: &ByOperation, measure: &Measure) -> Option<Arc<Measured>> {
    known.get(measure.operation.as_str())?.iter().find(|measured| measured.measure == *measure).cloned()
}

impl Measured {
    fn new(measure: Measure) -> Self {
        let deadline = measure.deadline().to_duration();
        let [settled, error, slow, cancelled] = Default::default();
        Self { measure, deadline, open: Open::default(), settled, error, slow, cancelled }
    }

    /// A request of its operation begins.
    pub(crate) fn begin(&self, scope: &Scope) {
        self.open.watch(scope.began() + self.deadline, scope);
    }

    /// A request ends.
    pub(crate) fn end(&self, ended: &Ended) {
        self.count(ended.judge(&self.measure.good));
    }

    fn count(&self, judgement: Judgement) {
        let counter = match judgement {
            Judgement::Good => None,
            Judgement::Error => Some(&self.error),
            Judgement::Slow => Some(&self.slow),
            Judgement::Cancelled => Some(&self.cancelled),
        };
        counter.into_iter().chain([&self.settled]).for_each(|counter| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    }

    fn counts(&self) -> SloCounts {
        // What is good is the difference: so the whole is read last, and is never the smaller.
        let parts = [
            (Metric::Error, &self.error),
            (Metric::Slow, &self.slow),
            (Metric::Cancelled, &self.cancelled),
            (Metric::Settled, &self.settled),
        ];
        let read = parts.map(|(metric, counter)| (metric, counter.load(Ordering::Relaxed)));
        let counts = read.into_iter().filter(|(_, count)| *count > 0).collect();
        SloCounts { slo: self.measure.slo.clone(), revision: self.measure.revision, counts, acknowledged: None }
    }
}
