//! Time, as something that can be handed in: the system's clocks, or one that a test moves by hand.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

/// A wall clock, and one that only moves forward.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock: for calendars, and for what people read.
    fn now(&self) -> Timestamp;

    /// The time since some fixed moment; it never goes back, and runs while the machine is suspended.
    /// Ages and time-outs are measured with it.
    fn elapsed(&self) -> Duration;
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// Where the clock runs on while the machine is suspended.
#[cfg(target_os = "linux")]
const MONOTONIC: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const MONOTONIC: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(MONOTONIC);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// A clock that stands still until it is moved. For tests of anything that depends on time.
#[derive(Debug)]
pub struct ManualClock {
    times: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// A clock that shows this moment.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { times: Mutex::new((now, Duration::ZERO)) }
    }

    /// Moves both clocks on.
    ///
    /// # Panics
    /// When the moment reached lies beyond the year 9999.
    pub fn advance(&self, by: Duration) {
        let mut times = self.times.lock();
        *times = (times.0 + by, times.1 + by);
    }

    /// Sets the wall clock, forward or back; the other one stays.
    pub fn set_wall(&self, now: Timestamp) {
        self.times.lock().0 = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.times.lock().0
    }

    fn elapsed(&self) -> Duration {
        self.times.lock().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(5));
        assert_eq!((clock.now().as_second(), clock.elapsed()), (5, Duration::from_secs(5)));
        clock.set_wall(Timestamp::UNIX_EPOCH);
        assert_eq!((clock.now().as_second(), clock.elapsed()), (0, Duration::from_secs(5)));
    }

    #[test]
    fn the_system_clock_never_goes_back() {
        let (first, second) = (SystemClock.elapsed(), SystemClock.elapsed());
        assert!(first <= second);
    }
}
