//! The guard's tick: once a second it looks at every run.

use std::sync::atomic::Ordering;
use std::time::Duration;

use daybreak_guard::blast_radius::exceeded;
use daybreak_guard::clients::{Clients, LOST_CLIENTS_MAX};
use daybreak_guard::run::{Event, Run};
use daybreak_model::{Millis, Percentage};
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
        let store = async { tokio::join!(self.confirm(), self.record_if_idle(), self.keep_halt_if_idle()) };
        let _ = tokio::time::timeout(STORE_WAIT, store).await;
    }

    /// The part that waits for nothing.
    fn tick_guard(&self) {
        let (now, elapsed) = (self.inner.clock.now(), self.inner.clock.elapsed());
        let limit = self.inner.options.max_blast_radius;
        let mut runs = self.inner.runs.lock();
        let mut clients = self.inner.clients.lock();
        let mut ended = Vec::new();
        for active in runs.active.values_mut() {
            let event = event(&active.run, &clients, limit, now);
            // A wall clock that was put back does not make a run longer.
            let at = if elapsed >= active.deadline { now.max(active.run.ends_at) } else { now };
            if !active.run.step(event, at).is_empty() {
                tracing::info!(run = %active.run.id, fault = %active.run.spec.fault, end = ?active.run.end, "ended");
                ended.push(active.run.id);
            }
        }
        runs.take_out(&ended);
        for finished in runs.ended.iter_mut().filter(|finished| finished.counts.is_none()) {
            let over = finished.run.end.as_ref().is_none_or(|end| now.duration_since(end.at) >= DRAIN);
            if over {
                let counts = clients.close_run(finished.run.id);
                finished.counts = Some(counts.as_ref().map(RunCounts::of).unwrap_or_default());
            }
        }
        clients.sweep(now);
        drop(clients);
        self.announce_ended(&ended);
        drop(runs);
        self.inner.vitals.lock().ticked = Some(elapsed);
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

fn event(run: &Run, clients: &Clients, limit: Percentage, now: Timestamp) -> Event {
    let lost = clients.lost(run.id, now);
    if lost >= LOST_CLIENTS_MAX {
        return Event::ClientsLost { clients: lost };
    }
    let exceeded = clients.run(run.id).and_then(|counts| exceeded(run, counts, limit));
    exceeded.map_or(Event::Tick, |reason| Event::BlastRadiusExceeded { reason })
}
