//! Telling one webhook of one event after the other, each until it has it.
//!
//! The log is the outbox: it lasts, and each webhook keeps its place in it, so nothing is written twice, and a receiver that
//! is down for long costs no more than the log itself. The place moves on after an event has arrived: at least once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daybreak_store::{Event, EventFilter, RecordedEvent};
use rand::RngExt;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde_json::json;

use super::backoff::{GIVE_UP_AFTER, wait};
use super::config::Webhook;
use super::template::outgoing;
use crate::{Control, Refusal};

/// How long a receiver may take for its answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Events that a webhook does not want and may have to look at again after a restart.
const UNWANTED_MAX: u64 = 1_000;
/// The wait after the store failed.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// What the places are kept under.
const PLACE: &str = "webhooks/";

/// Why an event has not arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Without the URL, which may be a secret.
    pub(super) why: String,
    asked_to_wait: Option<Duration>,
    /// The receiver wants no more.
    gone: bool,
}

/// The client of all webhooks.
pub(super) fn client() -> Result<Client, String> {
    let builder = Client::builder().timeout(DEADLINE).redirect(Policy::none());
    let builder = builder.user_agent(concat!("daybreak/", env!("CARGO_PKG_VERSION")));
    builder.build().map_err(|error| error.to_string())
}

/// Sends one event once.
pub(super) async fn send(
    control: &Control,
    client: &Client,
    hook: &Webhook,
    event: &RecordedEvent,
    id: &str,
) -> Result<(), Failed> {
    let outgoing = outgoing(hook, event, id, &control.options().environment, control.inner.clock.now());
    let url =
        format!("{}{}", hook.url.0.trim_end_matches(if outgoing.path.is_empty() { '\0' } else { '/' }), outgoing.path);
    let mut request = client.post(url).header("content-type", "application/json").body(outgoing.body);
    for (name, value) in outgoing.headers {
        request = request.header(name, value);
    }
    let failed = |why: String| Failed { why, asked_to_wait: None, gone: false };
    let answer = request.send().await.map_err(|error| failed(cause(&error.without_url())))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let asked_to_wait = asked.map(Duration::from_secs);
    Err(Failed { why: format!("it answered {status}"), asked_to_wait, gone: status == StatusCode::GONE })
}

/// The innermost cause: what the system said.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_timeout() { format!("it did not answer within {} s", DEADLINE.as_secs()) } else { cause.to_string() }
}

/// One webhook, for as long as the server runs.
pub(super) struct Delivery {
    pub(super) control: Control,
    pub(super) client: Client,
    pub(super) hook: Arc<Webhook>,
}

impl Delivery {
    /// Tells the webhook of everything that it wants, from its place in the log on; or from now on, where it has none.
    pub(super) async fn run(self) {
        let mut place = None;
        loop {
            match self.follow(&mut place).await {
                // The receiver wants no more.
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(webhook = self.hook.name, %error, "the log cannot be read; it is tried on");
                    tokio::time::sleep(STORE_WAIT).await;
                }
            }
        }
    }

    /// `place` is the last event that has arrived, also where the store could not keep that: then it is not sent again.
    async fn follow(&self, place: &mut Option<u64>) -> Result<(), Refusal> {
        let mut kept = match *place {
            Some(place) => place,
            None => match self.place().await? {
                Some(place) => place,
                None => {
                    let now = self.control.last_event().await?;
                    self.keep(now).await?;
                    now
                }
            },
        };
        let filter = EventFilter { after: Some(kept), ..EventFilter::default() };
        let mut follower = self.control.follow(filter).await?;
        loop {
            for event in follower.next().await? {
                if self.hook.wants(&event.event.kind) {
                    let arrived = self.deliver(&event).await;
                    (kept, *place) = (event.id, Some(event.id));
                    self.keep(kept).await?;
                    if !arrived {
                        return Ok(());
                    }
                } else if event.id > kept + UNWANTED_MAX {
                    kept = event.id;
                    self.keep(kept).await?;
                }
            }
        }
    }

    /// Sends an event until it has arrived or is given up. False where the receiver wants no more.
    async fn deliver(&self, event: &RecordedEvent) -> bool {
        // Of another store, as after a restore, the same number is another event.
        let id = format!("{}-{}", self.control.position().store, event.id);
        let mut failures = 0;
        let begun = tokio::time::Instant::now();
        loop {
            let failed = match send(&self.control, &self.client, &self.hook, event, &id).await {
                Ok(()) => {
                    self.told(|status| status.arrived(self.control.inner.clock.now()));
                    return true;
                }
                Err(failed) => failed,
            };
            failures += 1;
            tracing::debug!(webhook = self.hook.name, event = event.id, failures, why = failed.why, "not delivered");
            self.told(|status| status.failed(self.control.inner.clock.now(), failures, &failed.why));
            if failed.gone || begun.elapsed() >= GIVE_UP_AFTER {
                self.give_up(event, failures, &failed).await;
                return !failed.gone;
            }
            let share = self.control.inner.entropy.lock().random();
            tokio::time::sleep(wait(failures, share, failed.asked_to_wait)).await;
        }
    }

    async fn give_up(&self, event: &RecordedEvent, tries: u32, failed: &Failed) {
        tracing::warn!(webhook = self.hook.name, event = event.id, tries, why = failed.why, "given up");
        self.told(|status| status.gave_up(failed.gone));
        // It would only be told of its own failure.
        if event.event.kind.starts_with("webhook.") {
            return;
        }
        let given_up = Event {
            at: self.control.inner.clock.now(),
            kind: "webhook.given_up".to_owned(),
            subject: Some(format!("webhooks/{}", self.hook.name)),
            actor: None,
            reason: None,
            data: json!({"event": event.id, "kind": event.event.kind, "tries": tries, "why": failed.why, "gone": failed.gone}),
        };
        if let Err(error) = self.control.note_event(given_up).await {
            tracing::warn!(%error, "that a webhook was given up is not recorded");
        }
    }

    fn told(&self, tell: impl FnOnce(&mut super::WebhookStatus)) {
        if let Some(status) = self.control.inner.webhooks.lock().status.get_mut(&self.hook.name) {
            tell(status);
        }
    }

    /// Its place in the log: the last event that has arrived.
    async fn place(&self) -> Result<Option<u64>, Refusal> {
        let name = format!("{PLACE}{}", self.hook.name);
        let notes = self.control.inner.store.notes(name.clone()).await?;
        Ok(notes.get(&name).and_then(serde_json::Value::as_u64))
    }

    async fn keep(&self, place: u64) -> Result<(), Refusal> {
        let note = BTreeMap::from([(format!("{PLACE}{}", self.hook.name), Some(json!(place)))]);
        Ok(self.control.inner.store.put_notes(note).await?)
    }
}
