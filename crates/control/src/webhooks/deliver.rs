//! Telling one webhook of one event after the other, each until it has it.
//!
//! The log is the outbox: it lasts, and each webhook keeps its place in it, so nothing is written twice, and a receiver that
//! is down for long costs no more than the log itself. The place moves on after an event has arrived: at least once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daybreak_model::EventKind;
use daybreak_store::{Event, EventFilter, EventOrder, RecordedEvent};
use rand::RngExt;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::backoff::Tries;
use super::config::Webhook;
use super::send::{Failed, How, send};
use super::status::{GivenUp, WebhookStatus};
use crate::{Control, Refusal};

/// Events that a webhook does not want and may have to look at again after a restart, at most.
const UNWANTED_MAX: u64 = 1_000;
/// How long they may be all that it looks at, before its place is kept.
const UNWANTED_TIME_MAX: Duration = Duration::from_secs(60);
/// The wait after the store failed.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// What the places are kept under.
const PLACE: &str = "webhooks/";

/// One webhook, for as long as it is as it is.
pub(super) struct Delivery {
    pub(super) control: Control,
    pub(super) client: Client,
    pub(super) hook: Arc<Webhook>,
}

/// Where a webhook is in the log.
struct Place {
    /// The last event that needs no more looking at, as it is known here.
    at: u64,
    /// The same, as the store knows it, and since when.
    kept: (u64, Instant),
}

/// The receiver wants no more.
struct Gone;

impl Delivery {
    /// Tells the webhook of everything that it wants, from its place in the log on; or from now on, where it has none.
    pub(super) async fn run(self) {
        let mut place = None;
        loop {
            match self.follow(&mut place).await {
                Ok(Gone) => return,
                Err(error) => {
                    tracing::debug!(webhook = self.hook.name, %error, "the log cannot be read; it is tried on");
                    tokio::time::sleep(STORE_WAIT).await;
                }
            }
        }
    }

    /// The place lasts also where the store could not keep it: what has arrived is not sent again.
    async fn follow(&self, place: &mut Option<Place>) -> Result<Gone, Refusal> {
        let place = match place {
            Some(place) => place,
            None => place.insert(self.first_place().await?),
        };
        let filter = EventFilter { after: Some(place.at), ..EventFilter::default() };
        let mut follower = self.control.follow(filter).await?;
        loop {
            self.told(|status| status.read_to = Some(place.at));
            let events = follower.next().await?;
            if let Some(first) = events.first()
                && self.is_missing(place.at, first.id).await?
                && self.tell_missed(place, first.id).await?.is_err()
            {
                return Ok(Gone);
            }
            for recorded in events {
                let wanted = self.wants(&recorded.event);
                if wanted && self.deliver(&recorded, &recorded.id.to_string()).await.is_err() {
                    return Ok(Gone);
                }
                place.at = recorded.id;
                self.told(|status| status.read_to = Some(recorded.id));
                let (kept, since) = place.kept;
                if wanted || recorded.id > kept + UNWANTED_MAX || since.elapsed() >= UNWANTED_TIME_MAX {
                    self.keep(place).await?;
                }
            }
        }
    }

    /// Whether it is to be told. Of what it missed it has been told already.
    fn wants(&self, event: &Event) -> bool {
        let own = || event.subject.as_ref() == Some(&self.subject());
        self.hook.wants(&event.kind) && !(event.kind == EventKind::WebhookMissed.to_string() && own())
    }

    /// Whether events were dropped from the log before it was their turn. Numbers may have gaps without that.
    async fn is_missing(&self, at: u64, next: u64) -> Result<bool, Refusal> {
        if next <= at + 1 {
            return Ok(false);
        }
        let filter = EventFilter { order: EventOrder::OldestFirst, ..EventFilter::default() };
        let oldest = self.control.events(filter, 1).await?;
        Ok(oldest.events.first().is_some_and(|oldest| oldest.id > at + 1))
    }

