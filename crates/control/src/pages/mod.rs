//! Pages: what Alertmanager, PagerDuty and others tell of, as it counts for on-calls.
//!
//! What is told is taken in before it is stored, since it takes risk away; where the store then fails, the sender is told
//! to send it again, which counts nothing twice. Whoever cannot be understood has changed nothing.

mod alertmanager;
mod pagerduty;
mod plain;
mod signature;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use daybreak_guard::people::{Asked, Page, People, Received, Record, Source, Work};
use daybreak_model::limits::PAGE_TEXT_BYTES_MAX;
use daybreak_model::{EventKind, Key, Kind};
use daybreak_store::{Event, Store};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::control::{OpenError, read};
use crate::resources::subject;
use crate::{Actor, Control, Refusal, State};

pub use plain::PlainPage;
pub use signature::SecretError;
pub use status::{Frozen, IncidentView, OnCallStatus, PageView, UnmatchedPage};

/// Pages that wait for a store which fails until they come into the log; they count in any case.
const UNLOGGED_MAX: usize = 1_000;
/// Bytes of a notification that is read where halts are answered; a longer one would hold them up there.
const READ_AT_ONCE_MAX: usize = 32 * 1024;
/// What the names of the store's notes begin with.
const NOTES: &str = "pages/";

/// What is known of pages, and who may send them.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Held for moments only, never across a wait.
    pub(crate) people: Mutex<People>,
    /// Who holds it has the store keep what is known.
    writer: tokio::sync::Mutex<()>,
    /// Pages that count, and are not in the log yet.
    unlogged: Mutex<Vec<Event>>,
    /// How many were of no on-call since the start, by source.
    pub(super) unmatched: Mutex<BTreeMap<Source, u64>>,
    /// The file of PagerDuty's secrets.
    secret: Mutex<Option<PathBuf>>,
}

/// Why what was sent is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageRefusal {
    /// It cannot be understood.
    #[error("{0}")]
    Malformed(String),
    /// Nobody said by which secret to know PagerDuty.
    #[error(
        "nothing says by which secret PagerDuty signs, so nothing is taken from it; start with `--pagerduty-secret-file FILE`"
    )]
    NoSecret,
    /// The secret cannot be read any more.
    #[error("the secret by which PagerDuty signs cannot be read: {0}")]
    SecretUnreadable(String),
    /// It is signed by none of the secrets.
    #[error("{0}")]
    BadSignature(&'static str),
    /// It counts, but a restart would forget it.
    #[error(
        "it counts from now on, but a restart would forget it, as the store failed ({0}); send it again, it is counted once"
    )]
    NotRecorded(String),
}

/// What became of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceivedPages {
    /// Each page that it was, by on-call.
    pub pages: Vec<ReceivedPage>,
    /// Whether it was of no on-call: then it counts for nobody, and does not show that its source lives.
    pub unmatched: bool,
}

/// What became of one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceivedPage {
    /// Whose it is.
    pub on_call: Key,
    /// What became of it.
    pub received: Received,
    /// Whether it told of work on the incident that was not known; that counts where it was off-hours, also of a page that
    /// is a repeat.
    pub worked: bool,
}

/// What was told of, as it concerns on-calls.
#[derive(Debug, Default)]
struct Told {
    pages: Vec<Page>,
    works: Vec<Work>,
    /// What it was matched by, where it was a page of no on-call.
    unmatched: Option<Asked>,
    /// It is of no on-call, and no page either: it shows nothing of any.
    foreign: bool,
}

impl Pages {
    /// What the store remembers.
    pub(crate) async fn open(store: &dyn Store) -> Result<Self, OpenError> {
        let mut records = Vec::new();
        for (name, note) in store.notes(NOTES.to_owned()).await? {
            let record: Record = read(&format!("the note `{name}`"), note)?;
            records.push((name.strip_prefix(NOTES).unwrap_or(&name).to_owned(), record));
        }
        Ok(Self { people: Mutex::new(People::restore(records)), ..Self::default() })
    }
}

