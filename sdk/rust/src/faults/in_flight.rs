//! The exact cap on faults in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts the faults in flight in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<AtomicU32>);

/// One fault in flight, until it is dropped: also with the future that waits.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicU32>);

impl InFlight {
    /// Leave for one more, unless `cap` are in flight.
    pub(crate) fn enter(&self, cap: u32) -> Option<Permit> {
        let more = |count: u32| (count < cap).then_some(count + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Permit(Arc::clone(&self.0)))
    }

    /// How many are in flight now.
    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn invariant_4_the_cap_is_exact_under_concurrency() {
        let in_flight = InFlight::default();
        let enter_many = || (0..1_000).filter_map(|_| in_flight.enter(64)).collect::<Vec<_>>();
        let permits: Vec<_> = thread::scope(|threads| {
            let all: Vec<_> = (0..4).map(|_| threads.spawn(enter_many)).collect();
            all.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!((permits.len(), in_flight.count()), (64, 64));
        drop(permits);
        assert_eq!(in_flight.count(), 0);
        assert!(in_flight.enter(0).is_none(), "a cap of nothing lets nothing in");
    }
}
