//! The log as it grows: who appends to it, and who follows it.

mod recorder;
mod refused;
mod server;
#[cfg(test)]
mod tests;

use daybreak_store::{Event, EventFilter, EventOrder, EventPage, RecordedEvent, Store, StoreError};
use tokio::sync::watch;

use crate::{Control, EVENTS_PAGE_MAX, Refusal};

pub(crate) use recorder::Recorder;
pub(crate) use refused::RefusedStarts;

/// Reads the log as it grows: each event once, in order. It holds nothing but its place, so a slow one costs nothing.
#[derive(Debug)]
pub struct Follower {
    control: Control,
    filter: EventFilter,
    recorded: watch::Receiver<()>,
}

impl Follower {
    /// The next events: those that are there, or else those that come next. Nothing is lost where it is dropped before.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next(&mut self) -> Result<Vec<RecordedEvent>, Refusal> {
        loop {
            // Before reading: what is recorded while it reads wakes it.
            self.recorded.mark_unchanged();
            let events = self.next_there().await?;
            if !events.is_empty() {
                return Ok(events);
            }
            if self.recorded.changed().await.is_err() {
                return Err(Refusal::ShuttingDown);
            }
        }
    }

    /// The next events that are there; none where there are none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next_there(&mut self) -> Result<Vec<RecordedEvent>, Refusal> {
        let latest = self.control.last_event().await?;
        let EventPage { events, .. } = self.control.events(self.filter.clone(), EVENTS_PAGE_MAX).await?;
        // What is not wanted is not looked at again.
        let read_to = events.last().map_or(latest, |last| last.id);
        self.filter.after = self.filter.after.max(Some(read_to));
        Ok(events)
    }

    /// The number of the last event that it has looked at.
    #[must_use]
    pub fn read_to(&self) -> Option<u64> {
        self.filter.after
    }
}

/// The number of the latest event that a store has; 0 where there is none.
pub(crate) async fn last_event(store: &dyn Store) -> Result<u64, StoreError> {
    let page = store.events(EventFilter::default(), 1).await?;
    Ok(page.events.first().map_or(0, |last| last.id))
}

impl Control {
    /// Follows the log: from `after` on where the filter says so, else from now on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn follow(&self, filter: EventFilter) -> Result<Follower, Refusal> {
        let recorded = self.inner.recorded.subscribe();
        let after = match filter.after {
            Some(after) => after,
            None => self.last_event().await?,
        };
        let filter = EventFilter { after: Some(after), before: None, order: EventOrder::OldestFirst, ..filter };
        Ok(Follower { control: self.clone(), filter, recorded })
    }

    /// The number of the last event that was recorded before this server opened its store; 0 where there was none. What it
    /// has recorded itself comes after: also the ends of runs that it found active.
    #[must_use]
    pub fn recorded_before(&self) -> u64 {
        self.inner.recorded_before
    }

    /// The number of the latest event; 0 where there is none.
    pub(crate) async fn last_event(&self) -> Result<u64, Refusal> {
        Ok(last_event(&*self.inner.store).await?)
    }

    /// Appends an event that comes with no change.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn note_event(&self, event: Event) -> Result<(), Refusal> {
        self.inner.store.append(vec![event]).await?;
        self.tell_followers();
        Ok(())
    }

    /// Wakes those who follow the log. To be called after whatever brings events is recorded.
    pub(crate) fn tell_followers(&self) {
        self.inner.recorded.send_replace(());
    }
}
