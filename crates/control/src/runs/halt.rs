//! The big red button.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daybreak_guard::run::Event;
use daybreak_model::wire::{Message, Position, RunsChanged};
use daybreak_model::{EventKind, RunId};
use daybreak_store::{self as store, Halt};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::reason::HeldBack;
use super::record::RECORD_WAIT;
use crate::{Actor, Control, Laggard, Refusal};

/// A halt that holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    halt: Halt,
    durable: bool,
    ended: Vec<RunId>,
    /// Its number among what is to be recorded.
    event: u64,
}

/// Whether everything is halted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HaltView {
    /// Where the server stands.
    pub position: Position,
    /// Whether everything is halted.
    pub halted: bool,
    /// Whether this is what halted it; none where nobody asked for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it outlives the server, as far as the store lasts at all.
    pub durable: bool,
    /// Why the log does not have it yet, where the store fails: it is tried on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_recorded: Option<String>,
    /// The runs that it ended.
    pub ended: Vec<RunId>,
    /// Live clients.
    pub clients: usize,
    /// Those of them that have reported since, with nothing in flight. The others stop with their lease.
    pub confirmed: usize,
    /// The others by name; twenty of them at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unconfirmed: Vec<Laggard>,
}

/// What a lift did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lifted {
    /// Where the server stands after it.
    pub position: Position,
    /// Whether the halt was lifted; not where nothing was halted, or somebody halted again meanwhile.
    pub changed: bool,
}

impl Held {
    pub(super) fn loaded(halt: Halt) -> Self {
        Self { halt, durable: true, ended: Vec::new(), event: 0 }
    }
}

impl Control {
    /// Whether everything is halted, and how many clients confirmed it.
    #[must_use]
    pub fn halt_view(&self) -> HaltView {
        let held = self.inner.runs.lock().halt.clone();
        let now = self.inner.clock.now();
        let (mut clients, mut confirmed, mut others) = (0, 0, Vec::new());
        let since = held.as_ref().and_then(|held| held.halt.at);
        for client in self.inner.clients.lock().live(now) {
            clients += 1;
            let heard = since.is_none_or(|since| client.last_heard > since);
            if held.is_some() && heard && client.faults.in_flight == 0 {
                confirmed += 1;
            } else if held.is_some() {
                others.push(Laggard::of(client, now));
            }
        }
        let (durable, ended) = held.as_ref().map_or((true, Vec::new()), |held| (held.durable, held.ended.clone()));
        let halt = held.map(|held| held.halt);
        HaltView {
            position: self.position(),
            halted: halt.is_some(),
            changed: None,
            at: since,
            actor: halt.as_ref().and_then(|halt| halt.actor.clone()),
            reason: halt.and_then(|halt| halt.reason),
            durable,
            not_recorded: None,
            ended,
            clients,
            confirmed,
            unconfirmed: Laggard::shown(others.into_iter()),
        }
    }

    /// Stops every run, and blocks new ones until it is lifted. Leases are refused and clients told before
    /// anything else happens; then it is stored. A second halt changes nothing.
    ///
    /// # Errors
    /// [`Refusal::HaltedNotDurable`] when the store cannot keep it, or takes too long: everything is halted all the same.
    /// What it keeps outlives the server, also where the log does not tell of it yet: then it says
    /// [why](HaltView::not_recorded).
    pub async fn halt(&self, actor: Actor) -> Result<HaltView, Refusal> {
        self.halt_first(actor, std::future::ready(None)).await
    }

    /// The same, for a reason that may come after the deed: everything is halted before `reason` is waited for, and
    /// recorded after. None leaves the actor's own.
    ///
    /// # Errors
    /// As [`halt`](Self::halt).
    pub async fn halt_first(
        &self,
        actor: Actor,
        reason: impl Future<Output = Option<String>>,
    ) -> Result<HaltView, Refusal> {
        let (pressed, held) = self.press(&actor).unzip();
        let reason = reason.await;
        held.into_iter().for_each(|held| held.explain(reason.as_deref()));
        let kept = async {
            match tokio::time::timeout(RECORD_WAIT, self.keep_halt()).await {
                Ok(kept) => kept,
                Err(_) => Err(format!("the store has not answered for {RECORD_WAIT:?}; it is tried on")),
            }
        };
        let (kept, recorded) = tokio::join!(kept, self.record_soon());
        let halt = HaltView { changed: Some(pressed.is_some()), not_recorded: recorded.err(), ..self.halt_view() };
        match kept {
            Ok(()) => Ok(halt),
            Err(why) => Err(Refusal::HaltedNotDurable { halt: Box::new(halt), why }),
        }
    }

    /// Waits until all live clients have confirmed the halt, but neither for longer than `wait` nor than the server lasts.
    pub async fn halt_confirmed(&self, wait: Duration) -> HaltView {
        let all = async {
            loop {
                let reported = self.inner.reported.notified();
                tokio::pin!(reported);
                reported.as_mut().enable();
                let halt = self.halt_view();
                let ending = self.inner.shutting_down.load(Ordering::Relaxed);
                if !halt.halted || halt.confirmed >= halt.clients || ending {
                    return halt;
                }
                reported.await;
            }
        };
        tokio::time::timeout(wait, all).await.unwrap_or_else(|_| self.halt_view())
    }

