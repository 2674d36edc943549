//! Root requests by operation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use daybreak_model::limits::{FAULT_POINTS_MAX, OPERATIONS_MAX};
use daybreak_model::wire::OperationCounts;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// What operations beyond [`OPERATIONS_MAX`] are counted as.
const OTHER: &str = "other";

/// The operations seen so far.
#[derive(Debug)]
pub(crate) struct Operations {
    known: ArcSwap<FxHashMap<Arc<str>, Arc<Operation>>>,
    adding: Mutex<()>,
    other: Arc<Operation>,
}

/// One operation's counters.
#[derive(Debug)]
pub(crate) struct Operation {
    name: Arc<str>,
    requests: AtomicU64,
    open: AtomicU64,
    /// Requests that passed a point at least once, by the point's index.
    points: Mutex<Vec<u64>>,
}

/// A root request that is open, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenRequest(Arc<Operation>);

impl Operations {
    pub(crate) fn new() -> Self {
        let known = ArcSwap::from_pointee(FxHashMap::default());
        Self { known, adding: Mutex::new(()), other: Arc::new(Operation::new(OTHER)) }
    }

    /// The counters of this operation; those of `other` where too many are known.
    pub(crate) fn get(&self, name: &str) -> Arc<Operation> {
        if let Some(operation) = self.known.load().get(name) {
            return Arc::clone(operation);
        }
        let _adding = self.adding.lock();
        let known = self.known.load_full();
        match known.get(name) {
            Some(operation) => Arc::clone(operation),
            None if name == OTHER || known.len() >= OPERATIONS_MAX => Arc::clone(&self.other),
            None => {
                let operation = Arc::new(Operation::new(name));
                let mut more = FxHashMap::clone(&known);
                more.insert(Arc::clone(&operation.name), Arc::clone(&operation));
                self.known.store(Arc::new(more));
                operation
            }
        }
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
    pub(crate) fn passed(&self, point: usize) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        self.each(|operation| {
            if let Some(&count) = operation.points.lock().get(point).filter(|&&count| count > 0) {
                all.insert(operation.name.to_string(), count);
            }
        });
        all
    }
}

impl Operation {
    fn new(name: &str) -> Self {
        let (requests, open) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { name: name.into(), requests, open, points: Mutex::new(Vec::new()) }
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

    /// A root request passes the point of this index for the first time.
    pub(crate) fn count_first_pass(&self, point: usize) {
        if point >= FAULT_POINTS_MAX {
            return;
        }
        let mut points = self.points.lock();
        if points.len() <= point {
            points.resize(point + 1, 0);
        }
        points[point] += 1;
    }
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
        let counts = operations.counts();
        assert_eq!(counts.len(), OPERATIONS_MAX + 1);
        assert_eq!(counts[OTHER], OperationCounts { requests: 50, open: 0 });
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
