//! Fault points: where runs may strike, and what keeps them from striking.

mod counts;
mod fault_point;
mod injected;
mod leases;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use arc_swap::ArcSwap;
use daybreak_model::Key;
use daybreak_model::wire::{Enveloped, Reply, Report, RunSpec, RunsChanged};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::{BootTime, Clock};

pub use injected::{InjectedFault, Pass};

use counts::Counts;
use leases::{ActiveRun, Leases, Moment};

/// The part of a client that injects, and counts what it injects.
pub struct Faults {
    clock: Arc<dyn Clock>,
    leases: ArcSwap<Leases>,
    /// Writers of `leases`, one at a time.
    writing: Mutex<()>,
    /// Bumped whenever `leases` may mean less than before: wakes whoever sleeps for a fault.
    changed: watch::Sender<u64>,
    /// A report is wanted at once.
    wanted: Notify,
    allowed: AtomicBool,
    /// The points that this process permits; all, unless said.
    permitted: Option<Vec<Key>>,
    in_flight: Arc<AtomicU32>,
    counts: Counts,
}

impl Faults {
    /// The inert beginning: no lease, no runs.
    pub(crate) fn new(clock: Arc<dyn Clock>, allowed: bool, permitted: Option<Vec<Key>>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            leases: ArcSwap::default(),
            writing: Mutex::default(),
            changed: watch::Sender::new(0),
            wanted: Notify::new(),
            allowed: AtomicBool::new(allowed),
            permitted,
            in_flight: Arc::default(),
            counts: Counts::default(),
        })
    }

    /// The time from which the lease of a report that is sent now would count.
    pub(crate) fn now(&self) -> BootTime {
        self.clock.boot()
    }

    /// Takes in the reply to a report of our own that was sent at `sent`: the only source of leases.
    pub(crate) fn grant(&self, reply: &Reply, sent: BootTime) {
        let _writing = self.writing.lock();
        let before = self.leases.load();
        let granted = Moment::now(&*self.clock);
        let mut unsupported = Vec::new();
        let mut runs = Vec::new();
        for grant in &reply.runs {
            let known = before.runs.iter().find(|run| run.id == grant.id).map(|run| Arc::clone(&run.run));
            let compiled = known.or_else(|| grant.spec.as_ref().and_then(|spec| compile(grant.id, spec)));
            match compiled {
                Some(run) => runs.push(ActiveRun::new(grant, run)),
                None => unsupported.push(grant.id),
            }
        }
        let halted = reply.halted || reply.lease.get() == 0;
        let runs = if halted { Vec::new() } else { runs };
        self.leases.store(Arc::new(Leases { until: sent.after(reply.lease), granted, runs, unsupported }));
        self.wake();
    }

    /// Takes in news of the stream: stops act on arrival, starts only ask for a report.
    pub(crate) fn runs_changed(&self, news: &RunsChanged) {
        if news.halted || !news.ended.is_empty() {
            let _writing = self.writing.lock();
            let mut leases = Leases::clone(&self.leases.load());
            leases.runs.retain(|run| !news.halted && !news.ended.contains(&run.id));
            self.leases.store(Arc::new(leases));
            self.wake();
        }
        if news.halted || !news.started.is_empty() || !news.ended.is_empty() {
            self.wanted.notify_one();
        }
    }

    /// Waits until a report is wanted at once.
    pub(crate) fn wants_report(&self) -> impl Future<Output = ()> + '_ {
        self.wanted.notified()
    }

    /// Adds what is known of points, draws and strikes to a report.
    pub(crate) fn fill(&self, report: &mut Report) {
        let leases = self.leases.load();
        report.runs = leases.runs.iter().map(|run| run.id).collect();
        report.unsupported.clone_from(&leases.unsupported);
        report.faults.allowed = self.allowed.load(Ordering::Relaxed);
        report.faults.in_flight = self.in_flight.load(Ordering::Relaxed);
        self.counts.fill(report);
        for (point, counts) in &mut report.points {
            counts.permitted = self.permits(point);
        }
    }

    /// Stops all injection in this process, until [`Faults::resume`].
    pub(crate) fn halt(&self) {
        self.allowed.store(false, Ordering::SeqCst);
        self.wake();
        self.wanted.notify_one();
    }

    /// Permits injection again; whether anything strikes is up to the leases.
    pub(crate) fn resume(&self) {
        self.allowed.store(true, Ordering::SeqCst);
        self.wanted.notify_one();
    }

    /// A root request begins; the name under which it is counted.
    pub(crate) fn operation_begins(&self, operation: &str) -> Box<str> {
        self.counts.operation_begins(operation)
    }

    /// A root request ends.
    pub(crate) fn operation_ends(&self, operation: &str) {
        self.counts.operation_ends(operation);
    }

    fn permits(&self, point: &Key) -> bool {
        self.permitted.as_ref().is_none_or(|permitted| permitted.contains(point))
    }

    fn wake(&self) {
        self.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

fn compile(id: daybreak_model::RunId, spec: &Enveloped) -> Option<Arc<daybreak_engine::Run>> {
    let spec: Result<RunSpec, _> = spec.decode();
    let spec = spec.inspect_err(|error| tracing::warn!(run = %id, %error, "a run that this SDK cannot act on")).ok()?;
    let run = daybreak_engine::Run::compile(id, spec);
    run.inspect_err(|error| tracing::warn!(run = %id, %error, "a run that this SDK cannot act on")).ok().map(Arc::new)
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults")
            .field("allowed", &self.allowed)
            .field("runs", &self.leases.load().runs.len())
            .finish_non_exhaustive()
    }
}
