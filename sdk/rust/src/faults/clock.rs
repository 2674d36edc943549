//! The clocks that leases are read by, and the timer that injected waits are kept by.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

use super::timer;

/// One moment, as three clocks see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the machine started, time in suspension included: leases count on it.
    pub boot: Duration,
    /// Since the machine started, time in suspension left out.
    pub monotonic: Duration,
    /// The wall clock, which people and time servers move.
    pub wall: Timestamp,
}

/// Ready after a time.
pub type Sleep = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Where moments come from; tests bring their own.
pub trait Clock: Debug + Send + Sync {
    /// This moment.
    fn now(&self) -> Moment;

    /// The moment on the monotonic clock alone: requests are measured by it.
    fn monotonic(&self) -> Duration {
        self.now().monotonic
    }

    /// Sleeps for this long. `false`, at once, where that is not possible here: then nothing strikes.
    ///
    /// The SDK's own timer, unless the clock brings another. It needs no runtime.
    fn sleep(&self, length: Duration) -> Sleep {
        Box::pin(timer::sleep(length))
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment { boot: read(BOOT), monotonic: self.monotonic(), wall: Timestamp::now() }
    }

    fn monotonic(&self) -> Duration {
        read(rustix::time::ClockId::Monotonic)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: rustix::time::ClockId = rustix::time::ClockId::Boottime;
/// Elsewhere a suspension shows as the wall clock's running ahead, which voids a lease just the same.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

fn read(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod test {
    use parking_lot::Mutex;

    use super::*;

    /// A clock that moves when it is told to.
    #[derive(Debug)]
    pub(crate) struct TestClock(Mutex<Moment>);

    impl TestClock {
        pub(crate) fn new() -> Self {
            let start = Duration::from_secs(1_000);
            Self(Mutex::new(Moment { boot: start, monotonic: start, wall: "2026-11-23T10:00:00Z".parse().unwrap() }))
        }

        /// Time passes, on all clocks alike.
        pub(crate) fn pass(&self, time: Duration) {
            let mut now = self.0.lock();
            *now = Moment { boot: now.boot + time, monotonic: now.monotonic + time, wall: now.wall + time };
        }

        /// The machine sleeps: the monotonic clock stands still.
        pub(crate) fn suspend(&self, time: Duration) {
            let mut now = self.0.lock();
            *now = Moment { boot: now.boot + time, monotonic: now.monotonic, wall: now.wall + time };
        }

        /// Somebody moves the wall clock.
        pub(crate) fn set_wall(&self, seconds: i64) {
            let mut now = self.0.lock();
            now.wall += jiff::SignedDuration::from_secs(seconds);
        }
    }

    impl Clock for TestClock {
        fn now(&self) -> Moment {
            *self.0.lock()
        }

        /// By Tokio's clock, which its tests can pause.
        fn sleep(&self, length: Duration) -> Sleep {
            Box::pin(async move {
                tokio::time::sleep(length).await;
                true
            })
        }
    }

    #[test]
    fn the_clocks_of_this_machine_go_forward() {
        let (first, second) = (SystemClock.now(), SystemClock.now());
        assert!(first.boot <= second.boot && first.monotonic <= second.monotonic);
        assert!(!first.boot.is_zero() && !first.monotonic.is_zero(), "the clocks can be read");
    }
}
