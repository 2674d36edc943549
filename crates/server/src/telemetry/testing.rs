//! What tests of telemetry begin with.

use std::sync::Arc;

use daybreak_control::clock::ManualClock;
use daybreak_control::{Control, Options};
use daybreak_model::wire::StoreId;
use daybreak_store::{MemoryOptions, MemoryStore};

use super::Telemetry;
use crate::metrics::Metrics;

/// A control of nothing, in memory, and what tells of it.
pub(crate) async fn open() -> (Control, Telemetry) {
    let store = MemoryStore::open(MemoryOptions::new(StoreId::new(7))).unwrap();
    let clock = ManualClock::new("2026-11-23T09:30:00Z".parse().unwrap());
    let control = Control::open(Options::new("test"), Arc::new(store), Arc::new(clock), [7; 32]).await.unwrap();
    (control, Telemetry::new(Arc::new(Metrics::default())))
}
