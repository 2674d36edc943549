//! Whose turn it is: changes that come at once are proposed one on top of the other, and committed together. So they share
//! one wait for the disk, and each is a revision of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use daybreak_model::wire::Message;
use daybreak_model::{Key, Kind, RunId};
use daybreak_store::{Change, Expected, StoreError};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::change::Proposal;
use crate::runs::Recording;
use crate::{Actor, Changed, Control, Refusal, State, resources};

/// Changes that are committed together at most: more would make the first wait for the last, and each holds a map of
/// everything until then.
pub(crate) const TOGETHER_MAX: usize = 32;

/// Changes that may wait for their turn. One that turns something off may be one more, up to [`WAITING_OFF_MAX`].
pub(crate) const WAITING_MAX: usize = 1_024;
/// See [`WAITING_MAX`].
pub(crate) const WAITING_OFF_MAX: usize = 4_096;

/// What is to be, as the one who changes it sees it in a state.
pub(crate) type Propose = Box<dyn Fn(&State) -> Result<Proposal, Refusal> + Send>;

/// The changes that wait for their turn, in the order in which they came.
pub(crate) type Queue = Mutex<VecDeque<Waiting>>;

/// A change that waits for its turn.
pub(crate) struct Waiting {
    propose: Propose,
    actor: Actor,
    /// The runs that were ended for it already.
    ended: Vec<RunId>,
    answer: oneshot::Sender<Result<Changed, Refusal>>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("actor", &self.actor).finish_non_exhaustive()
    }
}

impl Waiting {
    /// Answers that it came too late.
    fn refuse(self, why: &str) {
        let refusal = match self.ended.is_empty() {
            true => Refusal::ShuttingDown,
            false => Refusal::StoppedNotRecorded { runs: self.ended, why: why.to_owned() },
        };
        // Whoever asked may be gone.
        let _ = self.answer.send(Err(refusal));
    }
}

/// A change that is ready to be committed.
pub(crate) struct Ready {
    pub(crate) change: Change,
    /// What stands once it is.
    pub(crate) next: Arc<State>,
    pub(crate) changed: Vec<(Kind, Key)>,
}

/// A change that had its turn, and is answered once those before it are on disk: what it saw is theirs.
struct Turn {
    waiting: Waiting,
    outcome: Result<Changed, Refusal>,
    /// Whether it saw, or is, what is not on disk yet.
    depends: bool,
    made: Option<Made>,
}

/// What stands once a change is committed, and which resources it changed.
struct Made {
    next: Arc<State>,
    changed: Vec<(Kind, Key)>,
}

impl Control {
    /// That not as many changes wait as may.
    ///
    /// # Errors
    /// [`Refusal::TooManyChanges`] where they do.
    pub(crate) fn room_for_changes(&self, most: usize) -> Result<(), Refusal> {
        let waiting = self.inner.queue.lock().len();
        if waiting < most { Ok(()) } else { Err(Refusal::TooManyChanges { waiting }) }
    }

    /// Makes a change when it is its turn, or together with those whose turn it is.
    pub(crate) async fn in_turn(&self, propose: Propose, actor: Actor, ended: Vec<RunId>) -> Result<Changed, Refusal> {
        let (answer, mut answered) = oneshot::channel();
        self.inner.queue.lock().push_back(Waiting { propose, actor, ended, answer });
        let given_up = |_| Err(Refusal::Store("the change was given up".to_owned()));
        loop {
            tokio::select! {
                biased;
                // Whoever's turn it was made it.
                made = &mut answered => return made.unwrap_or_else(given_up),
                _writer = self.inner.writer.lock() => self.make_waiting().await,
            }
        }
    }

    /// The caller holds the writer's lock.
    async fn make_waiting(&self) {
        let waiting: Vec<_> = {
            let mut queue = self.inner.queue.lock();
            let together = queue.len().min(TOGETHER_MAX);
            queue.drain(..together).collect()
        };
        if let Err(why) = self.open_for_changes() {
            // A restore may have been acknowledged while they waited.
            return waiting.into_iter().for_each(|waiting| waiting.refuse(&why.to_string()));
        }
        let start = self.state();
        let mut before = Arc::clone(&start);
        let (mut turns, mut changes, mut recording) = (Vec::new(), Vec::new(), Recording::default());
        for mut waiting in waiting {
            let proposed = (waiting.propose)(&before);
            let ended = std::mem::take(&mut waiting.ended);
            let prepared =
                proposed.and_then(|proposal| self.prepare(&before, proposal, &waiting.actor, ended, &mut recording));
            let (outcome, made) = match prepared {
                Ok((answer, Some(Ready { change, next, changed }))) => {
                    before = Arc::clone(&next);
                    changes.push(change);
                    (Ok(answer), Some(Made { next, changed }))
                }
                Ok((answer, None)) => (Ok(answer), None),
                Err(refusal) => (Err(refusal), None),
            };
            turns.push(Turn { waiting, outcome, depends: !changes.is_empty(), made });
            // Others have work, too.
            tokio::task::yield_now().await;
        }
        let mut committed = Ok(());
        if !changes.is_empty() {
            let expected = Expected::Revision(start.position().revision);
            committed = self.inner.store.commit_all(expected, changes).await.map(drop);
        }
        if committed.is_ok() {
            self.recorded(&recording);
            self.tell_followers();
            turns.iter().for_each(|turn| self.publish(turn));
        }
        for turn in turns {
            let outcome = match &committed {
                Err(error) if turn.depends => Err(not_committed(error, turn.outcome)),
                _ => turn.outcome,
            };
            let Waiting { propose, answer, .. } = turn.waiting;
            // It holds what was read of the request, which may be much: whoever asked is not answered before that is free.
            drop(propose);
            // Whoever asked may be gone.
            let _ = answer.send(outcome);
        }
    }

    fn publish(&self, turn: &Turn) {
        let Some(Made { next, changed }) = &turn.made else { return };
        let (position, actor) = (next.position(), &turn.waiting.actor);
        let acknowledged = actor.waits.then(|| self.asking_to_acknowledge(position.revision));
        let message = Message::Change(resources::to_wire(next, position, changed, acknowledged));
        self.inner.hub.publish(position.revision, &message, || self.inner.state.store(Arc::clone(next)));
        tracing::info!(%position, changes = changed.len(), actor = actor.name, "changed");
    }
}

/// What is answered where the store failed.
fn not_committed(error: &StoreError, outcome: Result<Changed, Refusal>) -> Refusal {
    match outcome {
        Ok(Changed { ended, .. }) if !ended.is_empty() => {
            Refusal::StoppedNotRecorded { runs: ended, why: error.to_string() }
        }
        _ => error.into(),
    }
}
