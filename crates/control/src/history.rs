//! The audit log, and going back to what was.

use daybreak_document::Source;
use daybreak_model::Kind;
use daybreak_model::limits::VALUES_TOLD_MAX;
use daybreak_store::{EventFilter, EventPage, RecordedEvent};
use serde_json::Value;

use crate::resources::{SHORTENED, subject};
use crate::{Actor, Changed, Control, Precondition, Refusal};

/// Events on a page, at most.
pub const EVENTS_PAGE_MAX: usize = 1_000;

impl Control {
    /// Reads events, the latest first: at most `limit`, and never more than [`EVENTS_PAGE_MAX`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn events(&self, filter: EventFilter, limit: usize) -> Result<EventPage, Refusal> {
        Ok(self.inner.store.events(filter, limit.clamp(1, EVENTS_PAGE_MAX)).await?)
    }

    /// What happened to one resource, the latest first. It may be gone.
    ///
    /// # Errors
    /// When nothing is known of it, or the store fails.
    pub async fn history(
        &self,
        kind: Kind,
        key: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<EventPage, Refusal> {
        let filter = EventFilter { subject: Some(subject(kind, key)), before, ..EventFilter::default() };
        let page = self.events(filter, limit).await?;
        let state = self.state();
        if page.events.is_empty() && before.is_none() && !state.resources().contains(kind, key) {
            return Err(crate::control::not_found(state.resources(), kind, key));
        }
        Ok(page)
    }

    /// Makes a resource what it was right after a revision; without one, what it was before its last change.
    /// What was not there then is removed.
    ///
    /// # Errors
    /// When the history does not reach back that far, the resource as it was is not valid any more (it may name
    /// what is gone), others name it where it is to be removed, the precondition does not hold, or the store fails.
    pub async fn revert(
        &self,
        kind: Kind,
        key: &str,
        to: Option<u64>,
        precondition: Precondition,
        actor: Actor,
    ) -> Result<Changed, Refusal> {
        let event = self.event_for(kind, key, to).await?;
        let field = if to.is_some() { "after" } else { "before" };
        match event.event.data.get(field) {
            Some(Value::Null) | None if self.state().resources().contains(kind, key) => {
                self.delete(kind, key, precondition, actor).await
            }
            Some(Value::Null) | None => {
                let why = format!("the {kind} `{key}` was not there then, and it is not there now");
                Err(Refusal::NotInHistory(why))
            }
            Some(_) if event.event.data.get(SHORTENED) == Some(&Value::Bool(true)) => {
                let why = format!(
                    "a list of the {kind} `{key}` is too long for the history, which keeps up to {VALUES_TOLD_MAX} \
                     values; send the {kind} again as it was"
                );
                Err(Refusal::NotInHistory(why))
            }
            Some(document) => {
                let revision = event.revision.unwrap_or_default();
                let source = Source::new(format!("{field} revision {revision}"), document.to_string());
                self.put(kind, key, source, precondition, actor).await
            }
        }
    }

    /// The last event of a resource at a revision or before it; the very last one without a revision.
    async fn event_for(&self, kind: Kind, key: &str, to: Option<u64>) -> Result<RecordedEvent, Refusal> {
        let mut before = None;
        loop {
            let page = self.history(kind, key, before, EVENTS_PAGE_MAX).await?;
            let reached =
                |recorded: &RecordedEvent| to.is_none_or(|to| recorded.revision.is_some_and(|revision| revision <= to));
            if let Some(found) = page.events.into_iter().find(reached) {
                return Ok(found);
            }
            before = page.next;
            if before.is_none() {
                let when = to.map_or_else(String::new, |to| format!(" at revision {to} or before"));
                return Err(Refusal::NotInHistory(format!("nothing is known of the {kind} `{key}`{when}")));
            }
        }
    }
}
