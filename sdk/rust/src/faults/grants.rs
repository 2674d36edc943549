//! Which runs this client may act on: only what the reply to its own report grants.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use daybreak_engine::Run;
use daybreak_model::wire::{ArmCounts, Enveloped, Reply, RunGrant, RunSpec, RunsChanged};
use daybreak_model::{Effect, RunId};

use super::Faults;
use super::clock::Moment;
use super::lease::Lease;
use super::run::ActiveRun;

/// Ended runs whose last counts are still reported, and whose identifiers are remembered.
const ENDED_COUNTS_MAX: usize = 256;
const ENDED_IDS_MAX: usize = 1_024;
/// How long the counts of an ended run are reported: the server counts for 30 s after its end.
const ENDED_COUNTS_KEPT: Duration = Duration::from_secs(90);

/// The runs, by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    active: BTreeMap<RunId, Arc<ActiveRun>>,
    unsupported: BTreeSet<RunId>,
    /// The counts of the last runs that ended: late requests may still add to them.
    ended: VecDeque<EndedRun>,
    /// What was announced to have ended is never granted again, whatever a late reply says.
    ended_ids: VecDeque<RunId>,
    /// When the report of the newest reply was sent.
    newest: Option<Moment>,
    /// Replies to reports sent no later than this grant nothing: everything was halted since.
    halted_at: Option<Moment>,
}

/// A run that ended here, and when that was first reported, on the monotonic clock.
#[derive(Debug)]
struct EndedRun {
    run: Arc<ActiveRun>,
    reported: Option<Duration>,
}

