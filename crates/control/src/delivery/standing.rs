//! How clients stand, in one word for people.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daybreak_guard::clients::Client;
use daybreak_model::InstanceId;
use daybreak_model::wire::{ClientState, Position, Sdk};
use jiff::Timestamp;
use serde::Serialize;

use super::HistogramView;
use crate::Control;

/// A client that reports so long after a change without having it is lagging.
const GRACE: Duration = Duration::from_secs(2);

/// How a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It gets changes, and had those that it should when it told last.
    Connected,
    /// It reports, and does not have what was published before.
    Lagging,
    /// It reports, but gets no changes: it serves what it had.
    Stale,
    /// It has no flags yet.
    Starting,
    /// It has fallen silent without a goodbye.
    Lost,
    /// It said goodbye.
    Gone,
}

impl Standing {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 6] = [Self::Connected, Self::Lagging, Self::Stale, Self::Starting, Self::Lost, Self::Gone];

    /// The word for it, as the API has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Lagging => "lagging",
            Self::Stale => "stale",
            Self::Starting => "starting",
            Self::Lost => "lost",
            Self::Gone => "gone",
        }
    }
}

/// A client without its counters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientSummary {
    /// This start of this process.
    pub client: InstanceId,
    /// The service that it is part of.
    pub service: String,
    /// How it stands.
    pub standing: Standing,
    /// How it gets its changes.
    pub state: ClientState,
    /// The position of the flags that it served when it told last.
    pub position: Option<Position>,
    /// Revisions that it was behind the server of now; none where it has another store's, or none.
    pub behind: Option<u64>,
    /// The SDK.
    pub sdk: Sdk,
    /// When it was first heard.
    pub first_heard: Timestamp,
    /// When it was last heard.
    pub last_heard: Timestamp,
}

/// How changes come to clients.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeliveryView {
    /// Where the server stands.
    pub position: Position,
    /// Streams that are open.
    pub streams: usize,
    /// Clients by how they stand.
    pub clients: BTreeMap<Standing, usize>,
    /// From a change's publication until a client served it, by the stream.
    pub streaming: HistogramView,
    /// The same by polling.
    pub polling: HistogramView,
}

/// Revisions that a client is behind.
pub(crate) fn behind(position: Option<Position>, own: Position) -> Option<u64> {
    position.filter(|at| at.store == own.store).map(|at| own.revision.saturating_sub(at.revision))
}

/// How a client stands. `published` tells when a revision was, on the wall clock.
fn standing(client: &Client, own: Position, now: Timestamp, published: impl Fn(u64) -> Option<Timestamp>) -> Standing {
    let Some(position) = client.position else {
        return if client.goodbye {
            Standing::Gone
        } else if client.is_live(now) {
            Standing::Starting
        } else {
            Standing::Lost
        };
    };
    let next = || published(position.revision.saturating_add(1));
    let late = || {
        next().is_none_or(|at| client.last_heard.duration_since(at).unsigned_abs() > GRACE && client.last_heard > at)
    };
    match client.state {
        _ if client.goodbye => Standing::Gone,
        _ if !client.is_live(now) => Standing::Lost,
        ClientState::Starting => Standing::Starting,
        ClientState::Disconnected => Standing::Stale,
        _ if position.store != own.store => Standing::Lagging,
        _ if position.revision < own.revision && late() => Standing::Lagging,
        _ => Standing::Connected,
    }
}

impl Control {
    /// How a client stands.
    pub(crate) fn standing(&self, client: &Client) -> Standing {
        let (now, elapsed) = (self.inner.clock.now(), self.inner.clock.elapsed());
        let published = |revision| {
            let age = elapsed.saturating_sub(self.inner.hub.published_at(revision)?);
            now.checked_sub(age).ok()
        };
        standing(client, self.position(), now, published)
    }

    /// All clients, silent ones too for some minutes, without their counters: by service.
    #[must_use]
    pub fn client_summaries(&self) -> Vec<ClientSummary> {
        let own = self.position();
        let clients = self.inner.clients.lock().snapshot();
        let summary = |client: Arc<Client>| ClientSummary {
            client: client.client,
            service: client.service.clone(),
            standing: self.standing(&client),
            state: client.state,
            position: client.position,
            behind: behind(client.position, own),
            sdk: client.sdk.clone(),
            first_heard: client.first_heard,
            last_heard: client.last_heard,
        };
        let mut summaries: Vec<_> = clients.into_iter().map(summary).collect();
        summaries.sort_by(|one, other| (&one.service, one.client).cmp(&(&other.service, other.client)));
        summaries
    }

    /// Clients by how they stand.
    #[must_use]
    pub fn standings(&self) -> BTreeMap<Standing, usize> {
        let clients = self.inner.clients.lock().snapshot();
        let mut standings = BTreeMap::new();
        clients.iter().for_each(|client| *standings.entry(self.standing(client)).or_default() += 1);
        standings
    }

    /// How changes come to clients.
    #[must_use]
    pub fn delivery(&self) -> DeliveryView {
        let (streamed, polled) = self.deliveries();
        DeliveryView {
            position: self.position(),
            streams: self.open_streams(),
            clients: self.standings(),
            streaming: streamed.view(),
            polling: polled.view(),
        }
    }
}
