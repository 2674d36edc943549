//! Counting passes without a shared write: each thread has a row of its own.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use daybreak_model::limits::FAULT_POINTS_MAX;
use parking_lot::Mutex;

/// Threads that have a row of their own; further ones share the last, which costs them an atomic addition.
const ROWS: usize = 64;
const SHARED: usize = ROWS - 1;
const UNASSIGNED: usize = usize::MAX;

/// Passes by fault point.
#[derive(Debug)]
pub(crate) struct Tally {
    rows: [OnceLock<Box<[Cells]>>; ROWS],
}

/// The counters of one point in one row.
#[derive(Debug, Default)]
struct Cells {
    passes: AtomicU64,
    unscoped: AtomicU64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { rows: [const { OnceLock::new() }; ROWS] }
    }

    /// Counts one pass of the point of this index.
    #[inline]
    pub(crate) fn count(&self, point: usize, scoped: bool) {
        let row = row();
        let cells = self.rows[row].get_or_init(|| (0..FAULT_POINTS_MAX).map(|_| Cells::default()).collect());
        let Some(cells) = cells.get(point) else { return };
        add(row, &cells.passes);
        if !scoped {
            add(row, &cells.unscoped);
        }
    }

    /// Passes, and those of them without a scope.
    pub(crate) fn sum(&self, point: usize) -> (u64, u64) {
        let cells = self.rows.iter().filter_map(|row| row.get()?.get(point));
        cells.fold((0, 0), |(passes, unscoped), cells| {
            (passes + cells.passes.load(Ordering::Relaxed), unscoped + cells.unscoped.load(Ordering::Relaxed))
        })
    }
}

#[inline]
fn add(row: usize, counter: &AtomicU64) {
    if row == SHARED {
        counter.fetch_add(1, Ordering::Relaxed);
    } else {
        // This thread is the only one that writes here.
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// Rows that no thread has now.
static FREE: Mutex<Rows> = Mutex::new(Rows { returned: Vec::new(), next: 0 });

struct Rows {
    returned: Vec<usize>,
    next: usize,
}

/// Gives the row back when its thread ends.
struct Owned(usize);

thread_local! {
    /// Apart from its owner, so that reading it never has to ask whether it has been destroyed.
    static ROW: Cell<usize> = const { Cell::new(UNASSIGNED) };
    static OWNED: Owned = Owned::take();
}

#[inline]
fn row() -> usize {
    match ROW.get() {
        UNASSIGNED => assign(),
        row => row,
    }
}

#[cold]
fn assign() -> usize {
    let row = OWNED.try_with(|owned| owned.0).unwrap_or(SHARED);
    ROW.set(row);
    row
}

impl Owned {
    fn take() -> Self {
        let mut free = FREE.lock();
        let row = free.returned.pop().unwrap_or_else(|| {
            let row = free.next.min(SHARED);
            free.next += usize::from(row < SHARED);
            row
        });
        Self(row)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        ROW.set(SHARED);
        if self.0 != SHARED {
            FREE.lock().returned.push(self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn no_pass_is_lost_with_more_threads_than_rows() {
        const THREADS: u64 = 100;
        let (tally, together) = (Tally::new(), Barrier::new(100));
        thread::scope(|threads| {
            for thread in 0..THREADS {
                let (tally, together) = (&tally, &together);
                threads.spawn(move || {
                    tally.count(3, true);
                    together.wait();
                    (0..1_000).for_each(|_| tally.count(3, thread % 2 == 0));
                });
            }
        });
        assert_eq!(tally.sum(3), (THREADS * 1_001, THREADS / 2 * 1_000));
        assert_eq!(tally.sum(4), (0, 0));
    }

    #[test]
    fn a_point_beyond_the_limit_is_not_counted() {
        let tally = Tally::new();
        tally.count(FAULT_POINTS_MAX, true);
        assert_eq!(tally.sum(FAULT_POINTS_MAX), (0, 0));
    }
}
