//! How many connections each lane has places for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Lane;
use crate::limits::{COMMON_CONNECTIONS_MAX, STREAM_CONNECTIONS_MAX, URGENT_CONNECTIONS_MAX, WAITING_MAX};
use crate::metrics::DoorMetrics;

/// Files that are kept for the server's own: its store, documents, webhooks, a log.
const OWN_FILES: usize = 256;

/// How many connections may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Those that have not said what they want yet.
    pub waiting: usize,
    /// Of the urgent lane.
    pub urgent: usize,
    /// Streams.
    pub streams: usize,
    /// All others.
    pub common: usize,
}

impl Capacity {
    /// As much as is ever used.
    pub const FULL: Self = Self {
        waiting: WAITING_MAX,
        urgent: URGENT_CONNECTIONS_MAX,
        streams: STREAM_CONNECTIONS_MAX,
        common: COMMON_CONNECTIONS_MAX,
    };

    /// Files that it takes, the server's own with them.
    #[must_use]
    pub const fn files(&self) -> usize {
        self.waiting + self.urgent + self.streams + self.common + OWN_FILES
    }

    /// What a process has room for that may open so many files: each lane has less, and none has nothing.
    #[must_use]
    pub fn within(files: usize) -> Self {
        let full = Self::FULL;
        if files >= full.files() {
            return full;
        }
        let own = OWN_FILES.min(files / 4);
        let (waiting, urgent) = (full.waiting.min(files / 4).max(1), full.urgent.min(files / 10).max(1));
        let left = files.saturating_sub(own + waiting + urgent);
        let streams = full.streams.min(left * 2 / 3).max(1);
        Self { waiting, urgent, streams, common: full.common.min(left.saturating_sub(streams)).max(1) }
    }

    const fn of(&self, lane: Lane) -> usize {
        match lane {
            Lane::Urgent => self.urgent,
            Lane::Streams => self.streams,
            Lane::Common => self.common,
        }
    }
}

/// The places of all lanes.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Lanes>);

#[derive(Debug)]
struct Lanes {
    capacity: Capacity,
    taken: [AtomicUsize; Lane::ALL.len()],
    metrics: DoorMetrics,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Lanes>, Lane);

impl Places {
    pub(crate) fn new(capacity: &Capacity, metrics: DoorMetrics) -> Self {
        Self(Arc::new(Lanes { capacity: *capacity, taken: Default::default(), metrics }))
    }

    /// Takes one; none where all are taken.
    pub(crate) fn take(&self, lane: Lane) -> Option<Place> {
        let (most, taken) = (self.0.capacity.of(lane), &self.0.taken[lane as usize]);
        let one_more = |taken: usize| (taken < most).then_some(taken + 1);
        if taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            self.0.metrics.refused(lane);
            return None;
        }
        self.0.metrics.opened(lane);
        Some(Place(Arc::clone(&self.0), lane))
    }

    /// How many more are taken than should be, so that there is always one for the next: a tenth is kept free.
    pub(crate) fn crowded_by(&self, lane: Lane) -> usize {
        let most = self.0.capacity.of(lane);
        self.0.taken[lane as usize].load(Ordering::Relaxed).saturating_sub(most - most / 10)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self(lanes, lane) = self;
        lanes.taken[*lane as usize].fetch_sub(1, Ordering::Relaxed);
        lanes.metrics.closed(*lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_by_the_files_that_may_be_open() {
        assert_eq!(Capacity::within(usize::MAX), Capacity::FULL);
        assert_eq!(Capacity::within(Capacity::FULL.files()), Capacity::FULL);
        for files in [64, 256, 1_024, 4_096, 20_000, Capacity::FULL.files() - 1] {
            let capacity = Capacity::within(files);
            let Capacity { waiting, urgent, streams, common } = capacity;
            assert!(waiting + urgent + streams + common < files, "{files}: {capacity:?}");
            assert!(waiting.min(urgent).min(streams).min(common) > 0, "{files}: {capacity:?}");
        }
        let usual = Capacity::within(20_000);
        assert!(usual.streams >= 10_000 && usual.common >= 5_000, "{usual:?}");
    }

    #[test]
    fn invariant_3_no_lane_takes_the_places_of_another() {
        let capacity = Capacity { waiting: 1, urgent: 1, streams: 2, common: 20 };
        let places = Places::new(&capacity, DoorMetrics::default());
        let common: Vec<_> = std::iter::from_fn(|| places.take(Lane::Common)).collect();
        assert_eq!((common.len(), places.crowded_by(Lane::Common)), (20, 2));
        let urgent = places.take(Lane::Urgent);
        assert!(urgent.is_some() && places.take(Lane::Urgent).is_none());
        assert!(places.take(Lane::Streams).is_some());
        drop((common, urgent));
        assert!(places.take(Lane::Urgent).is_some() && places.take(Lane::Common).is_some());
        assert_eq!(places.crowded_by(Lane::Common), 0);
    }
}
