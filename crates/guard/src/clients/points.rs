//! Fault points, as the live clients report them.

use std::collections::BTreeMap;

use daybreak_model::Key;
use jiff::Timestamp;
use serde::Serialize;

use super::Clients;

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

impl Clients {
    /// Every fault point that a live client knows.
    #[must_use]
    pub fn fault_points(&self, now: Timestamp) -> BTreeMap<Key, FaultPoint> {
        let mut points: BTreeMap<Key, FaultPoint> = BTreeMap::new();
        for client in self.live(now) {
            for (key, counts) in &client.points {
                let point = points.entry(key.clone()).or_default();
                point.clients += 1;
                point.permitting += usize::from(client.permits(key));
                point.passes = point.passes.saturating_add(counts.passes);
                point.unscoped = point.unscoped.saturating_add(counts.unscoped);
                let service = point.services.entry(client.service.clone()).or_default();
                service.clients += 1;
                for (operation, requests) in &counts.requests {
                    let sum = service.requests.entry(operation.clone()).or_default();
                    *sum = sum.saturating_add(*requests);
                }
            }
        }
        points
    }

    /// One fault point; all zero where no live client knows it.
    #[must_use]
    pub fn fault_point(&self, key: &Key, now: Timestamp) -> FaultPoint {
        self.fault_points(now).remove(key).unwrap_or_default()
    }
}
