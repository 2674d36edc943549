//! The time that a thread works.

use std::time::Duration;

/// What this thread has worked so far: all of the work is its own, and what else the machine does counts for little.
pub(crate) fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