impl Control {
    /// Takes a notification of Alertmanager's webhook, version 4. As a heartbeat it is no page, whosever it is: it only shows
    /// that Alertmanager lives.
    ///
    /// # Errors
    /// When it cannot be understood, or the store fails.
    pub async fn receive_alerts(&self, body: &[u8], heartbeat: bool, actor: Actor) -> Result<ReceivedPages, Refusal> {
        let (now, state) = (self.inner.clock.now(), self.state());
        let read = move |state: &State, body: &[u8]| {
            let notification = alertmanager::Notification::read(body)?;
            Ok::<_, PageRefusal>(match heartbeat {
                true => Told::default(),
                false => notification.told(&state.resources().on_call, now),
            })
        };
        let elsewhere = (body.len() > READ_AT_ONCE_MAX).then(|| {
            let (state, body) = (Arc::clone(&state), body.to_vec());
            tokio::task::spawn_blocking(move || read(&state, &body))
        });
        let told = match elsewhere {
            // Where there is no such thread any more, it is read here.
            Some(elsewhere) => elsewhere.await.unwrap_or_else(|_| read(&state, body)),
            None => read(&state, body),
        };
        let told = told?;
        self.receive(Source::Alertmanager, None, told, now, actor).await
    }

    /// Takes an event of PagerDuty's webhook, version 3. `signature` is the header `X-PagerDuty-Signature`.
    ///
    /// # Errors
    /// When it is not signed by a secret of the file, cannot be understood, or the store fails.
    pub async fn receive_pagerduty(&self, signature: Option<&str>, body: &[u8]) -> Result<ReceivedPages, Refusal> {
        let file = self.inner.pages.secret.lock().clone().ok_or(PageRefusal::NoSecret)?;
        let secrets = signature::read(file).await.map_err(|error| PageRefusal::SecretUnreadable(error.to_string()))?;
        signature::check(&secrets, signature, body).map_err(PageRefusal::BadSignature)?;
        let event = pagerduty::Delivery::read(body)?;
        let now = self.inner.clock.now();
        let told = {
            let people = self.inner.pages.people.lock();
            event.told(&self.state().resources().on_call, &people)
        };
        self.receive(Source::Pagerduty, None, told, now, Actor::named("pagerduty")).await
    }

    /// Takes a page in Daybreak's own form.
    ///
    /// # Errors
    /// When there is no such on-call, a text is too long, or the store fails.
    pub async fn receive_page(&self, page: PlainPage, actor: Actor) -> Result<ReceivedPages, Refusal> {
        let state = self.state();
        let known = state.resources().on_call.get_key_value(page.on_call.as_str());
        let on_call = known.map(|(key, _)| key.clone());
        let on_call = on_call.ok_or_else(|| state.not_found(Kind::OnCall, &page.on_call))?;
        let now = self.inner.clock.now();
        let told = page.told(&on_call, now, || self.fresh_key())?;
        self.receive(Source::Plain, Some(&on_call), told, now, actor).await
    }

    /// From now on PagerDuty is known by the secrets of this file, one a line. It is read for each event, so that it may
    /// change.
    ///
    /// # Errors
    /// When it cannot be read, or holds none.
    pub async fn know_pagerduty(&self, file: PathBuf) -> Result<(), SecretError> {
        signature::read(file.clone()).await?;
        *self.inner.pages.secret.lock() = Some(file);
        Ok(())
    }

    fn fresh_key(&self) -> String {
        use rand::RngExt;
        format!("{:016x}", self.inner.entropy.lock().random::<u64>())
    }

