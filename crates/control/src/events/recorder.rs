//! Events that come with no change, and that nobody waits for: recorded one after the other, by one task, while more come.
//! A store that hangs does not make them many.

use std::collections::VecDeque;
use std::time::Duration;

use daybreak_model::EventKind;
use daybreak_store::Event;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;

use crate::Control;

/// Events that wait for the store, at most.
const WAITING_MAX: usize = 1_000;
/// Events that are recorded together, at most.
const TOGETHER_MAX: usize = 100;
/// The wait after the store failed.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// What is still to be recorded.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    waiting: Mutex<Waiting>,
    /// Told when nothing waits any more.
    idle: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// Those for which there was no place.
    lost: u64,
    /// Whether the task runs.
    at_work: bool,
}

impl Recorder {
    /// What deserves a look.
    pub(crate) fn warning(&self) -> Option<String> {
        let waiting = self.waiting.lock();
        let (count, lost) = (waiting.events.len(), waiting.lost);
        let stuck = count > TOGETHER_MAX || lost > 0;
        stuck.then(|| format!("the store does not record events: {count} wait for it, and {lost} are lost"))
    }
}

impl Control {
    /// Has an event recorded that comes with no change. It waits for nothing; where too many wait already, the event is
    /// lost, and counted.
    pub(crate) fn note_soon(&self, event: Event) {
        let mut waiting = self.inner.recorder.waiting.lock();
        if waiting.events.len() < WAITING_MAX {
            waiting.events.push_back(event);
        } else {
            waiting.lost += 1;
            if waiting.lost == 1 {
                tracing::error!(
                    kind = event.kind,
                    "the store records no events, and there is no place for more: they are lost"
                );
            }
        }
        if !std::mem::replace(&mut waiting.at_work, true) {
            self.inner.runtime.spawn(record_waiting(self.clone()));
        }
    }

    /// Waits until nothing is left to be recorded.
    pub(crate) async fn noted(&self) {
        loop {
            let idle = self.inner.recorder.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if !self.inner.recorder.waiting.lock().at_work {
                return;
            }
            idle.await;
        }
    }

    /// What is to be recorded next; none where the task may end.
    fn next_to_note(&self) -> Option<Vec<Event>> {
        let mut waiting = self.inner.recorder.waiting.lock();
        let count = waiting.events.len().min(TOGETHER_MAX);
        let mut next: Vec<Event> = waiting.events.drain(..count).collect();
        if waiting.events.is_empty() && waiting.lost > 0 {
            let lost = std::mem::take(&mut waiting.lost);
            tracing::error!(lost, "events are lost: the store did not record them in time");
            next.push(Event {
                at: self.inner.clock.now(),
                kind: EventKind::EventsLost.into(),
                subject: Some("events".to_owned()),
                actor: None,
                reason: None,
                data: json!({ "lost": lost }),
            });
        }
        if next.is_empty() {
            waiting.at_work = false;
            self.inner.recorder.idle.notify_waiters();
            return None;
        }
        Some(next)
    }
}

/// Records everything that waits, and ends.
async fn record_waiting(control: Control) {
    while let Some(events) = control.next_to_note() {
        let mut failed = false;
        while let Err(error) = control.inner.store.append(events.clone()).await {
            if !std::mem::replace(&mut failed, true) {
                tracing::error!(%error, "events could not be recorded; it is tried on");
            }
            tokio::time::sleep(STORE_WAIT).await;
        }
        control.tell_followers();
    }
}

#[cfg(test)]
mod tests {
    use daybreak_store::EventFilter;

    use super::*;
    use crate::testing::Bench;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_or_fails_does_not_make_them_many() {
        for fails in [false, true] {
            let bench = Bench::new().await;
            let control = &bench.control;
            let event = |number: usize| Event {
                at: control.inner.clock.now(),
                kind: EventKind::TokenUsed.into(),
                subject: Some(format!("tokens/{number}")),
                actor: None,
                reason: None,
                data: serde_json::Value::Null,
            };
            if fails {
                bench.store.fail(true);
            } else {
                bench.store.hang();
            }
            control.note_soon(event(0));
            // The task takes what there is, and waits for the store.
            tokio::task::yield_now().await;
            (1..=WAITING_MAX + 7).for_each(|number| control.note_soon(event(number)));
            assert!(control.health().warnings[0].contains("1000 wait for it, and 7 are lost"), "{fails}");
            bench.store.fail(false);
            bench.store.release();
            control.noted().await;
            let filter = EventFilter { kind: Some("token.used".to_owned()), ..EventFilter::default() };
            let used = control.events(filter, 1_000).await.unwrap();
            assert_eq!((used.events.len(), used.next.is_some()), (1_000, true), "one more is on the next page");
            let last = control.events(EventFilter::default(), 1).await.unwrap().events.remove(0).event;
            assert_eq!((last.kind.as_str(), &last.data), ("events.lost", &json!({"lost": 7})));
            assert!(control.health().warnings.is_empty(), "{fails}");
        }
    }
}