    /// Tells everybody, the receiver included, that events were dropped between its place and the next event.
    async fn tell_missed(&self, place: &mut Place, next: u64) -> Result<Result<(), Gone>, Refusal> {
        let (first, last) = (place.at + 1, next - 1);
        let missed = next - first;
        tracing::error!(
            webhook = self.hook.name,
            missed,
            "the log has dropped events that the webhook was not told of; `--events-max` and `--events-age` keep more"
        );
        self.told(|status| status.missed += missed);
        // Which of them it would have wanted nobody knows any more.
        let event = self.event(EventKind::WebhookMissed, json!({"at_most": missed, "first": first, "last": last}));
        self.control.note_soon(event.clone());
        let recorded = RecordedEvent { id: last, revision: None, event };
        if self.deliver(&recorded, &format!("missed-{first}-{last}")).await.is_err() {
            return Ok(Err(Gone));
        }
        place.at = last;
        self.keep(place).await?;
        Ok(Ok(()))
    }

    /// Sends an event until it has arrived or is given up.
    async fn deliver(&self, recorded: &RecordedEvent, id: &str) -> Result<(), Gone> {
        // Of another store, as after a restore, the same number is another event.
        let id = format!("{}-{id}", self.control.position().store);
        let (mut tries, begun) = (Tries::default(), Instant::now());
        loop {
            let Err(failed) = send(&self.control, &self.client, &self.hook, recorded, &id).await else {
                self.told(|status| status.arrived(self.control.inner.clock.now()));
                return Ok(());
            };
            let share = self.control.inner.entropy.lock().random();
            let refused = failed.how == How::Refused;
            let wait = tries.failed(refused, begun.elapsed(), share, failed.asked_to_wait);
            let (event, failures) = (recorded.id, tries.failures);
            tracing::debug!(webhook = self.hook.name, event, failures, why = failed.why, "not delivered");
            self.told(|status| status.failed(self.control.inner.clock.now(), failures, &failed.why));
            if failed.how == How::Gone {
                self.pause(recorded, &failed);
                return Err(Gone);
            }
            let Some(wait) = wait else {
                self.give_up(recorded, failures, &failed);
                return Ok(());
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn pause(&self, recorded: &RecordedEvent, failed: &Failed) {
        let name = &self.hook.name;
        tracing::error!(
            webhook = name,
            why = failed.why,
            "the receiver wants no more: nothing is sent until it is changed"
        );
        self.told(|status| status.gone = true);
        let data = json!({"event": recorded.id, "kind": recorded.event.kind, "why": failed.why});
        self.control.note_soon(self.event(EventKind::WebhookPaused, data));
    }

    fn give_up(&self, recorded: &RecordedEvent, tries: u32, failed: &Failed) {
        let (event, kind, why) = (recorded.id, &recorded.event.kind, &failed.why);
        tracing::error!(
            webhook = self.hook.name,
            event,
            kind,
            tries,
            why,
            "an event is given up, and the next one is sent"
        );
        let at = self.control.inner.clock.now();
        self.told(|status| status.gave_up(GivenUp { at, event, kind: kind.clone(), tries, why: why.clone() }));
        // It would only be told of its own failure.
        if !kind.starts_with("webhook.") {
            let data = json!({"event": event, "kind": kind, "tries": tries, "why": why});
            self.control.note_soon(self.event(EventKind::WebhookGivenUp, data));
        }
    }

    /// An event of this webhook.
    fn event(&self, kind: EventKind, data: Value) -> Event {
        let (at, subject) = (self.control.inner.clock.now(), Some(self.subject()));
        Event { at, kind: kind.into(), subject, actor: None, reason: None, data }
    }

    fn subject(&self) -> String {
        format!("webhooks/{}", self.hook.name)
    }

    fn told(&self, tell: impl FnOnce(&mut WebhookStatus)) {
        if let Some(status) = self.control.inner.webhooks.lock().status_mut(&self.hook.name) {
            tell(status);
        }
    }

    /// Its place in the log, as the store keeps it; the end of the log where it has none yet.
    async fn first_place(&self) -> Result<Place, Refusal> {
        let name = self.note();
        let notes = self.control.inner.store.notes(name.clone()).await?;
        if let Some(at) = notes.get(&name).and_then(Value::as_u64) {
            return Ok(Place { at, kept: (at, Instant::now()) });
        }
        let at = self.control.last_event().await?;
        let mut place = Place { at, kept: (at, Instant::now()) };
        self.keep(&mut place).await?;
        Ok(place)
    }

    async fn keep(&self, place: &mut Place) -> Result<(), Refusal> {
        self.control.inner.store.put_notes(BTreeMap::from([(self.note(), Some(json!(place.at)))])).await?;
        place.kept = (place.at, Instant::now());
        Ok(())
    }

    fn note(&self) -> String {
        format!("{PLACE}{}", self.hook.name)
    }
}
