//! How far changes have come: clients acknowledge revisions, and who made a change may wait for that.
//!
//! A client tells in each report where it stands and since when. So also one that reports seconds later tells how fast a
//! change was; and only where somebody waits are clients asked to tell at once, spread over a time that grows with their
//! number.

mod histogram;
mod published;
mod standing;
mod table;

use std::time::Duration;

use daybreak_guard::clients::Client;
use daybreak_model::limits::{ACKNOWLEDGEMENT_JITTER_MAX, ACKNOWLEDGEMENTS_PER_MS};
use daybreak_model::wire::{ClientState, Message, Position, Report};
use daybreak_model::{InstanceId, Millis};
use jiff::Timestamp;
use serde::Serialize;

use crate::{Control, resources};
use histogram::millis;
use table::{Lacking, Seen};

pub use histogram::{BOUNDS_MS, Bucket, Histogram, HistogramView};
pub(crate) use published::Published;
pub(crate) use standing::behind;
pub use standing::{ClientSummary, DeliveryView, Standing};
pub(crate) use table::Deliveries;

/// Clients without a change that an answer names.
const MISSING_SHOWN: usize = 20;

/// How far a change has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// The same in a sentence.
    pub summary: String,
    /// Clients that were live when the change was made, and have not left since.
    pub clients: usize,
    /// Those of them that serve the change, or a later one.
    pub having: usize,
    /// How long the slowest of those that have it took.
    pub slowest: Millis,
    /// Clients that said goodbye meanwhile.
    pub left: usize,
    /// How long was waited.
    pub waited: Millis,
    /// Those that have not told that they have it; twenty of them at most.
    pub missing: Vec<Laggard>,
}

/// A client that something has not reached, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Laggard {
    /// The client.
    pub client: InstanceId,
    /// Its service.
    pub service: String,
    /// How it gets its changes, as it told last.
    pub state: ClientState,
    /// Where it stood then.
    pub position: Option<Position>,
    /// How long ago it was heard.
    pub silent: Millis,
}

impl Laggard {
    /// A client as its last report shows it.
    pub(crate) fn of(client: &Client, now: Timestamp) -> Self {
        let silent = Duration::try_from(now.duration_since(client.last_heard)).unwrap_or_default();
        Self {
            client: client.client,
            service: client.service.clone(),
            state: client.state,
            position: client.position,
            silent: Millis::new(millis(silent)),
        }
    }

    /// The first of some, as many as an answer names.
    pub(crate) fn shown(all: impl Iterator<Item = Self>) -> Vec<Self> {
        all.take(MISSING_SHOWN).collect()
    }
}

impl Reached {
    fn new(seen: Seen, lacking: Vec<Lacking>, waited: Duration, now: Duration) -> Self {
        let laggard = |(client, told): Lacking| Laggard {
            client,
            service: told.service.to_string(),
            state: told.state,
            position: told.position,
            silent: Millis::new(millis(now.saturating_sub(told.heard))),
        };
        let reached = Self {
            summary: String::new(),
            clients: seen.clients,
            having: seen.having,
            slowest: Millis::new(millis(seen.slowest)),
            left: seen.left,
            waited: Millis::new(millis(waited)),
            missing: Laggard::shown(lacking.into_iter().map(laggard)),
        };
        Self { summary: reached.sentence(), ..reached }
    }

    fn sentence(&self) -> String {
        let Self { clients, having, slowest, .. } = self;
        let left = match self.left {
            0 => String::new(),
            left => format!("; {} left meanwhile", thousands(left)),
        };
        match (clients, clients - having) {
            (0, _) => format!("no client is there to have it{left}"),
            (1, 0) => format!("the one client has it, after {slowest}{left}"),
            (1, _) => format!("the one client does not have it after {}{left}", self.waited),
            (_, 0) => format!("all {} clients have it, slowest {slowest}{left}", thousands(*clients)),
            _ if *having == 0 => format!("none of {} clients has it after {}{left}", thousands(*clients), self.waited),
            _ => format!("{} of {} clients have it, slowest {slowest}{left}", thousands(*having), thousands(*clients)),
        }
    }
}

/// `1,000`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Ends to wait, also where whoever waited is gone.
struct Wait<'c> {
    control: &'c Control,
    number: u64,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let _ = self.control.inner.deliveries.lock().give_up(self.number);
    }
}

impl Control {
    /// Waits until all clients that are live now serve a position, but neither for longer than `wait` nor than the server
    /// lasts. It holds up nobody else.
    pub async fn reached(&self, position: Position, wait: Duration) -> Reached {
        let began = self.inner.clock.elapsed();
        let published = self.inner.hub.published_at(position.revision);
        let waiting = self.inner.deliveries.lock().wait(position, published, began);
        let Some((number, done)) = waiting else {
            let (seen, lacking) = self.inner.deliveries.lock().look(position, published, began);
            return Reached::new(seen, lacking, Duration::ZERO, began);
        };
        let waiting = Wait { control: self, number };
        // A change that was waited for asks by itself. One that changed nothing, or a stop, does not.
        if self.inner.deliveries.lock().asks(number) {
            self.ask_to_acknowledge();
        }
        // Either way it is told how things stand then.
        let _ = tokio::time::timeout(wait, done.notified()).await;
        let now = self.inner.clock.elapsed();
        let seen = self.inner.deliveries.lock().give_up(waiting.number);
        let (seen, lacking) = seen.unwrap_or_default();
        Reached::new(seen, lacking, now.saturating_sub(began), now)
    }

    /// Takes in where a client stands.
    pub(crate) fn acknowledged(&self, report: &Report, elapsed: Duration) {
        let published = |revision| self.inner.hub.published_at(revision);
        self.inner.deliveries.lock().heard(report, elapsed, self.position(), published);
    }

    /// Asks all clients to tell where they stand, by a change that changes nothing.
    fn ask_to_acknowledge(&self) {
        let jitter = self.acknowledgement_jitter();
        self.inner.hub.send_of_now(|| {
            let state = self.state();
            Message::Change(resources::to_wire(&state, state.position(), &[], Some(jitter)))
        });
    }

    /// A change asks clients to acknowledge it: within what time.
    pub(crate) fn asking_to_acknowledge(&self, revision: u64) -> Millis {
        self.inner.deliveries.lock().asked(revision);
        self.acknowledgement_jitter()
    }

    /// Tells all who wait how things stand: the server ends.
    pub(crate) fn end_waits(&self) {
        self.inner.deliveries.lock().close();
        self.inner.reported.notify_waiters();
    }

    /// How far clients should spread the acknowledgements of a change that somebody waits for.
    fn acknowledgement_jitter(&self) -> Millis {
        let clients = u64::try_from(self.open_streams()).unwrap_or(u64::MAX);
        Millis::new(clients / ACKNOWLEDGEMENTS_PER_MS).min(ACKNOWLEDGEMENT_JITTER_MAX)
    }

    /// How long changes took to reach clients since this server's start: by the stream, and by polling.
    #[must_use]
    pub fn deliveries(&self) -> (Histogram, Histogram) {
        let deliveries = self.inner.deliveries.lock();
        (deliveries.streamed, deliveries.polled)
    }
}

#[cfg(test)]
mod tests;
