//! Stopping: it waits for nothing.

use daybreak_guard::run::Event;
use daybreak_model::wire::Position;
use daybreak_model::{Kind, RunId};
use serde::Serialize;

use super::reason::HeldBack;
use crate::control::not_found;
use crate::{Actor, Control, Refusal};

/// What a stop did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// Where the server stands after it.
    pub position: Position,
    /// Whether anything was stopped; if not, there is no revision.
    pub changed: bool,
    /// The runs that it ended.
    pub ended: Vec<RunId>,
}

impl Control {
    /// Stops the runs of a fault, and a start of it that is under way. Clients are told before anything else
    /// happens; then it is recorded. It works for a fault that is gone, and while the server shuts down.
    ///
    /// # Errors
    /// When there is no such fault, and no run of it. [`Refusal::StoppedNotRecorded`] when the store fails or
    /// takes too long: it is stopped all the same.
    pub async fn stop(&self, fault: &str, actor: Actor) -> Result<Stopped, Refusal> {
        self.stop_first(fault, actor, std::future::ready(None)).await
    }

    /// The same, for a reason that may come after the deed: it is stopped before `reason` is waited for, and recorded
    /// after. None leaves the actor's own.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub async fn stop_first(
        &self,
        fault: &str,
        actor: Actor,
        reason: impl Future<Output = Option<String>>,
    ) -> Result<Stopped, Refusal> {
        let starting = self.inner.runs.lock().stop_starting(|key| key.as_str() == fault);
        let event = || Event::Stop { actor: actor.name.clone(), reason: actor.reason.clone() };
        let (ended, held) = self.end_and_hold(|run| (run.spec.fault.as_str() == fault).then(event));
        if ended.is_empty() {
            let state = self.state();
            if !starting && !state.resources().faults.contains_key(fault) {
                return Err(not_found(state.resources(), Kind::Fault, fault));
            }
            // Nothing is recorded, but what comes with the reason counts: whether somebody waits.
            let _ = reason.await;
            return Ok(Stopped { position: state.position(), changed: starting, ended });
        }
        tracing::info!(fault, actor = actor.name, "stopped");
        self.record_stopped(ended, held, reason).await
    }

    /// Stops one run, and nothing else of its fault: at once, as [`stop_first`](Self::stop_first) does.
    ///
    /// # Errors
    /// When there is no such run; and as [`stop`](Self::stop).
    pub async fn stop_run_first(
        &self,
        id: RunId,
        actor: Actor,
        reason: impl Future<Output = Option<String>>,
    ) -> Result<Stopped, Refusal> {
        let event = || Event::Stop { actor: actor.name.clone(), reason: actor.reason.clone() };
        let (ended, held) = self.end_and_hold(|run| (run.id == id).then(event));
        if ended.is_empty() {
            // Not by looking at the run: that would wait for whoever looks at the clients.
            if !self.inner.runs.lock().ended.iter().any(|finished| finished.run.id == id) {
                return Err(Refusal::NotFound { noun: "run", key: id.to_string(), nearest: None });
            }
            let _ = reason.await;
            return Ok(Stopped { position: self.position(), changed: false, ended });
        }
        tracing::info!(run = %id, actor = actor.name, "stopped");
        self.record_stopped(ended, held, reason).await
    }

    async fn record_stopped(
        &self,
        ended: Vec<RunId>,
        held: HeldBack,
        reason: impl Future<Output = Option<String>>,
    ) -> Result<Stopped, Refusal> {
        held.explain(reason.await.as_deref());
        match self.record_soon().await {
            Ok(()) => Ok(Stopped { position: self.position(), changed: true, ended }),
            Err(why) => Err(Refusal::StoppedNotRecorded { runs: ended, why }),
        }
    }
}

impl super::RunTable {
    /// Marks the starts of some faults that are under way as stopped; whether there were any.
    pub(crate) fn stop_starting(&mut self, which: impl Fn(&daybreak_model::Key) -> bool) -> bool {
        let mut found = false;
        for starting in self.starting.values_mut().filter(|starting| which(&starting.fault)) {
            starting.stopped = true;
            found = true;
        }
        found
    }
}
