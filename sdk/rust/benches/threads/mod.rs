//! Work on several threads at once.

use std::sync::Barrier;
use std::time::{Duration, Instant};

/// The longest that one of `threads` takes for its work, which all begin together.
pub(crate) fn together(threads: usize, work: impl Fn() + Sync) -> Duration {
    let start = Barrier::new(threads);
    let timed = || {
        // What a thread does for the first time is no part of the work.
        start.wait();
        let began = Instant::now();
        work();
        began.elapsed()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(timed)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).max().unwrap_or_default()
    })
}
