//! Root requests by operation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use daybreak_model::Context;
use daybreak_model::limits::{OPERATION_LENGTH_MAX, OPERATIONS_MAX};
use daybreak_model::wire::OperationCounts;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::sketches::Sketches;
use crate::counters::Counters;

/// Room for all operations and `other`.
const COUNTERS_OF_POINT: u32 = (OPERATIONS_MAX + 1).next_power_of_two() as u32;

/// What operations beyond [`OPERATIONS_MAX`], and those with very long names, are counted as.
const OTHER: &str = "other";

/// The operations seen so far.
#[derive(Debug)]
pub(crate) struct Operations {
    known: ArcSwap<FxHashMap<Arc<str>, Arc<Operation>>>,
    adding: Mutex<()>,
    other: Arc<Operation>,
    passed: Arc<Counters>,
    sketches: Arc<Sketches>,
}

/// One operation's counters.
#[derive(Debug)]
pub(crate) struct Operation {
    name: Arc<str>,
    index: u32,
    requests: AtomicU64,
    open: AtomicU64,
    /// Requests of all operations that passed a point at least once: see [`counter`].
    passed: Arc<Counters>,
    sketches: Arc<Sketches>,
}

/// A root request that is open, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenRequest(Arc<Operation>);

impl Operations {
    pub(crate) fn new() -> Self {
        let (known, passed, sketches) = (ArcSwap::from_pointee(FxHashMap::default()), Arc::default(), Arc::default());
        let other = Arc::new(Operation::new(OTHER, 0, &passed, &sketches));
        Self { known, adding: Mutex::new(()), other, passed, sketches }
    }

    /// The counters of this operation; those of `other` where too many are known.
    pub(crate) fn get(&self, name: &str) -> Arc<Operation> {
        if let Some(operation) = self.known.load().get(name) {
            return Arc::clone(operation);
        }
        if name.len() > OPERATION_LENGTH_MAX {
            return Arc::clone(&self.other);
        }
        let _adding = self.adding.lock();
        let known = self.known.load_full();
        match known.get(name) {
            Some(operation) => Arc::clone(operation),
            None if name == OTHER || known.len() >= OPERATIONS_MAX => Arc::clone(&self.other),
            None => {
                let index = u32::try_from(known.len() + 1).unwrap_or_default();
                let operation = Arc::new(Operation::new(name, index, &self.passed, &self.sketches));
                let mut more = FxHashMap::clone(&known);
                more.insert(Arc::clone(&operation.name), Arc::clone(&operation));
                self.known.store(Arc::new(more));
                operation
            }
        }
    }

    /// What is counted of the attributes that faults draw by.
    pub(crate) fn sketches(&self) -> &Sketches {
        &self.sketches
    }

    fn each(&self, mut f: impl FnMut(&Operation)) {
        self.known.load().values().for_each(|operation| f(operation));
        if self.other.requests.load(Ordering::Relaxed) > 0 {
            f(&self.other);
        }
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, OperationCounts> {
        let mut all = BTreeMap::new();
        self.each(|operation| {
            let requests = operation.requests.load(Ordering::Relaxed);
            let counts = OperationCounts { requests, open: operation.open.load(Ordering::Relaxed) };
            all.insert(operation.name.to_string(), counts);
        });
        all
    }

    /// Root requests that passed the point of this index, by operation.
    pub(crate) fn passed(&self, point: u32) -> BTreeMap<String, u64> {
        let (mut all, sums) = (BTreeMap::new(), self.passed.sums());
        self.each(|operation| {
            let count = sums.of(counter(point, operation.index));
            if count > 0 {
                all.insert(operation.name.to_string(), count);
            }
        });
        all
    }
}

impl Operation {
    fn new(name: &str, index: u32, passed: &Arc<Counters>, sketches: &Arc<Sketches>) -> Self {
        let (requests, open) = (AtomicU64::new(0), AtomicU64::new(0));
        let (passed, sketches) = (Arc::clone(passed), Arc::clone(sketches));
        Self { name: name.into(), index, requests, open, passed, sketches }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A root request begins.
    pub(crate) fn open(self: &Arc<Self>) -> OpenRequest {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenRequest(Arc::clone(self))
    }

    /// A root request, served to this context, passes the point of this index for the first time.
    pub(crate) fn count_first_pass(&self, point: u32, context: &Context) {
        self.passed.add(counter(point, self.index));
        self.sketches.pass(point, context);
    }
}

/// Each point has a counter for each operation and for `other`, side by side, since most processes have few points.
const fn counter(point: u32, operation: u32) -> u32 {
    point * COUNTERS_OF_POINT + operation
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_bounded() {
        let operations = Operations::new();
        for number in 0..OPERATIONS_MAX + 50 {
            drop(operations.get(&format!("GET /{number}")).open());
        }
        drop(operations.get(&"x".repeat(OPERATION_LENGTH_MAX + 1)).open());
        let counts = operations.counts();
        assert_eq!(counts.len(), OPERATIONS_MAX + 1);
        assert_eq!(counts[OTHER], OperationCounts { requests: 51, open: 0 });
    }

    #[test]
    fn open_requests_are_a_gauge() {
        let operations = Operations::new();
        let open = (operations.get("a").open(), operations.get("a").open());
        assert_eq!(operations.counts()["a"], OperationCounts { requests: 2, open: 2 });
        drop(open);
        assert_eq!(operations.counts()["a"], OperationCounts { requests: 2, open: 0 });
    }
}
