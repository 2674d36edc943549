//! The guard's tick: once a second it looks at every run.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daybreak_guard::clients::Clients;
use daybreak_guard::run::{Effect, Event, Run};
use daybreak_model::wire::{Message, RunsChanged};
use daybreak_model::{EventKind, Millis, RunId};
use daybreak_store::{self as store, Leadership, LeadershipRequest};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::RunTable;
use crate::Control;

/// How long a tick waits for the store. The next tick comes all the same.
const STORE_WAIT: Duration = Duration::from_millis(500);
/// How long a leadership holds without being confirmed.
const LEADERSHIP_HOLD: Millis = Millis::from_secs(10);
/// How long after a run's end its last requests are counted, at most and at least.
const DRAIN: SignedDuration = SignedDuration::from_secs(30);
const DRAIN_MIN: SignedDuration = SignedDuration::from_secs(5);

impl Control {
    /// Looks at every run, and ends those that must not go on; then confirms the leadership, records what is still to
    /// be recorded, and starts what is scheduled for now. To be called once a second: without it, no lease is granted.
    pub async fn tick(&self) {
        self.tick_guard();
        let store = async {
            tokio::join!(
                self.confirm(),
                self.record_if_idle(),
                self.keep_halt_if_idle(),
                self.tend_tokens(),
                self.tend_budgets(),
                self.tend_evidence(),
                self.tend_schedules(),
                self.tend_lives()
            )
        };
        let _ = tokio::time::timeout(STORE_WAIT, store).await;
    }

    /// The part that waits for nothing. What it looks at, it looks at without the runs' lock, which a stop needs.
    pub(super) fn tick_guard(&self) {
        let (now, elapsed) = (self.inner.clock.now(), self.inner.clock.elapsed());
        let (active, ended, mut draining) = {
            let runs = self.inner.runs.lock();
            (runs.active().cloned().collect::<Vec<_>>(), runs.ended_and_counting(), runs.draining(now))
        };
        self.inner.due.lock().look_at_all();
        let mut events = self.look_at(&active, |_| true, now);
        let concluded = {
            let mut clients = self.inner.clients.lock();
            for (id, ended) in ended {
                clients.end_run(id, ended);
            }
            draining.retain(|run| is_drained(run, &clients, now));
            let concluded = self.conclude(&draining, &mut clients, now);
            clients.sweep(now);
            concluded
        };
        drop((active, draining));
        let mut runs = self.inner.runs.lock();
        self.step(&mut runs, |id| Some(events.remove(&id).unwrap_or(Event::Tick)), now);
        for (id, conclusion) in &concluded {
            tracing::info!(run = %id, verdict = conclusion.verdict(), why = conclusion.sentence, "concluded");
            runs.keep_conclusion(*id, conclusion, now);
        }
        drop(runs);
        self.inner.vitals.lock().ticked = Some(elapsed);
    }

    /// Has the active runs take in what there is for them, and tells clients of those that have ended or grown; whether any
    /// has ended.
    pub(super) fn step(
        &self,
        runs: &mut RunTable,
        mut event: impl FnMut(RunId) -> Option<Event>,
        now: Timestamp,
    ) -> bool {
        let elapsed = self.inner.clock.elapsed();
        let (mut ended, mut grown) = (Vec::new(), Vec::new());
        for (id, active) in &mut runs.active {
            let Some(event) = event(*id) else { continue };
            // A wall clock that was put back does not make a run longer.
            let at = if elapsed >= active.deadline { now.max(active.run.ends_at) } else { now };
            match active.step(event, at).first() {
                Some(Effect::AnnounceStage) => grown.push(*id),
                Some(_) => {
                    log_end(&active.run);
                    ended.push(*id);
                }
                None => {}
            }
        }
        runs.take_out(&ended);
        self.announce_ended(&ended);
        self.announce_stages(grown);
        !ended.is_empty()
    }

    /// Has clients report, and so get leave for the next stage.
    fn announce_stages(&self, grown: Vec<RunId>) {
        if !grown.is_empty() {
            self.inner.hub.send(&Message::Runs(RunsChanged { started: grown, ..RunsChanged::default() }));
        }
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
            match answer {
                Ok(Leadership::Leader { .. }) => control.inner.vitals.lock().confirmed = Some(asked),
                Ok(Leadership::Follower { leader, .. }) => tracing::warn!(leader, "another server leads"),
                Err(error) => tracing::warn!(%error, "the store does not confirm that this server leads"),
            }
            control.record_failure().await;
            control.inner.confirming.store(false, Ordering::Release);
        });
        let _ = confirming.await;
    }

    /// Tries whether a store that failed works again: then the log tells of it, and the server is ready.
    async fn record_failure(&self) {
        let why = {
            let mut vitals = self.inner.vitals.lock();
            vitals.store_failed = self.inner.store.failure().or(vitals.store_failed.take());
            vitals.store_failed.clone()
        };
        let Some(why) = why else { return };
        let (at, data) = (self.inner.clock.now(), json!({ "why": why }));
        let kind = EventKind::StoreFailed.into();
        let event = store::Event { at, kind, subject: None, actor: None, reason: None, data };
        if self.inner.store.append(vec![event]).await.is_ok() {
            self.inner.vitals.lock().store_failed = None;
            tracing::info!("the store works again");
            self.tell_followers();
        }
    }

    /// Records what a failed store left to be recorded, unless a commit is under way.
    pub(super) async fn record_if_idle(&self) {
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

fn log_end(run: &Run) {
    if let Some(end) = &run.end {
        let (fault, ended, why) = (&run.spec.fault, end.ended, end.reason.as_deref());
        tracing::info!(run = %run.id, %fault, %ended, why, "ended");
    }
}

impl RunTable {
    /// The runs that have ended, with when, and are still counted.
    fn ended_and_counting(&self) -> Vec<(RunId, Timestamp)> {
        let counting = self.ended.iter().filter(|finished| finished.counts.is_none());
        counting.filter_map(|finished| Some((finished.run.id, finished.run.end.as_ref()?.at))).collect()
    }

    /// The runs that ended some time ago, and are still counted. One whose end waits for its reason waits too: its end is
    /// recorded before what it showed, and neither takes the other's place.
    fn draining(&self, now: Timestamp) -> Vec<Arc<Run>> {
        let counting = self.ended.iter().filter(|finished| finished.counts.is_none()).map(|finished| &finished.run);
        let counting = counting.filter(|run| !self.is_held_back(run.id));
        counting.filter(|run| since_end(run, now).is_none_or(|since| since >= DRAIN_MIN)).cloned().collect()
    }
}

/// Whether the last requests of a run that has ended are through, or have had their time.
fn is_drained(run: &Run, clients: &Clients, now: Timestamp) -> bool {
    let through = || run.end.as_ref().is_some_and(|end| clients.is_through(run.id, (run.started_at, end.at), now));
    since_end(run, now).is_none_or(|since| since >= DRAIN) || through()
}

fn since_end(run: &Run, now: Timestamp) -> Option<SignedDuration> {
    run.end.as_ref().map(|end| now.duration_since(end.at))
}
