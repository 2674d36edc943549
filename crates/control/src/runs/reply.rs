//! Reports, and the leases that they are answered with.

use daybreak_guard::clients::{Client, Reported, Stray};
use daybreak_guard::lease::{self, Conditions};
use daybreak_model::Millis;
use daybreak_model::limits::{REPORT_INTERVAL_ACTIVE, REPORT_INTERVAL_IDLE};
use daybreak_model::wire::{Reply, Report};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

use crate::{Control, Refusal};

impl Control {
    /// Takes a client's report in, and answers with what it may inject. It waits for nothing: neither for a
    /// commit nor for the store.
    ///
    /// # Errors
    /// When the client has seen another environment, or cannot be counted: it gets no lease.
    pub fn report(&self, report: &Report) -> Result<Reply, Refusal> {
        let inner = &self.inner;
        let (now, elapsed) = (inner.clock.now(), inner.clock.elapsed());
        if let Some(theirs) = report.environment.as_ref().filter(|seen| **seen != inner.options.environment) {
            return Err(Refusal::OtherEnvironment { ours: inner.options.environment.clone(), theirs: theirs.clone() });
        }
        let state = self.state();
        let sketches = state.sketches(&inner.holder);
        let (reported, grown, evaluated, strays, from_its_start) = {
            let mut clients = inner.clients.lock();
            clients.want_keys(&sketches);
            let reported = clients.report(report, now).map_err(Refusal::NotCounted)?;
            let from_its_start = clients.get(report.client).is_some_and(Client::is_known_from_its_start);
            (reported, clients.take_slos(), clients.take_evaluations(), clients.take_strays(), from_its_start)
        };
        strays.iter().for_each(log_stray);
        self.count_outcomes(&grown);
        if reported != Reported::Old {
            self.acknowledged(report, elapsed);
            self.count_evaluations(&evaluated, report, from_its_start);
            inner.reported.notify_waiters();
        }
        let vitals = inner.vitals.lock().clone();
        let (halted, active, counting) = {
            let runs = inner.runs.lock();
            (runs.halted(), runs.active().cloned().collect::<Vec<_>>(), runs.is_counting())
        };
        if reported != Reported::Old {
            self.look_soon(report, &active);
        }
        let conditions = Conditions {
            environment: &inner.options.environment,
            guard_ticked_at: on_wall(vitals.ticked, elapsed, now),
            leader_confirmed_at: on_wall(vitals.confirmed, elapsed, now),
            halted,
        };
        let may_grant = lease::may_grant(&conditions, report, now);
        let known = active.iter().map(Arc::as_ref).filter(|run| !report.unsupported.contains(&run.id));
        Ok(Reply {
            environment: inner.options.environment.clone(),
            position: self.position(),
            now,
            lease: if may_grant.is_ok() { inner.options.lease } else { Millis::ZERO },
            // What is awaited of a run that has ended is told as soon as of one that goes on.
            interval: if counting { REPORT_INTERVAL_ACTIVE } else { REPORT_INTERVAL_IDLE },
            halted,
            first: reported == Reported::First,
            runs: lease::grants(&conditions, known, report, now),
            stale_after: inner.options.stale_after,
            measures: state.measures(),
            sketches,
        })
    }
}

fn log_stray(stray: &Stray) {
    let Stray { client, service, run, strikes } = stray;
    tracing::error!(%client, service, %run, strikes, "a client struck for a run that is not open: it is told once of each run");
}

/// A moment on the clock that never goes back, as what the wall clock would have shown then, had nobody set it.
fn on_wall(at: Option<Duration>, elapsed: Duration, now: Timestamp) -> Option<Timestamp> {
    let age = SignedDuration::try_from(elapsed.saturating_sub(at?)).ok()?;
    now.checked_sub(age).ok()
}
