//! The three clocks that a lease is held against.

use std::time::{Duration, Instant};

use daybreak_model::Millis;
use jiff::Timestamp;

/// Time since the machine started, while it was suspended too: `CLOCK_BOOTTIME`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    /// So long after the machine started.
    #[must_use]
    pub const fn new(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// So much later.
    #[must_use]
    pub fn after(self, millis: Millis) -> Self {
        Self(self.0.saturating_add(millis.to_duration()))
    }

    /// How long until a later moment; nothing where it has passed.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

/// What time it is, by three clocks. Tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// By the clock that runs while the machine is suspended.
    fn boot(&self) -> BootTime;
    /// By the wall.
    fn wall(&self) -> Timestamp;
    /// By the clock that stands while the machine is suspended.
    fn monotonic(&self) -> Instant;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn boot(&self) -> BootTime {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        BootTime(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}