    /// Takes in what was told, has the store keep it, and writes down what counts.
    async fn receive(
        &self,
        source: Source,
        of: Option<&Key>,
        told: Told,
        now: Timestamp,
        actor: Actor,
    ) -> Result<ReceivedPages, Refusal> {
        let mut answer = ReceivedPages { pages: Vec::new(), unmatched: told.unmatched.is_some() };
        let mut events = Vec::new();
        {
            let mut people = self.inner.pages.people.lock();
            people.forget(now);
            match told.unmatched {
                None if told.foreign => {}
                None => people.hear(source, of, now),
                Some(asked) => {
                    *self.inner.pages.unmatched.lock().entry(source).or_default() += 1;
                    let data = json!({"source": source, "of": asked.to_string()});
                    if people.miss(source, asked, now) {
                        events.push(unmatched_event(source, &actor, now, data));
                    }
                }
            }
            for page in told.pages {
                let (on_call, at, title) = (page.on_call.clone(), page.at.min(now), page.title.clone());
                let received = people.page(page, now);
                if received == Received::Counted {
                    let data = json!({"source": source, "title": title, "paged_at": at});
                    events.push(page_event(&on_call, &actor, now, data));
                }
                answer.pages.push(ReceivedPage { on_call, received, worked: false });
            }
            for work in told.works {
                let on_call = work.on_call.clone();
                let is_new = people.work(work, now);
                let page = answer.pages.iter_mut().find(|page| page.on_call == on_call);
                page.into_iter().for_each(|page| page.worked |= is_new);
            }
        }
        let control = self.clone();
        // Whoever sent it may be gone meanwhile; it is stored all the same.
        let kept = self.inner.runtime.spawn(async move { control.keep_pages(events).await }).await;
        kept.unwrap_or_else(|error| Err(PageRefusal::NotRecorded(error.to_string())))?;
        Ok(answer)
    }

    async fn keep_pages(&self, events: Vec<Event>) -> Result<(), PageRefusal> {
        let pages = &self.inner.pages;
        {
            let mut unlogged = pages.unlogged.lock();
            unlogged.extend(events);
            unlogged.truncate(UNLOGGED_MAX);
        }
        let not_recorded = |why: String| PageRefusal::NotRecorded(why);
        let _writer = pages.writer.lock().await;
        let unsaved = pages.people.lock().unsaved();
        if !unsaved.is_empty() {
            let note = |(name, record): (&String, &Option<Record>)| {
                let value = record.as_ref().map(serde_json::to_value).transpose();
                value.map(|value| (format!("{NOTES}{name}"), value))
            };
            let notes: Result<BTreeMap<_, _>, _> = unsaved.iter().map(note).collect();
            let notes = notes.map_err(|error| not_recorded(error.to_string()))?;
            self.inner.store.put_notes(notes).await.map_err(|error| not_recorded(error.to_string()))?;
            pages.people.lock().saved(&unsaved);
        }
        let events = std::mem::take(&mut *pages.unlogged.lock());
        for event in events {
            match EventKind::named(&event.kind) {
                Some(EventKind::PageUnmatched) => {
                    tracing::warn!(subject = event.subject, data = %event.data, "a page was received that is of no on-call");
                }
                _ => tracing::info!(subject = event.subject, data = %event.data, "a page was received"),
            }
            // What counts does, whether or not the log has it.
            if let Err(error) = self.note_event(event).await {
                tracing::warn!(%error, "a page is not in the log");
            }
        }
        Ok(())
    }
}

fn page_event(on_call: &Key, actor: &Actor, at: Timestamp, data: serde_json::Value) -> Event {
    Event {
        at,
        kind: EventKind::PageReceived.into(),
        subject: Some(subject(Kind::OnCall, on_call.as_str())),
        actor: actor.name.clone(),
        reason: actor.reason.clone(),
        data,
    }
}

fn unmatched_event(source: Source, actor: &Actor, at: Timestamp, data: serde_json::Value) -> Event {
    Event {
        at,
        kind: EventKind::PageUnmatched.into(),
        subject: Some(format!("pages/{source}")),
        actor: actor.name.clone(),
        reason: None,
        data,
    }
}

/// Reads a JSON object.
///
/// # Errors
/// What is wrong, and where, but no more of it than fits a sentence.
fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    // A list would be taken for the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is no JSON object".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| shortened(error.to_string()))
}

/// As much of a text as is kept.
fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(PAGE_TEXT_BYTES_MAX));
    text
}
