//! Stopping: it waits for nothing.

use std::sync::Arc;

use daybreak_guard::run::{Event, Run};
use daybreak_model::wire::Position;
use daybreak_model::{Kind, RunId};
use serde::Serialize;

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
        let ended = self.end_where(|run| (run.spec.fault.as_str() == fault).then(event));
        if ended.is_empty() {
            let state = self.state();
            if !starting && !state.resources().faults.contains_key(fault) {
                return Err(not_found(state.resources(), Kind::Fault, fault));
            }
            return Ok(Stopped { position: state.position(), changed: starting, ended });
        }
        tracing::info!(fault, actor = actor.name, "stopped");
        if let Some(reason) = reason.await {
            self.inner.runs.lock().explain(&ended, &reason);
        }
        match self.record_soon().await {
            Ok(()) => Ok(Stopped { position: self.position(), changed: true, ended }),
            Err(why) => Err(Refusal::StoppedNotRecorded { runs: ended, why }),
        }
    }
}

impl super::RunTable {
    /// Writes down why runs ended, after they have. What was recorded meanwhile without it is recorded once more.
    pub(super) fn explain(&mut self, ended: &[RunId], reason: &str) {
        let unexplained =
            |run: &Run| ended.contains(&run.id) && run.end.as_ref().is_some_and(|end| end.reason.is_none());
        self.pending.retain(|_, pending| !pending.run.as_ref().is_some_and(|run| unexplained(run)));
        let mut explained = Vec::new();
        for finished in self.ended.iter_mut().filter(|finished| unexplained(&finished.run)) {
            if let Some(end) = Arc::make_mut(&mut finished.run).end.as_mut() {
                end.reason = Some(reason.to_owned());
            }
            explained.push(Arc::clone(&finished.run));
        }
        explained.iter().for_each(|run| self.push_ended(run));
    }

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
