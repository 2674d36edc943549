//! Streams of changes, and those of events by OFREP: how many were opened, and why they ended.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StreamEnd {
    /// Its client went, or what is between them did.
    ClientGone,
    /// Its client was too slow, and was dropped.
    Lagged,
    /// Its client is let in no longer.
    ShutOut,
    /// The server stops.
    Stopping,
}

impl StreamEnd {
    /// Those of streams of changes.
    const ALL: [Self; 4] = [Self::ClientGone, Self::Lagged, Self::ShutOut, Self::Stopping];

    /// Those of streams by OFREP: what they tell is little, and never waits for its client.
    const OFREP: [Self; 3] = [Self::ClientGone, Self::ShutOut, Self::Stopping];

    const fn as_str(self) -> &'static str {
        match self {
            Self::ClientGone => "client_gone",
            Self::Lagged => "lagged",
            Self::ShutOut => "shut_out",
            Self::Stopping => "stopping",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// What is counted of streams.
#[derive(Debug)]
pub(crate) struct StreamMetrics {
    open: Gauge,
    opened: Counter,
    ended: Arc<Family<Reason, Counter>>,
}

/// An open stream: counted as ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    open: Gauge,
    ended: Arc<Family<Reason, Counter>>,
    /// Why it would end if it did now.
    pub(crate) end: StreamEnd,
}

impl StreamMetrics {
    /// Streams of changes. How many are open is read from where they are served.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self::beginning(&StreamEnd::ALL);
        registry.register("daybreak_streams_opened", "Streams of changes that were opened", metrics.opened.clone());
        let ended = Family::clone(&metrics.ended);
        registry.register("daybreak_streams_ended", "Streams of changes that ended, by why", ended);
        metrics
    }

    /// Streams that tell pages when to ask by OFREP again.
    pub(super) fn ofrep(registry: &mut Registry) -> Self {
        let metrics = Self::beginning(&StreamEnd::OFREP);
        let help = "OFREP's streams of events that are open";
        registry.register("daybreak_ofrep_streams", help, metrics.open.clone());
        let help = "OFREP's streams of events that were opened";
        registry.register("daybreak_ofrep_streams_opened", help, metrics.opened.clone());
        let (help, ended) = ("OFREP's streams of events that ended, by why", Family::clone(&metrics.ended));
        registry.register("daybreak_ofrep_streams_ended", help, ended);
        metrics
    }

    fn beginning(ends: &[StreamEnd]) -> Self {
        let ended = Family::<Reason, Counter>::default();
        for end in ends {
            drop(ended.get_or_create_owned(&Reason { reason: end.as_str() }));
        }
        Self { open: Gauge::default(), opened: Counter::default(), ended: Arc::new(ended) }
    }

    /// Counts a stream that is opened.
    pub(crate) fn open(&self) -> Counted {
        self.opened.inc();
        self.open.inc();
        Counted { open: self.open.clone(), ended: Arc::clone(&self.ended), end: StreamEnd::ClientGone }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.dec();
        self.ended.get_or_create(&Reason { reason: self.end.as_str() }).inc();
    }
}
