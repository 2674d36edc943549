//! Streams of changes: how many were opened, and why they ended.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
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
    const ALL: [Self; 4] = [Self::ClientGone, Self::Lagged, Self::ShutOut, Self::Stopping];

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
    opened: Counter,
    ended: Arc<Family<Reason, Counter>>,
}

/// An open stream: counted as ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    ended: Arc<Family<Reason, Counter>>,
    /// Why it would end if it did now.
    pub(crate) end: StreamEnd,
}

impl StreamMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (opened, ended) = (Counter::default(), Family::<Reason, Counter>::default());
        registry.register("daybreak_streams_opened", "Streams of changes that were opened", opened.clone());
        registry.register("daybreak_streams_ended", "Streams of changes that ended, by why", ended.clone());
        for end in StreamEnd::ALL {
            drop(ended.get_or_create_owned(&Reason { reason: end.as_str() }));
        }
        Self { opened, ended: Arc::new(ended) }
    }

    /// Counts a stream that is opened.
    pub(crate) fn open(&self) -> Counted {
        self.opened.inc();
        Counted { ended: Arc::clone(&self.ended), end: StreamEnd::ClientGone }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.ended.get_or_create(&Reason { reason: self.end.as_str() }).inc();
    }
}
