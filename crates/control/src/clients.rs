//! Clients and fault points, as people see them; and waiting until a change has reached the clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daybreak_guard::clients::{Client, FaultPoint, fault_points};
use daybreak_model::wire::{ClientState, Position};
use daybreak_model::{Key, Millis, RunId};
use serde::Serialize;

use crate::Control;

/// A client process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientView {
    /// What it reports.
    #[serde(flatten)]
    pub client: Arc<Client>,
    /// Whether it reported lately, and has not said goodbye.
    pub live: bool,
    /// Whether it serves what the server does.
    pub up_to_date: bool,
}

/// A fault point, over all live clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FaultPointView {
    /// What the clients report.
    #[serde(flatten)]
    pub point: FaultPoint,
    /// The faults that are defined for it.
    pub faults: Vec<Key>,
    /// The runs that are active at it.
    pub runs: Vec<RunId>,
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// Live clients that follow the stream.
    pub clients: usize,
    /// Those of them that serve the change, or a later one.
    pub having: usize,
    /// How long the slowest of them took to say so, or how long was waited in vain.
    pub slowest: Millis,
}

impl Control {
    /// All clients, silent ones too for some minutes.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientView> {
        let (now, position) = (self.inner.clock.now(), self.position());
        let clients = self.inner.clients.lock().snapshot();
        let view = |client: Arc<Client>| ClientView {
            live: client.is_live(now),
            up_to_date: client.position == Some(position),
            client,
        };
        clients.into_iter().map(view).collect()
    }

    /// All fault points that live clients know, or faults name.
    #[must_use]
    pub fn fault_points(&self) -> BTreeMap<Key, FaultPointView> {
        let (clients, now) = (self.inner.clients.lock().snapshot(), self.inner.clock.now());
        let reported = fault_points(clients.iter().map(Arc::as_ref).filter(|client| client.is_live(now)));
        let view = |point| FaultPointView { point, ..FaultPointView::default() };
        let mut points: BTreeMap<_, _> = reported.into_iter().map(|(key, point)| (key, view(point))).collect();
        for (key, fault) in &self.state().resources().faults {
            points.entry(fault.point.clone()).or_default().faults.push(key.clone());
        }
        let active: Vec<_> = self.inner.runs.lock().active().cloned().collect();
        for run in active {
            points.entry(run.spec.point.clone()).or_default().runs.push(run.id);
        }
        points
    }

    /// Waits until all live clients that follow the stream serve a position, but not for longer than `wait`.
    pub async fn reached(&self, position: Position, wait: Duration) -> Reached {
        let since = self.inner.clock.elapsed();
        let all = async {
            loop {
                let reported = self.inner.reported.notified();
                tokio::pin!(reported);
                reported.as_mut().enable();
                let reached = self.reached_now(position);
                if reached.having >= reached.clients {
                    return reached;
                }
                reported.await;
            }
        };
        let reached = tokio::time::timeout(wait, all).await.unwrap_or_else(|_| self.reached_now(position));
        let took = self.inner.clock.elapsed().saturating_sub(since);
        Reached { slowest: Millis::new(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)), ..reached }
    }

    fn reached_now(&self, position: Position) -> Reached {
        let clients = self.inner.clients.lock();
        let mut reached = Reached::default();
        let live = clients.live(self.inner.clock.now());
        for client in live.filter(|client| client.state == ClientState::Streaming) {
            let has = |at: Position| at.store == position.store && at.revision >= position.revision;
            reached.clients += 1;
            reached.having += usize::from(client.position.is_some_and(has));
        }
        reached
    }
}
