//! Counters without a shared write: each thread adds in a row of its own, and who asks for a sum adds the rows up.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Threads that have a row of their own; further ones share the last, which costs them an atomic addition.
const ROWS: usize = 128;
const SHARED: usize = ROWS - 1;
const UNASSIGNED: usize = usize::MAX;

/// Counters come in chunks, so that a thread pays only for those that it uses.
const CHUNK: usize = 512;
/// Chunks of one row: 131,072 counters. What is beyond goes uncounted.
const CHUNKS: usize = 256;

/// Counters by number, the first of which are the fastest. They only grow, and what a thread counted outlives it.
#[derive(Debug)]
pub(crate) struct Counters {
    rows: [OnceLock<Box<Row>>; ROWS],
}

/// The counters that one thread adds to.
#[derive(Debug)]
struct Row {
    first: Chunk,
    further: [OnceLock<Box<Chunk>>; CHUNKS - 1],
}

/// Aligned, so that no cache line is of two threads.
#[derive(Debug)]
#[repr(align(128))]
struct Chunk([AtomicU64; CHUNK]);

impl Counters {
    pub(crate) const fn new() -> Self {
        Self { rows: [const { OnceLock::new() }; ROWS] }
    }

    /// Adds one to a counter.
    #[inline]
    pub(crate) fn add(&self, counter: u32) {
        let row = ROW.get();
        if row < SHARED
            && let Some(own) = self.rows[row].get()
            && let Some(counter) = own.first.0.get(counter as usize)
        {
            add_alone(counter);
        } else {
            self.add_further(counter as usize);
        }
    }

    /// As [`Counters::add`], for any thread and counter.
    #[inline(never)]
    fn add_further(&self, number: usize) {
        let row = row();
        let Some(own) = self.rows.get(row) else { return };
        let Some(chunk) = own.get_or_init(|| Box::new(Row::new())).chunk_to_add(number) else { return };
        let counter = &chunk.0[number % CHUNK];
        if row == SHARED {
            counter.fetch_add(1, Ordering::Relaxed);
        } else {
            add_alone(counter);
        }
    }

    /// What all threads counted so far.
    pub(crate) fn sums(&self) -> Sums<'_> {
        Sums(self.rows.iter().filter_map(|row| row.get().map(|row| &**row)).collect())
    }
}

/// The rows of all threads that ever counted.
#[derive(Debug)]
pub(crate) struct Sums<'c>(Vec<&'c Row>);

impl Sums<'_> {
    /// The sum of a counter over all threads.
    pub(crate) fn of(&self, counter: u32) -> u64 {
        let number = counter as usize;
        let chunks = self.0.iter().filter_map(|row| row.chunk(number));
        chunks.fold(0, |sum, chunk| sum.wrapping_add(chunk.0[number % CHUNK].load(Ordering::Relaxed)))
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

impl Row {
    const fn new() -> Self {
        Self { first: Chunk::new(), further: [const { OnceLock::new() }; CHUNKS - 1] }
    }

    /// The chunk of the counter of this number, if it is there.
    fn chunk(&self, number: usize) -> Option<&Chunk> {
        match (number / CHUNK).checked_sub(1) {
            None => Some(&self.first),
            Some(further) => self.further.get(further)?.get().map(|chunk| &**chunk),
        }
    }

    /// The same, made if it is not there yet; `None` beyond the last.
    fn chunk_to_add(&self, number: usize) -> Option<&Chunk> {
        match (number / CHUNK).checked_sub(1) {
            None => Some(&self.first),
            Some(further) => Some(self.further.get(further)?.get_or_init(|| Box::new(Chunk::new()))),
        }
    }
}

impl Chunk {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; CHUNK])
    }
}

/// Adds one to a counter that this thread alone writes.
#[inline]
fn add_alone(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
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

/// The row of this thread, in all [`Counters`] alike.
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
            // The lock hands what this thread wrote on to the next one that has the row.
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
    fn nothing_is_lost_with_more_threads_than_rows() {
        const THREADS: usize = ROWS + 50;
        let (counters, together) = (Counters::new(), Barrier::new(THREADS));
        thread::scope(|threads| {
            for thread in 0..THREADS {
                let (counters, together) = (&counters, &together);
                threads.spawn(move || {
                    counters.add(3);
                    together.wait();
                    (0..1_000).for_each(|_| counters.add(if thread % 2 == 0 { 3 } else { 4 }));
                });
            }
        });
        let half = THREADS as u64 / 2 * 1_000;
        assert_eq!([3, 4, 5].map(|counter| counters.sums().of(counter)), [half + THREADS as u64, half, 0]);
    }

    #[test]
    fn what_ended_threads_counted_is_kept() {
        let counters = Counters::new();
        for _ in 0..ROWS * 3 {
            thread::scope(|threads| threads.spawn(|| counters.add(7)).join()).unwrap();
        }
        assert_eq!(counters.sums().of(7), ROWS as u64 * 3);
        let rows = counters.rows.iter().filter(|row| row.get().is_some()).count();
        assert!(rows < ROWS, "threads that follow each other share rows: {rows}");
    }

    #[test]
    fn counters_end_somewhere() {
        let (counters, last) = (Counters::new(), (CHUNK * CHUNKS - 1) as u32);
        for counter in [0, last, last + 1, u32::MAX] {
            counters.add(counter);
        }
        assert_eq!([0, last, last + 1, u32::MAX].map(|counter| counters.sums().of(counter)), [1, 1, 0, 0]);
    }

    #[test]
    fn a_thread_that_is_ending_still_counts() {
        struct Late(std::sync::Arc<Counters>);
        impl Drop for Late {
            fn drop(&mut self) {
                self.0.add(1);
            }
        }
        thread_local! { static LATE: Cell<Option<Late>> = const { Cell::new(None) }; }
        let counters = std::sync::Arc::new(Counters::new());
        let late = Late(std::sync::Arc::clone(&counters));
        thread::spawn(move || {
            LATE.set(Some(late));
            // The row is given back before `LATE` is dropped, or after: either way the count is not lost.
            ROW.with(|_| OWNED.with(|_| ()));
        })
        .join()
        .unwrap();
        assert_eq!(counters.sums().of(1), 1);
    }
}
