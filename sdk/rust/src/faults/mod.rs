//! Faults: leases, fault points and what strikes there.
//!
//! A fault strikes a pass only while all of this holds: the server granted its run in answer to this client's
//! own report, the lease has not lapsed, the wall clock is before the run's end, the clocks went alike, the
//! process permits it, and the pass is inside the [scope](crate::scope) of an eligible request that the run
//! selects and draws. Whatever ends one of them ends waits in progress too.

mod arms;
mod clock;
mod elsewhere;
#[cfg(test)]
pub(crate) mod fixtures;
mod grants;
mod in_flight;
mod injected;
mod injections;
mod lease;
mod measures;
mod open;
mod operations;
mod pass;
mod point;
mod points;
mod report;
mod run;
mod settings;
mod sketches;
mod tally;
#[cfg(test)]
mod tests;
mod timer;
mod wait;
mod wish;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

#[cfg(test)]
pub(crate) use clock::test::TestClock;
pub use clock::{Clock, Moment, Sleep, SystemClock};
use elsewhere::Elsewhere;
use grants::Grants;
use in_flight::InFlight;
pub use injected::InjectedFault;
#[cfg(all(test, feature = "metrics"))]
pub(crate) use injections::FAULTS_MAX;
use injections::Injections;
pub(crate) use measures::Measured;
use measures::Measures;
pub(crate) use operations::{OpenRequest, Operation, Operations};
pub use pass::Pass;
pub use point::Point;
use points::Points;
pub(crate) use run::ActiveRun;
pub use settings::Settings;
use tally::Tally;
pub(crate) use wish::Wish;

/// The faults of one client. A clone is the same.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    points: Points,
    tally: Tally,
    operations: Operations,
    measures: Measures,
    in_flight: InFlight,
    injections: Injections,
    grants: Mutex<Grants>,
    elsewhere: Elsewhere,
    halted: AtomicBool,
    /// How many of the client's own reasons stand against faults, beside the host's halt.
    suspensions: AtomicU32,
    kill_file_seen: AtomicBool,
    wish: Wish,
    /// Threads that wait in a blocking pass.
    waiting: Mutex<()>,
    wake: Condvar,
}

impl Faults {
    /// Faults that may strike within these settings, by the machine's clocks.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::with_clock(settings, Arc::new(SystemClock))
    }

    /// Faults that live by another clock: for tests.
    #[must_use]
    pub fn with_clock(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let faults = Self(Arc::new(Inner {
            settings: settings.within_limits(),
            clock,
            points: Points::default(),
            tally: Tally::default(),
            operations: Operations::new(),
            measures: Measures::default(),
            in_flight: InFlight::default(),
            injections: Injections::default(),
            grants: Mutex::new(Grants::default()),
            elsewhere: Elsewhere::default(),
            halted: AtomicBool::new(false),
            suspensions: AtomicU32::new(0),
            kill_file_seen: AtomicBool::new(false),
            wish: Wish::default(),
            waiting: Mutex::new(()),
            wake: Condvar::new(),
        }));
        faults.look_for_kill_file();
        faults
    }

    /// What this process permits.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// This moment: take it when a report is sent, and hand it to [`Faults::grant`] with the reply.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.0.clock.now()
    }

    pub(crate) fn monotonic(&self) -> Duration {
        self.0.clock.monotonic()
    }

    /// Stops every fault in this process at once, and lets none begin until [`Faults::resume`]. It needs no
    /// server.
    pub fn halt(&self) {
        self.0.halted.store(true, Ordering::SeqCst);
        self.wake_all();
        self.0.wish.now();
    }

    /// Undoes [`Faults::halt`].
    pub fn resume(&self) {
        self.0.halted.store(false, Ordering::SeqCst);
        self.0.wish.now();
    }

    /// Stops every fault as [`Faults::halt`] does, for a reason of the client's own: its thread is down, or it
    /// ends. Each is to be lifted by itself, and none lifts the host's halt.
    pub(crate) fn suspend(&self) {
        self.0.suspensions.fetch_add(1, Ordering::SeqCst);
        self.wake_all();
        self.0.wish.now();
    }

    /// Undoes one [`Faults::suspend`].
    pub(crate) fn unsuspend(&self) {
        self.0.suspensions.fetch_sub(1, Ordering::SeqCst);
        self.0.wish.now();
    }

    /// Whether this process lets faults strike now.
    #[must_use]
    pub fn allowed(&self) -> bool {
        let stopped = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        let suspended = self.0.suspensions.load(Ordering::SeqCst) > 0;
        self.0.settings.allowed && !suspended && !stopped(&self.0.halted) && !stopped(&self.0.kill_file_seen)
    }

    /// Looks for the kill file, and wakes those who wait in a run whose lease has lapsed. To be called every
    /// second or so, from a thread that may read a file. No injection outlives its lease without it: each
    /// pass and each wait reads the lease itself.
    pub fn expire(&self) {
        self.look_for_kill_file();
        self.disarm_lapsed();
        self.count_overdue();
    }

    fn look_for_kill_file(&self) {
        let Some(path) = &self.0.settings.kill_file else { return };
        // Where it cannot be told whether the file exists, it counts as there.
        let there = path.try_exists().unwrap_or(true);
        if self.0.kill_file_seen.swap(there, Ordering::SeqCst) != there {
            tracing::warn!(file = %path.display(), there, "the kill file came or went");
            self.wake_all();
            self.0.wish.now();
        }
    }

    fn wake_all(&self) {
        for run in self.0.grants.lock().active() {
            run.wake.notify_waiters();
        }
        self.wake_threads();
    }

    fn wake_threads(&self) {
        // The lock orders this after a waiter's last look at what it waits for.
        drop(self.0.waiting.lock());
        self.0.wake.notify_all();
    }

    /// Counts the requests that are open beyond their deadline.
    fn count_overdue(&self) {
        let now = self.monotonic();
        self.0.measures.count_overdue(now);
        self.0.grants.lock().counting().for_each(|run| run.count_overdue(now));
    }

    pub(crate) fn measures(&self) -> &Measures {
        &self.0.measures
    }

    pub(crate) fn operations(&self) -> &Operations {
        &self.0.operations
    }
}

impl AsRef<Self> for Faults {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut faults = f.debug_struct("Faults");
        faults.field("allowed", &self.allowed()).field("in_flight", &self.0.in_flight.count());
        faults.finish_non_exhaustive()
    }
}
