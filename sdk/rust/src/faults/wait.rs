//! Waits that end with their run: with its lease, its end, or a halt.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::Faults;
use super::run::ActiveRun;

/// The longest a wait goes on without looking at the lease anew: timers stand still while a machine is
/// suspended, leases do not.
const SLICE: Duration = Duration::from_millis(250);

impl Faults {
    /// How much longer this run may inject in this process; `None` where it may not.
    pub(super) fn left(&self, run: &ActiveRun) -> Option<Duration> {
        if self.allowed() { run.left(self.now()) } else { None }
    }

    /// Waits in a run. `false` where it ended meanwhile, or where no timer runs here.
    pub(super) async fn wait(&self, run: &ActiveRun, length: Duration) -> bool {
        let Some(mut whole) = sleep(length) else { return false };
        loop {
            let mut woken = pin!(run.wake.notified());
            // From here on no wake-up is missed, so the look at the lease comes after.
            woken.as_mut().enable();
            let Some(left) = self.left(run) else { return false };
            let Some(slice) = sleep(left.min(SLICE)) else { return false };
            tokio::select! {
                biased;
                () = &mut woken => {}
                () = &mut whole => return self.left(run).is_some(),
                () = slice => {}
            }
        }
    }

    /// As [`Faults::wait`], and blocks its thread.
    pub(super) fn wait_blocking(&self, run: &ActiveRun, length: Duration) -> bool {
        let begin = Instant::now();
        let mut waiting = self.0.waiting.lock();
        loop {
            let Some(left) = self.left(run) else { return false };
            match length.checked_sub(begin.elapsed()).filter(|rest| !rest.is_zero()) {
                None => return true,
                Some(rest) => {
                    self.0.wake.wait_for(&mut waiting, rest.min(left).min(SLICE));
                }
            }
        }
    }
}

/// A timer of the running runtime; `None` outside one, or where it has no timers. There is no way to ask.
fn sleep(length: Duration) -> Option<Pin<Box<Sleep>>> {
    tokio::runtime::Handle::try_current().ok()?;
    catch_unwind(AssertUnwindSafe(|| Box::pin(tokio::time::sleep(length)))).ok()
}
