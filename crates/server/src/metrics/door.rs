//! Connections: how many are open in each lane, and how many were told to come again.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::door::Lane;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    lane: &'static str,
}

impl From<Lane> for Labels {
    fn from(lane: Lane) -> Self {
        Self { lane: lane.as_str() }
    }
}

/// What is counted of connections. A clone counts in the same.
#[derive(Clone, Debug, Default)]
pub struct DoorMetrics {
    open: Family<Labels, Gauge>,
    refused: Family<Labels, Counter>,
}

impl DoorMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for lane in Lane::ALL {
            drop(metrics.open.get_or_create_owned(&lane.into()));
            drop(metrics.refused.get_or_create_owned(&lane.into()));
        }
        registry.register("daybreak_connections", "Connections that are open, by lane", metrics.open.clone());
        let help = "Connections that were told to come again, since as many were open as may be, by lane";
        registry.register("daybreak_connections_refused", help, metrics.refused.clone());
        metrics
    }

    pub(crate) fn opened(&self, lane: Lane) {
        self.open.get_or_create(&lane.into()).inc();
    }

    pub(crate) fn closed(&self, lane: Lane) {
        self.open.get_or_create(&lane.into()).dec();
    }

    pub(crate) fn refused(&self, lane: Lane) {
        self.refused.get_or_create(&lane.into()).inc();
    }
}
