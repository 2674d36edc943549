//! Schedules: what Daybreak starts by itself, at a random moment of each day or week.
//!
//! A scheduled start is an ordinary one: everything that stands against a start stands against it too. It is attempted
//! once. That it is attempted is stored before it is, so that a restart does not attempt it again.

mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use daybreak_guard::schedule::Due;
use daybreak_model::{EventKind, Key, Kind, Schedule};
use daybreak_store::{Event, Store, StoreError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::control::read;
use crate::resources::subject;
use crate::{Actor, Control, OpenError, Refusal, StartRequest};
use table::{Look, Record};

pub(crate) use table::Schedules;
pub use table::{Attempt, Outcome, SkipReason};

/// What the names of the store's notes begin with.
const NOTES: &str = "schedule/";
/// Who starts what is scheduled.
const ACTOR: &str = "schedule";

/// When Daybreak starts a fault by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduleView {
    /// The fault.
    pub fault: Key,
    /// How often; none where it never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The next start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Why there is no next start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never: Option<String>,
    /// What became of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Attempt>,
}

/// What the store remembers.
pub(crate) async fn load(store: &dyn Store) -> Result<Schedules, OpenError> {
    let mut schedules = Schedules::default();
    for (name, note) in store.notes(NOTES.to_owned()).await? {
        let what = format!("the note `{name}`");
        let record: Record = read(&what, note)?;
        let fault = name.strip_prefix(NOTES).unwrap_or(&name);
        let unreadable = |error: daybreak_model::KeyError| OpenError::Unreadable { what, why: error.to_string() };
        schedules.load(Key::new(fault).map_err(unreadable)?, record);
    }
    Ok(schedules)
}

impl Control {
    /// When Daybreak starts a fault by itself, and what became of the last time.
    ///
    /// # Errors
    /// When there is no such fault.
    pub fn schedule(&self, fault: &str) -> Result<ScheduleView, Refusal> {
        let state = self.state();
        let known = state.resources().faults.get_key_value(fault);
        let (key, known) = known.ok_or_else(|| state.not_found(Kind::Fault, fault))?;
        let record = self.inner.schedules.lock().record(key).cloned().unwrap_or_default();
        let next = record.next.filter(|_| known.enabled && known.schedule.is_some()).map(|due| due.at);
        let hours = &known.hours;
        let never = match known.schedule {
            None => Some("the fault has no `schedule`; write `daily` or `weekly`".to_owned()),
            Some(_) if !known.enabled => Some("the fault is disabled; enable it: `enabled: true`".to_owned()),
            Some(_) if next.is_none() => Some(format!(
                "the hours `{hours}`, as far as they are known, are never open for {} and a minute to spare",
                known.max_duration
            )),
            Some(_) => None,
        };
        Ok(ScheduleView { fault: key.clone(), schedule: known.schedule, next, never, last: record.last })
    }

    /// Starts what is due, and notes what was missed. To be called once a second.
    pub(crate) async fn tend_schedules(&self) {
        if self.inner.shutting_down.load(Ordering::Relaxed) {
            return;
        }
        let (state, now) = (self.state(), self.inner.clock.now());
        let position = state.position();
        let (look, saved) = {
            let mut schedules = self.inner.schedules.lock();
            let look = schedules.look(state.resources(), (position.store, position.revision), now);
            (look, schedules.is_saved())
        };
        let idle = look.due.is_empty() && look.missed.is_empty();
        if idle && (saved || self.inner.schedules_keeper.try_lock().is_err()) {
            return;
        }
        let control = self.clone();
        // To its end, however long the store takes: what is due was taken out.
        let _ = self.inner.runtime.spawn(async move { control.follow_schedules(look).await }).await;
    }

    async fn follow_schedules(&self, look: Look) {
        let _alone = self.inner.schedules_keeper.lock().await;
        look.missed.iter().for_each(|(fault, due)| self.miss(fault, *due));
        let attempting = self.keep_schedules().await;
        for (fault, due) in &look.due {
            match &attempting {
                // The store may have taken its time.
                Ok(()) if due.is_missed(self.inner.clock.now()) => self.miss(fault, *due),
                Ok(()) => self.start_scheduled(fault, *due).await,
                Err(error) => self.skip(fault, *due, vec![reason("not_started", error.to_string())]),
            }
        }
        if !(look.due.is_empty() && look.missed.is_empty()) {
            let _ = self.keep_schedules().await;
        }
    }

    async fn start_scheduled(&self, fault: &Key, due: Due) {
        let actor = Actor::named(ACTOR).because(Some(format!("scheduled for {}", due.at)));
        // It is noted below, as what it is.
        let started = self.start_noting(fault.as_str(), StartRequest::default(), actor, |_, _, _, _| ()).await;
        let reasons = match started {
            Ok(started) => {
                let mut schedules = self.inner.schedules.lock();
                return schedules.conclude(fault, due, Outcome::Started, Some(started.run.id), Vec::new());
            }
            Err(Refusal::NotAdmitted { refusals, .. }) => {
                refusals.iter().map(|refusal| reason(refusal.code.as_str(), refusal.sentence.clone())).collect()
            }
            Err(error @ Refusal::StoppedMeanwhile(_)) => vec![reason("stopped", error.to_string())],
            Err(error) => vec![reason("not_started", error.to_string())],
        };
        self.skip(fault, due, reasons);
    }

    fn miss(&self, fault: &Key, due: Due) {
        let sentence = format!("nobody started it when it was due, {}: the server was down, or its store hung", due.at);
        self.skip(fault, due, vec![reason("missed", sentence)]);
    }

    /// Notes that a start did not come about. It waits for nothing.
    fn skip(&self, fault: &Key, due: Due, reasons: Vec<SkipReason>) {
        let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_str()).collect();
        tracing::info!(%fault, reasons = codes.join(", "), "a scheduled start was skipped");
        let event = Event {
            at: self.inner.clock.now(),
            kind: EventKind::ScheduleSkipped.into(),
            subject: Some(subject(Kind::Fault, fault.as_str())),
            actor: Some(ACTOR.to_owned()),
            reason: None,
            data: json!({ "due": due.at, "period": due.period, "reasons": reasons }),
        };
        self.inner.schedules.lock().conclude(fault, due, Outcome::Skipped, None, reasons);
        self.note_soon(event);
    }

    /// Tells the store what it does not know yet. What it refuses it is told the next time.
    async fn keep_schedules(&self) -> Result<(), StoreError> {
        let unsaved = self.inner.schedules.lock().take_unsaved();
        // None of a record's parts lacks a JSON form.
        let note = |record: &Option<Record>| record.as_ref().and_then(|record| serde_json::to_value(record).ok());
        let notes: BTreeMap<String, Option<Value>> =
            unsaved.iter().map(|(fault, record)| (format!("{NOTES}{fault}"), note(record))).collect();
        if notes.is_empty() {
            return Ok(());
        }
        let kept = self.inner.store.put_notes(notes).await;
        if let Err(error) = &kept {
            tracing::warn!(%error, "what schedules attempted could not be kept; it is tried on");
            self.inner.schedules.lock().give_back(unsaved.into_keys());
        }
        kept
    }
}

fn reason(code: &str, sentence: String) -> SkipReason {
    SkipReason { code: code.to_owned(), sentence }
}
