//! The guard's tick: once a second it looks at every run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daybreak_guard::blast_radius::exceeding;
use daybreak_guard::clients::{Clients, LOST_CLIENTS_MAX};
use daybreak_guard::run::{Effect, Event, Run};
use daybreak_guard::watch::Sight;
use daybreak_model::wire::{Message, RunsChanged};
use daybreak_model::{EventKind, Millis, Percentage, RunId};
use daybreak_store::{self as store, Leadership, LeadershipRequest};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::conclude::Conclusion;
use super::guarding::last_reports;
use crate::Control;

/// How long a tick waits for the store. The next tick comes all the same.
const STORE_WAIT: Duration = Duration::from_millis(500);
/// How long a leadership holds without being confirmed.
const LEADERSHIP_HOLD: Millis = Millis::from_secs(10);
/// How long after a run's end its last requests are counted.
const DRAIN: SignedDuration = SignedDuration::from_secs(30);

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
                self.tend_schedules(),
                self.tend_lives()
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
        let (mut events, concluded) = self.look_at(&active, &drained, now);
        drop((active, drained));
        let mut runs = self.inner.runs.lock();
        let (mut ended, mut grown) = (Vec::new(), Vec::new());
        for (id, active) in &mut runs.active {
            let event = events.remove(id).unwrap_or(Event::Tick);
            // A wall clock that was put back does not make a run longer.
            let at = if elapsed >= active.deadline { now.max(active.run.ends_at) } else { now };
            match active.step(event, at).first() {
                Some(Effect::AnnounceStage) => grown.push(*id),
                Some(_) => {
                    tracing::info!(run = %id, fault = %active.run.spec.fault, end = ?active.run.end, "ended");
                    ended.push(*id);
                }
                None => {}
            }
        }
        runs.take_out(&ended);
        for (id, conclusion) in &concluded {
            tracing::info!(run = %id, verdict = ?conclusion.finding.verdict, "concluded");
            runs.keep_conclusion(*id, conclusion, now);
        }
        self.announce_ended(&ended);
        self.announce_stages(grown);
        drop(runs);
        self.inner.vitals.lock().ticked = Some(elapsed);
    }

    /// What clients' reports, budgets and people mean for the active runs, and what those showed whose last requests are
    /// through.
    fn look_at(
        &self,
        active: &[Arc<Run>],
        drained: &[Arc<Run>],
        now: Timestamp,
    ) -> (BTreeMap<RunId, Event>, Vec<(RunId, Conclusion)>) {
        let limit = self.inner.options.max_blast_radius;
        let budgets = self.sights(active, now);
        let mut clients = self.inner.clients.lock();
        let mut events = events(active, &clients, limit, now);
        let (silent, last) = (clients.silent(now), last_reports(&clients));
        let mut watches = self.inner.watches.lock();
        for run in active {
            let known = budgets.get(&run.id);
            let sight = Sight {
                now,
                counts: clients.run(run.id),
                silent: &silent,
                over: false,
                last_report: last.get(&run.id).copied(),
                budget: known.map(|(budget, _)| *budget),
                pages: known.map(|(_, pages)| *pages).unwrap_or_default(),
            };
            if let Some(event) = watches.entry(run.id).or_default().look(run, &sight) {
                events.entry(run.id).or_insert(event);
            }
        }
        drop(watches);
        let concluded = self.conclude(drained, &mut clients, now);
        clients.sweep(now);
        (events, concluded)
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
    fn drained(&self, now: Timestamp) -> Vec<Arc<Run>> {
        let counting = self.ended.iter().filter(|finished| finished.counts.is_none()).map(|finished| &finished.run);
        let over = |run: &&Arc<Run>| run.end.as_ref().is_none_or(|end| now.duration_since(end.at) >= DRAIN);
        counting.filter(over).cloned().collect()
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