    /// Halts in memory, and tells clients: the runs that this ended, and what is not recorded before its reason may be
    /// known; none where everything was halted already.
    fn press(&self, actor: &Actor) -> Option<(Vec<RunId>, HeldBack)> {
        let now = self.inner.clock.now();
        let mut runs = self.inner.runs.lock();
        let lifting = runs.lifting;
        if let Some(held) = runs.halt.as_mut() {
            if lifting {
                // The lift under way finds that it came too late, and this halt is stored after it.
                held.durable = false;
                runs.halt_changes += 1;
            }
            return None;
        }
        runs.stop_starting(|_| true);
        let event = || Some(Event::Halt { actor: actor.name.clone(), reason: actor.reason.clone() });
        let first = runs.next + 1;
        let ended = runs.end_where(now, |_| event());
        let halt = Halt { at: Some(now), actor: actor.name.clone(), reason: actor.reason.clone() };
        runs.halt_changes += 1;
        let event = runs.push_pending(None, event_of(EventKind::HaltSet, now, actor, &ended));
        let held = self.hold_back(&mut runs, first);
        runs.halt = Some(Held { halt, durable: false, ended: ended.clone(), event });
        let message = RunsChanged { ended: ended.clone(), halted: true, ..RunsChanged::default() };
        self.inner.hub.send(&Message::Runs(message));
        tracing::warn!(actor = actor.name, reason = actor.reason, runs = ended.len(), "everything is halted");
        Some((ended, held))
    }

    /// Has the store keep the halt, to the end, also when nobody waits for it any more.
    pub(super) async fn keep_halt(&self) -> Result<(), String> {
        let control = self.clone();
        let keeping = tokio::spawn(async move {
            let _turn = control.inner.halt_writer.lock().await;
            let (halt, changes) = {
                let runs = control.inner.runs.lock();
                (runs.halt.clone(), runs.halt_changes)
            };
            let Some(held) = halt.filter(|held| !held.durable) else { return Ok(()) };
            control.inner.store.put_halt(held.halt).await.map_err(|error| error.to_string())?;
            let mut runs = control.inner.runs.lock();
            let same = changes == runs.halt_changes;
            if let Some(held) = runs.halt.as_mut() {
                held.durable |= same;
            }
            Ok(())
        });
        keeping.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Lifts the halt, once the store has. What was stopped stays stopped.
    ///
    /// # Errors
    /// When the store fails: everything is still halted.
    pub async fn lift(&self, actor: Actor) -> Result<Lifted, Refusal> {
        let control = self.clone();
        self.to_the_end(async move {
            let turn = control.inner.halt_writer.lock().await;
            let changes = {
                let mut runs = control.inner.runs.lock();
                if !runs.halted() {
                    return Ok(Lifted { position: control.position(), changed: false });
                }
                runs.lifting = true;
                runs.halt_changes
            };
            let cleared = control.inner.store.clear_halt().await;
            {
                let mut runs = control.inner.runs.lock();
                runs.lifting = false;
                cleared?;
                if runs.halt_changes != changes {
                    return Ok(Lifted { position: control.position(), changed: false });
                }
                runs.halt = None;
                runs.halt_changes += 1;
                // The log has the halt before its lift, also where its reason has not come yet.
                runs.release_all();
                runs.push_pending(None, event_of(EventKind::HaltLifted, control.inner.clock.now(), &actor, &[]));
            }
            tracing::warn!(actor = actor.name, reason = actor.reason, "the halt is lifted");
            // A halt that is pressed from now on waits for nobody. What is not recorded now is tried again at
            // each tick: the halt is lifted all the same.
            drop(turn);
            if let Err(why) = control.record().await {
                tracing::warn!(%why, "the lift is not recorded yet");
            }
            Ok(Lifted { position: control.position(), changed: true })
        })
        .await
    }
}

impl super::RunTable {
    /// Whether there is a halt that the store does not keep yet.
    pub(super) fn is_halt_to_keep(&self) -> bool {
        self.halt.as_ref().is_some_and(|held| !held.durable)
    }

    /// Writes down why everything is halted, where it is by one of these events. What was stored meanwhile without it is
    /// stored once more.
    pub(super) fn explain_halt(&mut self, events: &Range<u64>, reason: &str) {
        let lifting = self.lifting;
        let Some(held) = self.halt.as_mut().filter(|held| events.contains(&held.event)) else { return };
        held.halt.reason = Some(reason.to_owned());
        held.durable &= lifting;
        self.halt_changes += u64::from(!lifting);
    }

    /// Why everything is halted, if it is; empty where nobody said why.
    pub(super) fn halt_reason(&self) -> Option<&str> {
        self.halt.as_ref().map(|held| held.halt.reason.as_deref().unwrap_or_default())
    }
}

fn event_of(kind: EventKind, at: Timestamp, actor: &Actor, ended: &[RunId]) -> store::Event {
    store::Event {
        at,
        kind: kind.into(),
        subject: Some("halt".to_owned()),
        actor: actor.name.clone(),
        reason: actor.reason.clone(),
        data: json!({"ended": ended}),
    }
}