impl Grants {
    /// Forgets the runs whose counts were reported for long enough after their end.
    pub(crate) fn forget_ended(&mut self, now: Duration) {
        self.ended.retain_mut(|ended| {
            let since = *ended.reported.get_or_insert(now);
            now.saturating_sub(since) < ENDED_COUNTS_KEPT
        });
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = &Arc<ActiveRun>> {
        self.active.values()
    }

    /// The runs whose requests may still be open.
    pub(crate) fn counting(&self) -> impl Iterator<Item = &Arc<ActiveRun>> {
        self.ended.iter().map(|ended| &ended.run).chain(self.active.values())
    }

    pub(crate) fn known(&self) -> Vec<RunId> {
        self.active.keys().copied().collect()
    }

    pub(crate) fn unsupported(&self) -> Vec<RunId> {
        self.unsupported.iter().copied().collect()
    }

    /// Those of active runs first, and of ended ones the younger the sooner.
    pub(crate) fn arm_counts(&self) -> Vec<ArmCounts> {
        let ended = self.ended.iter().rev().map(|ended| &ended.run);
        self.active.values().chain(ended).flat_map(|run| run.arm_counts()).collect()
    }

    /// Ends a run for good: it was announced.
    fn end(&mut self, id: RunId) {
        if !self.ended_ids.contains(&id) {
            keep(&mut self.ended_ids, id, ENDED_IDS_MAX);
        }
        self.retire(id);
    }

    /// Ends a run here, until a later reply lists it again.
    fn retire(&mut self, id: RunId) {
        self.unsupported.remove(&id);
        if let Some(run) = self.active.remove(&id) {
            run.end();
            keep(&mut self.ended, EndedRun { run, reported: None }, ENDED_COUNTS_MAX);
        }
    }

    fn end_all(&mut self) {
        let all: Vec<_> = self.active.keys().chain(&self.unsupported).copied().collect();
        all.into_iter().for_each(|id| self.end(id));
    }

    /// Takes in what a reply grants.
    fn take(&mut self, reply: &Reply, sent: Moment) {
        let late = |moment: Option<Moment>| moment.is_some_and(|moment| sent.boot < moment.boot);
        if late(self.newest) {
            return;
        }
        self.newest = Some(sent);
        if reply.halted {
            self.end_all();
        }
        if reply.halted || self.halted_at.is_some_and(|halted| sent.boot <= halted.boot) {
            return;
        }
        let listed: BTreeSet<_> = reply.runs.iter().map(|grant| grant.id).collect();
        let gone: Vec<_> = self.active.keys().chain(&self.unsupported).filter(|id| !listed.contains(id)).collect();
        let gone: Vec<_> = gone.into_iter().copied().collect();
        gone.into_iter().for_each(|id| self.retire(id));
        for grant in &reply.runs {
            if !self.ended_ids.contains(&grant.id) {
                self.grant(grant, Lease::new(grant, reply.lease.to_duration(), sent));
            }
        }
    }

    fn grant(&mut self, grant: &RunGrant, lease: Lease) {
        if let Some(run) = self.active.get(&grant.id) {
            return run.renew(lease);
        }
        if let Some(known) = self.ended.iter().position(|ended| ended.run.id() == grant.id) {
            // Its counts go on where they were: they are cumulative.
            if let Some(EndedRun { run, .. }) = self.ended.remove(known) {
                run.revive(lease);
                self.active.insert(grant.id, run);
            }
            return;
        }
        let Some(spec) = &grant.spec else { return };
        match compile(grant.id, spec) {
            Ok(run) => {
                self.unsupported.remove(&grant.id);
                self.active.insert(grant.id, Arc::new(ActiveRun::new(run, lease)));
            }
            Err(why) => {
                if self.unsupported.insert(grant.id) {
                    tracing::warn!(run = %grant.id, why, "a run that this client cannot act on, and ignores");
                }
            }
        }
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    if queue.len() == max {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// Compiles a run's specification. What this version does not know in full, it does not act on at all.
fn compile(id: RunId, spec: &Enveloped) -> Result<Run, String> {
    let run: RunSpec = spec.decode().map_err(|error| error.to_string())?;
    if run.effect == Effect::default() {
        return Err("it has no effect that is known here".to_owned());
    }
    if let Some(unknown) = unknown_effect(spec) {
        return Err(format!("its effect `{unknown}` is not known here"));
    }
    let whole_process = ["http.server", "http.client"].contains(&run.point.as_str());
    if whole_process && run.operation.is_none() && run.host.is_none() {
        return Err(format!("a fault on `{}` must name an operation or a host", run.point));
    }
    Run::compile(id, run).map_err(|error| error.to_string())
}

fn unknown_effect(spec: &Enveloped) -> Option<String> {
    let json: serde_json::Value = spec.decode().ok()?;
    let names = json.get("effect")?.as_object()?.keys();
    names.into_iter().find(|name| !Effect::PARTS.contains(&name.as_str())).cloned()
}

impl Faults {
    /// Takes in the reply to a report that was sent at this moment. A run that it does not list ends here, as
    /// does everything where it says halted. The reply must come from the environment that this client knows.
    pub fn grant(&self, reply: &Reply, sent: Moment) {
        self.0.measures.set(&reply.measures);
        self.0.operations.sketches().set(&reply.sketches, |point| Some(self.0.points.get(point.as_str())?.index));
        self.change(|grants| grants.take(reply, sent));
    }

    /// Takes in what the stream says of runs. Ends act now; starts only make this client report soon.
    pub fn runs_changed(&self, changed: &RunsChanged) {
        if changed.halted || !changed.ended.is_empty() {
            let now = self.now();
            self.change(|grants| {
                changed.ended.iter().for_each(|id| grants.end(*id));
                if changed.halted {
                    grants.end_all();
                    grants.halted_at = Some(now);
                }
            });
        }
        // Either way the server waits to hear of it: that it has stopped, or to grant the lease.
        if changed.halted || !changed.ended.is_empty() || !changed.started.is_empty() {
            self.0.wish.within(changed.jitter.to_duration());
        }
    }

    /// Disarms points whose runs lost their lease, and wakes those who wait in them.
    pub(super) fn disarm_lapsed(&self) {
        let now = self.now();
        let lapsed = |run: &&Arc<ActiveRun>| run.left(now).is_none();
        self.change(|grants| grants.active().filter(lapsed).for_each(|run| run.wake.notify_waiters()));
    }

    /// Changes the grants, arms the points accordingly, and wakes whoever waits in a run that ended.
    fn change(&self, change: impl FnOnce(&mut Grants)) {
        let mut grants = self.0.grants.lock();
        change(&mut grants);
        let now = self.now();
        for point in self.0.points.all() {
            point.arm(grants.active(), now);
        }
        self.set_elsewhere(&grants);
        drop(grants);
        self.wake_threads();
    }

    /// Tells apart, under the grants' lock, the runs whose points are here from the others.
    pub(super) fn set_elsewhere(&self, grants: &Grants) {
        self.0.elsewhere.set(grants.active(), |point| self.0.points.get(point).is_some());
    }

    /// The runs that still hold their lease, and for how long.
    #[must_use]
    pub fn leases(&self) -> Vec<(RunId, Duration)> {
        let now = self.now();
        self.0.grants.lock().active().filter_map(|run| Some((run.id(), run.left(now)?))).collect()
    }
}
