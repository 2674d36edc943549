//! A timer that needs no runtime of the host's: applications run on Tokio with or without its timers, on another
//! runtime, or on none.
//!
//! One thread serves all waits of the process. It begins with the first and ends with the last.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

static TIMER: Timer = Timer::new();

/// Who is to be woken, and when.
struct Timer {
    alarms: Mutex<Alarms>,
    changed: Condvar,
    numbers: AtomicU64,
}

struct Alarms {
    /// By moment; the number tells apart those of the same one.
    wakers: BTreeMap<(Instant, u64), Waker>,
    /// Whether there is a thread that serves them.
    served: bool,
}

/// Ready after a time: with `true`, or with `false` at once where no thread could be started to keep it.
#[derive(Debug)]
pub(super) struct Sleep {
    at: (Instant, u64),
}

/// A sleep of this length, from now on. At most about 30 years.
pub(super) fn sleep(length: Duration) -> Sleep {
    let now = Instant::now();
    let at = now.checked_add(length).or_else(|| now.checked_add(Duration::from_secs(1_000_000_000))).unwrap_or(now);
    Sleep { at: (at, TIMER.numbers.fetch_add(1, Ordering::Relaxed)) }
}

impl Future for Sleep {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, poller: &mut Context<'_>) -> Poll<bool> {
        if Instant::now() >= self.at.0 {
            return Poll::Ready(true);
        }
        if TIMER.set(self.at, poller.waker()) { Poll::Pending } else { Poll::Ready(false) }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // A waker is the host's code: it is dropped after the lock.
        let waker = TIMER.alarms.lock().wakers.remove(&self.at);
        drop(waker);
    }
}

impl Timer {
    const fn new() -> Self {
        let alarms = Alarms { wakers: BTreeMap::new(), served: false };
        Self { alarms: Mutex::new(alarms), changed: Condvar::new(), numbers: AtomicU64::new(0) }
    }

    /// Has somebody woken then. Whether somebody serves it.
    fn set(&'static self, at: (Instant, u64), waker: &Waker) -> bool {
        let waker = waker.clone();
        let mut alarms = self.alarms.lock();
        if !alarms.served {
            let serving = std::thread::Builder::new().name("daybreak-timer".to_owned()).spawn(|| self.serve());
            if let Err(why) = serving {
                drop(alarms);
                tracing::warn!(%why, "no thread for injected waits");
                return false;
            }
            alarms.served = true;
        }
        let before = alarms.wakers.insert(at, waker);
        let first = alarms.wakers.first_key_value().is_some_and(|(first, _)| *first == at);
        drop(alarms);
        if first {
            self.changed.notify_one();
        }
        drop(before);
        true
    }

    /// Wakes whose time has come, until nobody waits any more.
    fn serve(&self) {
        let mut alarms = self.alarms.lock();
        while let Some((&(at, _), _)) = alarms.wakers.first_key_value() {
            if Instant::now() < at {
                self.changed.wait_until(&mut alarms, at);
            } else if let Some((_, waker)) = alarms.wakers.pop_first() {
                drop(alarms);
                // A waker that panics costs nobody else their alarm.
                let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
                alarms = self.alarms.lock();
            }
        }
        alarms.served = false;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use futures_util::future::join_all;

    use super::super::fixtures::block_on;
    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    #[test]
    fn sleeps_are_never_shorter_than_asked_whatever_their_order() {
        let slept = |times: u32| async move {
            let begin = Instant::now();
            assert!(sleep(SHORT * times).await);
            begin.elapsed() >= SHORT * times
        };
        let all = block_on(join_all([4, 1, 3, 0, 2, 2, 1].map(slept)));
        assert_eq!(all, [true; 7]);
    }

    #[test]
    fn a_dropped_sleep_wakes_nobody_and_leaves_nothing() {
        let long = Duration::from_secs(3_600);
        let abandoned = async { futures_util::future::select(sleep(long), sleep(SHORT)).await };
        assert!(matches!(block_on(abandoned), futures_util::future::Either::Right((true, _))));
        let at_least = Instant::now() + long / 2;
        assert!(TIMER.alarms.lock().wakers.range((at_least, 0)..).next().is_none());
    }

    #[test]
    fn the_longest_sleep_is_no_panic() {
        let endless = sleep(Duration::MAX);
        assert!(endless.at.0 > Instant::now());
    }

    #[test]
    fn a_waker_that_panics_stops_no_other() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("a waker of the test");
            }
        }
        let waker = Waker::from(Arc::new(Panics));
        let mut broken = std::pin::pin!(sleep(SHORT));
        assert!(broken.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(block_on(sleep(SHORT * 2)));
    }
}
