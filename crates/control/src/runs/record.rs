//! Recording what has already happened: the ends of runs, halts and lifts.

use std::time::Duration;

use daybreak_guard::run;
use daybreak_guard::run::Run;
use daybreak_model::RunId;
use daybreak_model::wire::{Message, RunsChanged};
use daybreak_store::{Change, Document, Expected};
use std::sync::Arc;

use crate::{Control, Refusal};

/// How long an answer waits for the store to record what has already happened.
pub(crate) const RECORD_WAIT: Duration = Duration::from_secs(2);

/// What a commit is to record, to be forgotten once it has.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    numbers: Vec<u64>,
    ended: Vec<RunId>,
    forgotten: Vec<RunId>,
}

impl Control {
    /// Ends the runs for which there is an event that ends them, and tells clients at once. To be recorded
    /// after.
    pub(crate) fn end_where(&self, event: impl Fn(&Run) -> Option<run::Event>) -> Vec<RunId> {
        let mut runs = self.inner.runs.lock();
        let ended = runs.end_where(self.inner.clock.now(), event);
        self.announce_ended(&ended);
        ended
    }

    /// Tells clients that runs ended. The caller holds the runs' lock, so that no start is announced after the
    /// end of the same run.
    pub(super) fn announce_ended(&self, ended: &[RunId]) {
        if !ended.is_empty() {
            self.inner.hub.send(&Message::Runs(RunsChanged { ended: ended.to_vec(), ..RunsChanged::default() }));
        }
    }

    /// Adds what is still to be recorded to a change.
    pub(crate) fn pending(&self, change: &mut Change) -> Recording {
        let mut recording = Recording::default();
        self.add_pending(change, &mut recording);
        recording
    }

    /// Adds what is still to be recorded to a change, unless one that is committed with it has that already.
    pub(crate) fn add_pending(&self, change: &mut Change, recording: &mut Recording) {
        let (pending, forgotten) = {
            let runs = self.inner.runs.lock();
            let held = runs.pending.values().any(|one| one.held);
            let pending = runs.pending.iter().filter(|(_, one)| !one.held);
            let pending = pending.filter(|(number, _)| !recording.numbers.contains(number));
            // A run is not forgotten before its end is recorded.
            let forgotten = runs.forgotten.iter().filter(|id| !held && !recording.forgotten.contains(id));
            (
                pending.map(|(number, one)| (*number, one.clone())).collect::<Vec<_>>(),
                forgotten.copied().collect::<Vec<_>>(),
            )
        };
        for (number, pending) in pending {
            recording.numbers.push(number);
            change.events.push(pending.event);
            // None of a run's parts lacks a JSON form.
            let document = pending.run.map(|run| (run.id, Document::of(&*run).ok()));
            if let Some((id, document)) = document {
                change.runs.insert(id, document);
                recording.ended.push(id);
            }
        }
        change.runs.extend(forgotten.iter().map(|id| (*id, None)));
        recording.forgotten.extend(forgotten);
    }

    /// Forgets what has been recorded.
    pub(crate) fn recorded(&self, recording: &Recording) {
        let mut runs = self.inner.runs.lock();
        recording.numbers.iter().for_each(|number| drop(runs.pending.remove(number)));
        runs.forgotten.retain(|id| !recording.forgotten.contains(id));
    }

    /// Records everything that is still to be recorded, when it is its turn to commit. It is done to the end,
    /// also when nobody waits for it any more.
    pub(crate) async fn record(&self) -> Result<(), Refusal> {
        let control = self.clone();
        let recording = tokio::spawn(async move {
            let _writer = control.inner.writer.lock().await;
            control.record_now().await
        });
        recording.await.unwrap_or_else(|error| Err(Refusal::Store(error.to_string())))
    }

    /// The same, but the answer does not wait for longer than [`RECORD_WAIT`].
    pub(crate) async fn record_soon(&self) -> Result<(), String> {
        match tokio::time::timeout(RECORD_WAIT, self.record()).await {
            Ok(recorded) => recorded.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the store has not answered for {RECORD_WAIT:?}; it is tried on")),
        }
    }

    /// The caller holds the writer's lock.
    pub(super) async fn record_now(&self) -> Result<(), Refusal> {
        let mut change = Change::default();
        let recording = self.pending(&mut change);
        if recording.numbers.is_empty() {
            return Ok(());
        }
        let position = self.inner.store.commit(Expected::Any, change).await?;
        self.recorded(&recording);
        self.tell_followers();
        let next = Arc::new(self.state().moved_to(position));
        let message = RunsChanged { position: Some(position), ended: recording.ended, ..RunsChanged::default() };
        self.inner.hub.publish(position.revision, &Message::Runs(message), || self.inner.state.store(next));
        Ok(())
    }
}
