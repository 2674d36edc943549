//! Passes by fault point.

use crate::counters::Counters;

/// Passes by fault point.
#[derive(Debug, Default)]
pub(crate) struct Tally(Counters);

impl Tally {
    /// Counts one pass of the point of this index, inside a scope or outside of any.
    #[inline]
    pub(crate) fn count(&self, point: u32, scoped: bool) {
        self.0.add(counter(point, scoped));
    }

    /// Passes, and those of them without a scope.
    pub(crate) fn sum(&self, point: u32) -> (u64, u64) {
        let sums = self.0.sums();
        let [scoped, unscoped] = [true, false].map(|scoped| sums.of(counter(point, scoped)));
        (scoped.wrapping_add(unscoped), unscoped)
    }
}

/// A point has two counters, side by side.
#[inline]
const fn counter(point: u32, scoped: bool) -> u32 {
    point * 2 + if scoped { 0 } else { 1 }
}
