//! Fault points, as the live clients report them.

use std::collections::BTreeMap;

use daybreak_model::Key;
use daybreak_model::wire::PointCounts;
use serde::Serialize;

use super::Client;

/// A fault point and its traffic, over all live clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultPoint {
    /// Live clients that know it.
    pub clients: usize,
    /// Those of them that permit faults at it.
    pub permitting: usize,
    /// Passes since each client's start, those without a scope included.
    pub passes: u64,
    /// Passes without a scope: they can never be struck.
    pub unscoped: u64,
    /// By service.
    pub services: BTreeMap<String, PointInService>,
}

/// A fault point in one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PointInService {
    /// Live clients of the service that know it.
    pub clients: usize,
    /// Root requests that passed it at least once, by operation, since each client's start.
    pub requests: BTreeMap<String, u64>,
}

impl FaultPoint {
    /// Adds what one live client reports of it.
    fn add(&mut self, client: &Client, key: &Key, counts: &PointCounts) {
        self.clients += 1;
        self.permitting += usize::from(client.permits(key));
        self.passes = self.passes.saturating_add(counts.passes);
        self.unscoped = self.unscoped.saturating_add(counts.unscoped);
        let service = self.services.entry(client.service.clone()).or_default();
        service.clients += 1;
        for (operation, requests) in &counts.requests {
            let sum = service.requests.entry(operation.clone()).or_default();
            *sum = sum.saturating_add(*requests);
        }
    }
}

/// Every fault point that some live clients know.
#[must_use]
pub fn fault_points<'c>(live: impl IntoIterator<Item = &'c Client>) -> BTreeMap<Key, FaultPoint> {
    let mut points: BTreeMap<Key, FaultPoint> = BTreeMap::new();
    for client in live {
        for (key, counts) in &client.points {
            points.entry(key.clone()).or_default().add(client, key, counts);
        }
    }
    points
}

/// One fault point, as some live clients know it; all zero where none of them does.
#[must_use]
pub fn fault_point<'c>(key: &Key, live: impl IntoIterator<Item = &'c Client>) -> FaultPoint {
    let mut point = FaultPoint::default();
    for client in live {
        client.points.get(key).into_iter().for_each(|counts| point.add(client, key, counts));
    }
    point
}
