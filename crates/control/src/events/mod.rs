//! The log as it grows: who appends to it, and who follows it.

mod recorder;
mod refused;
mod server;
#[cfg(test)]
mod tests;

use daybreak_store::{Event, EventFilter, EventOrder, EventPage, RecordedEvent};
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
    /// The next events: those that are there, or else those that come next.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next(&mut self) -> Result<Vec<RecordedEvent>, Refusal> {
        loop {
            // Before reading: what is recorded while it reads wakes it.
            self.recorded.mark_unchanged();
            let latest = self.control.last_event().await?;
            let EventPage { events, .. } = self.control.events(self.filter.clone(), EVENTS_PAGE_MAX).await?;
            if let Some(last) = events.last() {
                self.filter.after = Some(last.id);
                return Ok(events);
            }
            // What is not wanted is not looked at again.
            self.filter.after = self.filter.after.max(Some(latest));
            if self.recorded.changed().await.is_err() {
                return Err(Refusal::ShuttingDown);
            }
        }
    }

    /// The number of the last event that it has looked at.
    #[must_use]
    pub fn read_to(&self) -> Option<u64> {
        self.filter.after
    }
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

    /// The number of the latest event; 0 where there is none.
    pub(crate) async fn last_event(&self) -> Result<u64, Refusal> {
        let page = self.events(EventFilter::default(), 1).await?;
        Ok(page.events.first().map_or(0, |last| last.id))
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
