//! Looking at runs: what clients' reports, budgets and people mean for them. The guard does so at each tick, and as soon as
//! clients have reported of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use daybreak_guard::blast_radius::exceeding;
use daybreak_guard::clients::{Clients, LOST_CLIENTS_MAX};
use daybreak_guard::run::{Event, Run};
use daybreak_model::wire::Report;
use daybreak_model::{InstanceId, Percentage, RunId};
use jiff::Timestamp;
use tokio::time::Instant;

use super::guarding::sight;
use crate::Control;

/// How soon after a look reports lead to another: however many clients there are, looking stays cheap.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The runs of which clients have reported since they were looked at.
#[derive(Debug, Default)]
pub(crate) struct Due {
    runs: BTreeSet<RunId>,
    /// Somebody looks at them, or will.
    looking: bool,
    looked: Option<Instant>,
}

impl Due {
    /// All of them are looked at now.
    pub(super) fn look_at_all(&mut self) {
        self.runs.clear();
        self.looked = Some(Instant::now());
    }

    #[cfg(test)]
    pub(super) const fn is_looking(&self) -> bool {
        self.looking
    }

    /// Which are to be looked at now; if there are none, nobody looks any more.
    fn take(&mut self) -> Option<BTreeSet<RunId>> {
        self.looking = !self.runs.is_empty();
        self.looking.then(|| {
            self.looked = Some(Instant::now());
            std::mem::take(&mut self.runs)
        })
    }
}

impl Control {
    /// Has the active runs looked at of which a report tells: at once, unless they were a moment ago.
    pub(super) fn look_soon(&self, report: &Report, active: &[Arc<Run>]) {
        if report.arms.is_empty() || active.is_empty() {
            return;
        }
        let told: BTreeSet<RunId> = report.arms.iter().map(|arms| arms.run).collect();
        let mut due = self.inner.due.lock();
        due.runs.extend(active.iter().map(|run| run.id).filter(|run| told.contains(run)));
        if !due.runs.is_empty() && !std::mem::replace(&mut due.looking, true) {
            let control = self.clone();
            self.inner.runtime.spawn(async move { control.look_at_due().await });
        }
    }

    async fn look_at_due(&self) {
        loop {
            let looked = self.inner.due.lock().looked;
            if let Some(looked) = looked {
                tokio::time::sleep_until(looked + LOOK_EVERY).await;
            }
            let Some(due) = self.inner.due.lock().take() else { return };
            let now = self.inner.clock.now();
            let active: Vec<_> = self.inner.runs.lock().active().cloned().collect();
            let mut events = self.look_at(&active, |run| due.contains(&run), now);
            if !events.is_empty() && self.step(&mut self.inner.runs.lock(), |run| events.remove(&run), now) {
                // Looking does not wait for the store.
                let control = self.clone();
                tokio::spawn(async move { control.record_if_idle().await });
            }
        }
    }

    /// What ends active runs, of those that are due; and of all of them, where too much is struck or clients are lost. Who
    /// reports waits only while the counts are copied.
    pub(super) fn look_at(
        &self,
        active: &[Arc<Run>],
        is_due: impl Fn(RunId) -> bool,
        now: Timestamp,
    ) -> BTreeMap<RunId, Event> {
        let due = || active.iter().filter(|run| is_due(run.id));
        let mut budgets = self.sights(due(), now);
        let (mut events, sights) = {
            let clients = self.inner.clients.lock();
            let silent = clients.silent(now);
            let sights: Vec<_> = due().map(|run| (run, sight(run, &clients, &silent, (now, false)))).collect();
            (events(active, &clients, &silent, self.inner.options.max_blast_radius, now), sights)
        };
        let mut watches = self.inner.watches.lock();
        for (run, mut sight) in sights {
            if let Some((budget, people)) = budgets.remove(&run.id) {
                (sight.budget, sight.people) = (Some(budget), people);
            }
            if let Some(event) = watches.entry(run.id).or_default().look(run, &sight) {
                events.entry(run.id).or_insert(event);
            }
        }
        events
    }
}

/// What ends a run. A run that ends for its own sake is not counted against the others.
fn events(
    active: &[Arc<Run>],
    clients: &Clients,
    silent: &BTreeSet<InstanceId>,
    limit: Percentage,
    now: Timestamp,
) -> BTreeMap<RunId, Event> {
    let lost = active.iter().map(|run| (run.id, clients.lost(run.id, silent, now)));
    let lost = lost.filter(|(_, lost)| *lost >= LOST_CLIENTS_MAX);
    let mut events: BTreeMap<_, _> = lost.map(|(run, clients)| (run, Event::ClientsLost { clients })).collect();
    let others = active.iter().filter(|run| !events.contains_key(&run.id));
    let counted: Vec<_> = others.filter_map(|run| Some((run.as_ref(), clients.run(run.id)?))).collect();
    let exceeding = exceeding(&counted, limit).into_iter();
    events.extend(exceeding.map(|(run, reason)| (run, Event::BlastRadiusExceeded { reason })));
    events
}
