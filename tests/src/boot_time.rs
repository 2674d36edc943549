//! The clock that leases are counted on: it runs while the machine is suspended, and is the same in every process.

use std::ops::{Add, Sub};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A moment on CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
        Self(Duration::new(now.tv_sec.unsigned_abs(), nanos))
    }

    /// As many microseconds after the machine started.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(Duration::from_micros(micros))
    }

    /// Microseconds since the machine started.
    #[must_use]
    pub const fn micros(self) -> u128 {
        self.0.as_micros()
    }

    /// Milliseconds since an earlier moment; 0 where that is later.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> f64 {
        (self - earlier).as_secs_f64() * 1_000.0
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0 + later)
    }
}

impl Sub for BootTime {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_on() {
        let then = BootTime::now();
        assert!(BootTime::now() >= then && then > BootTime::from_micros(0));
        assert_eq!(BootTime::from_micros(5) + Duration::from_micros(2), BootTime::from_micros(7));
        assert_eq!(BootTime::from_micros(7) - BootTime::from_micros(5), Duration::from_micros(2));
        assert_eq!(BootTime::from_micros(3_500).millis_since(BootTime::from_micros(1_000)), 2.5);
    }
}
