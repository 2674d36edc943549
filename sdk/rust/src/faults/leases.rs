//! Leases: for how long which runs may be acted on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use daybreak_engine::Run;
use daybreak_model::limits::CLOCK_DRIFT_MAX;
use daybreak_model::wire::RunGrant;
use daybreak_model::{Key, Percentage, RunId};
use jiff::Timestamp;

use crate::{BootTime, Clock};

/// What the last reply granted.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    pub(super) until: BootTime,
    /// When the reply came.
    pub(super) granted: Moment,
    pub(super) runs: Vec<ActiveRun>,
    pub(super) unsupported: Vec<RunId>,
}

/// A run that may be acted on while the lease lasts.
#[derive(Clone, Debug)]
pub(super) struct ActiveRun {
    pub(super) id: RunId,
    pub(super) stage: u32,
    pub(super) percentage: Percentage,
    pub(super) cap: u32,
    pub(super) ends_at: Timestamp,
    pub(super) run: Arc<Run>,
}

/// One moment by two clocks, to see whether they move alike.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment(Option<(Timestamp, Instant)>);

impl Moment {
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self(Some((clock.wall(), clock.monotonic())))
    }

    /// Whether wall and monotonic time have moved alike since. A machine that was suspended, or whose wall
    /// clock was set, has not: nobody can tell whether its lease is still what the server meant.
    fn moved_alike(self, clock: &dyn Clock) -> bool {
        let Some((wall, monotonic)) = self.0 else { return false };
        let by_wall = clock.wall().duration_since(wall);
        let by_monotonic = clock.monotonic().saturating_duration_since(monotonic);
        let drift =
            (by_wall.as_millis() - i128::try_from(by_monotonic.as_millis()).unwrap_or(i128::MAX)).unsigned_abs();
        drift <= u128::from(CLOCK_DRIFT_MAX.get())
    }
}

impl ActiveRun {
    pub(super) fn new(grant: &RunGrant, run: Arc<Run>) -> Self {
        let RunGrant { id, stage, percentage, cap, ends_at, .. } = *grant;
        Self { id, stage, percentage, cap, ends_at, run }
    }
}

impl Leases {
    /// The run, if it may be acted on right now.
    pub(super) fn valid(&self, id: RunId, clock: &dyn Clock) -> Option<&ActiveRun> {
        let run = self.runs.iter().find(|run| run.id == id)?;
        let valid = clock.boot() < self.until && clock.wall() < run.ends_at && self.granted.moved_alike(clock);
        valid.then_some(run)
    }

    /// The runs at a point.
    pub(super) fn at<'l>(&'l self, point: &'l Key) -> impl Iterator<Item = &'l ActiveRun> {
        self.runs.iter().filter(move |run| run.run.spec().point == *point)
    }

    /// How long a run may be acted on from now, if nothing is heard.
    pub(super) fn left(&self, id: RunId, clock: &dyn Clock) -> Duration {
        let Some(run) = self.valid(id, clock) else { return Duration::ZERO };
        let by_wall = run.ends_at.duration_since(clock.wall()).unsigned_abs();
        clock.boot().until(self.until).min(by_wall)
    }
}
