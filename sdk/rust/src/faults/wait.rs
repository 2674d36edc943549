//! Waits that end with their run: with its lease, its end, or a halt.

use std::pin::pin;
use std::time::{Duration, Instant};

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

    /// Waits in a run. `false` where it ended meanwhile, or where no timer could be started.
    pub(super) async fn wait(&self, run: &ActiveRun, length: Duration) -> bool {
        let mut whole = self.0.clock.sleep(length);
        loop {
            let mut woken = pin!(run.wake.notified());
            // From here on no wake-up is missed, so the look at the lease comes after.
            woken.as_mut().enable();
            let Some(left) = self.left(run) else { return false };
            let slice = self.0.clock.sleep(left.min(SLICE));
            tokio::select! {
                biased;
                () = &mut woken => {}
                slept = &mut whole => return slept && self.left(run).is_some(),
                slept = slice => {
                    if !slept {
                        return false;
                    }
                }
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
