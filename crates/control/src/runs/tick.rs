//! The guard's tick: once a second it looks at every run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daybreak_guard::blast_radius::exceeding;
use daybreak_guard::clients::{Clients, LOST_CLIENTS_MAX};
use daybreak_guard::run::{Event, Run};
use daybreak_model::{Millis, Percentage, RunId};
use daybreak_store::{Leadership, LeadershipRequest};
use jiff::{SignedDuration, Timestamp};

use super::view::RunCounts;
use crate::Control;

/// How long a tick waits for the store. The next tick comes all the same.
const STORE_WAIT: Duration = Duration::from_millis(500);
/// How long a leadership holds without being confirmed.
const LEADERSHIP_HOLD: Millis = Millis::from_secs(10);
/// How long after a run's end its last requests are counted.
const DRAIN: SignedDuration = SignedDuration::from_secs(30);

impl Control {
    /// Looks at every run, and ends those that must not go on; then confirms the leadership, and records what
    /// is still to be recorded. To be called once a second: without it, no lease is granted.
    pub async fn tick(&self) {
        self.tick_guard();
        let store = async {
            tokio::join!(
                self.confirm(),
                self.record_if_idle(),
                self.keep_halt_if_idle(),
                self.tend_tokens(),
                self.tend_budgets()
            )
        };
        let _ = tokio::time::timeout(STORE_WAIT, store).await;
    }

    /// The part that waits for nothing. What it looks at, it looks at without the runs' lock, which a stop needs.
    pub(super) fn tick_guard(&self) {
        let (now, elapsed) = (self.inner.clock.now(), self.inner.clock.elapsed());
        let (active, drained) = {
            let runs = self.inner.runs.lock();
            (runs.active().cloned().collect::<Vec<_>>(), runs.drained(now))
        };
        let (mut events, counted) = self.look_at(&active, &drained, now);
        drop(active);
        let mut runs = self.inner.runs.lock();
        let mut ended = Vec::new();
        for (id, active) in &mut runs.active {
            let event = events.remove(id).unwrap_or(Event::Tick);
            // A wall clock that was put back does not make a run longer.
            let at = if elapsed >= active.deadline { now.max(active.run.ends_at) } else { now };
            if active.step(event, at) {
                tracing::info!(run = %id, fault = %active.run.spec.fault, end = ?active.run.end, "ended");
                ended.push(*id);
            }
        }
        runs.take_out(&ended);
        for finished in &mut runs.ended {
            finished.counts = finished.counts.or_else(|| counted.get(&finished.run.id).copied());
        }
        self.announce_ended(&ended);
        drop(runs);
        self.inner.vitals.lock().ticked = Some(elapsed);
    }

    /// What the clients' reports mean for the active runs, and the counts of those whose last requests are through.
    fn look_at(
        &self,
        active: &[Arc<Run>],
        drained: &[RunId],
        now: Timestamp,
    ) -> (BTreeMap<RunId, Event>, BTreeMap<RunId, RunCounts>) {
        let limit = self.inner.options.max_blast_radius;
        let mut clients = self.inner.clients.lock();
        let events = events(active, &clients, limit, now);
        let counts = |id: &RunId| {
            let counts = clients.close_run(*id);
            (*id, counts.as_ref().map(RunCounts::of).unwrap_or_default())
        };
        let counted = drained.iter().map(counts).collect();
        clients.sweep(now);
        (events, counted)
    }

    /// Asks the store whether this server still leads; the time before asking is what counts.
    async fn confirm(&self) {
        if self.inner.confirming.swap(true, Ordering::AcqRel) {
            return;
        }
        let control = self.clone();
        let confirming = tokio::spawn(async move {
            let (now, asked) = (control.inner.clock.now(), control.inner.clock.elapsed());
            let holder = control.inner.holder.clone();
            let request = LeadershipRequest { name: "guard".to_owned(), holder, now, hold: LEADERSHIP_HOLD };
            let answer = control.inner.store.lead(request).await;
            let mut vitals = control.inner.vitals.lock();
            match answer {
                Ok(Leadership::Leader { .. }) => vitals.confirmed = Some(asked),
                Ok(Leadership::Follower { leader, .. }) => tracing::warn!(leader, "another server leads"),
                Err(error) => tracing::warn!(%error, "the store does not confirm that this server leads"),
            }
            drop(vitals);
            control.inner.confirming.store(false, Ordering::Release);
        });
        let _ = confirming.await;
    }

    /// Records what a failed store left to be recorded, unless a commit is under way.
    async fn record_if_idle(&self) {
        let idle = self.inner.writer.try_lock().is_ok();
        if idle && let Err(error) = self.record().await {
            tracing::error!(%error, "what happened could not be recorded; it is tried on");
        }
    }

    /// Has the store keep a halt that it failed to keep, unless it is being asked already.
    async fn keep_halt_if_idle(&self) {
        let wanted = self.inner.runs.lock().is_halt_to_keep() && self.inner.halt_writer.try_lock().is_ok();
        if wanted && let Err(error) = self.keep_halt().await {
            tracing::error!(error, "the halt would not outlive the server; it is tried on");
        }
    }
}

impl super::RunTable {
    /// The runs that ended long enough ago for their last requests to be through, and are still counted.
    fn drained(&self, now: Timestamp) -> Vec<RunId> {
        let counting = self.ended.iter().map(|finished| (&finished.run, finished.counts));
        let over = |run: &Run| run.end.as_ref().is_none_or(|end| now.duration_since(end.at) >= DRAIN);
        counting.filter(|(run, counts)| counts.is_none() && over(run)).map(|(run, _)| run.id).collect()
    }
}

/// What ends a run. A run that ends for its own sake is not counted against the others.
fn events(active: &[Arc<Run>], clients: &Clients, limit: Percentage, now: Timestamp) -> BTreeMap<RunId, Event> {
    let lost = active.iter().map(|run| (run.id, clients.lost(run.id, now)));
    let lost = lost.filter(|(_, lost)| *lost >= LOST_CLIENTS_MAX);
    let mut events: BTreeMap<_, _> = lost.map(|(run, clients)| (run, Event::ClientsLost { clients })).collect();
    let others = active.iter().filter(|run| !events.contains_key(&run.id));
    let counted: Vec<_> = others.filter_map(|run| Some((run.as_ref(), clients.run(run.id)?))).collect();
    let exceeding = exceeding(&counted, limit).into_iter();
    events.extend(exceeding.map(|(run, reason)| (run, Event::BlastRadiusExceeded { reason })));
    events
}
