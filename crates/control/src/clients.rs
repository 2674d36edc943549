//! Clients and fault points, as people see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use daybreak_guard::clients::{Client, FaultPoint, fault_points};
use daybreak_model::{Key, RunId};
use serde::Serialize;

use crate::delivery::behind;
use crate::{Control, Standing};

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
    /// How it stands.
    pub standing: Standing,
    /// Revisions that it is behind; none where it has another store's, or none.
    pub behind: Option<u64>,
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

impl Control {
    /// All clients, silent ones too for some minutes: in the order of their ids.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientView> {
        let (now, position) = (self.inner.clock.now(), self.position());
        let clients = self.inner.clients.lock().snapshot();
        let view = |client: Arc<Client>| ClientView {
            live: client.is_live(now),
            up_to_date: client.position == Some(position),
            standing: self.standing(&client),
            behind: behind(client.position, position),
            client,
        };
        clients.into_iter().map(view).collect()
    }

    /// How often clients struck for runs that were over, or never were, since the server started: always to be 0. What is told
    /// late of strikes before does not count.
    #[must_use]
    pub fn stray_strikes(&self) -> u64 {
        self.inner.clients.lock().stray_strikes()
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
}
