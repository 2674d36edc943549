//! What benchmarks measure: the time that a thread works, and what it allocates.
#![expect(unsafe_code, reason = "a global allocator that counts can only be written with it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What this thread had allocated at a moment.
pub(crate) struct Counted(u64);

impl Counted {
    pub(crate) fn now() -> Self {
        Self(COUNT.with(Cell::get))
    }

    /// How often this thread has allocated since.
    pub(crate) fn since(&self) -> u64 {
        COUNT.with(Cell::get) - self.0
    }
}

/// What all threads have allocated, and not given back.
pub(crate) fn live_bytes() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// What this thread has worked: others that are at work on the machine do not count.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Lengths of time, and what was allocated in them.
#[derive(Debug, Default)]
pub(crate) struct Timed {
    lengths: Vec<Duration>,
    allocations: u64,
}

impl Timed {
    pub(crate) fn note(&mut self, length: Duration, counted: &Counted) {
        self.lengths.push(length);
        self.allocations += counted.since();
    }

    pub(crate) fn print(mut self, name: &str) {
        self.lengths.sort_unstable();
        let last = self.lengths.len().saturating_sub(1);
        let at = |percent: usize| {
            let length = self.lengths.get((last * percent).div_ceil(100)).copied().unwrap_or_default();
            format!("{:.0} µs", length.as_secs_f64() * 1e6)
        };
        let cells = [50, 90, 99, 100].map(at).join(" | ");
        println!("| {name} | {cells} | {} |", self.allocations / (last as u64 + 1));
    }
}
