//! What the server counts and measures, for Prometheus: `GET /metrics`.
//!
//! What happens is counted as it happens (`http`, `events`, `streams`); what stands is read when it is asked for
//! (`scrape`). No label takes values without end: what clients name is counted by name up to a bound, and as
//! `_other` beyond it.

pub mod accept;
mod door;
mod events;
mod family;
pub mod http;
mod process;
mod scrape;
mod streams;
mod totals;

use std::fmt;

use daybreak_control::Control;
use opentelemetry::trace::{SpanContext, TraceId};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text, text};
use prometheus_client::metrics::exemplar::CounterWithExemplar;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

pub use accept::Form;
pub use door::DoorMetrics;
pub(crate) use streams::{Counted, StreamEnd};

use crate::telemetry::Outcome;
use events::EventMetrics;
use http::HttpMetrics;
use streams::StreamMetrics;
use totals::{OfRun, Totals};

/// What leads from a number to a span.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Trace {
    trace_id: String,
    span_id: String,
}

impl Trace {
    fn of(span: &SpanContext) -> Self {
        Self { trace_id: span.trace_id().to_string(), span_id: span.span_id().to_string() }
    }
}

/// What leads from a count to a trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WholeTrace {
    trace_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeOutcome {
    outcome: &'static str,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Connections.
    pub door: DoorMetrics,
    /// Requests.
    pub http: HttpMetrics,
    /// What the log of events tells.
    pub(crate) events: EventMetrics,
    /// Streams of changes.
    pub(crate) streams: StreamMetrics,
    /// Streams that tell when to ask by OFREP again.
    pub(crate) ofrep_streams: StreamMetrics,
    changes: Family<ChangeOutcome, CounterWithExemplar<WholeTrace>>,
    totals: Totals,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let changes = Family::<ChangeOutcome, CounterWithExemplar<WholeTrace>>::default();
        registry.register(
            "daybreak_changes",
            "Changes that were asked for over the API, by what came of them",
            changes.clone(),
        );
        for outcome in Outcome::ALL {
            drop(changes.get_or_create_owned(&ChangeOutcome { outcome: outcome.as_str() }));
        }
        Self {
            door: DoorMetrics::new(&mut registry),
            http: HttpMetrics::new(&mut registry),
            events: EventMetrics::new(&mut registry),
            streams: StreamMetrics::new(&mut registry),
            ofrep_streams: StreamMetrics::ofrep(&mut registry),
            changes,
            totals: Totals::default(),
            registry,
        }
    }
}

impl Metrics {
    /// Notes what was counted before the server started.
    pub fn begin(&self, control: &Control) {
        self.totals.begin(control.runs().iter().filter(|run| !run.active).map(OfRun::from));
    }

    /// Counts a change that was asked for, with the trace that it was part of.
    pub(crate) fn changed(&self, outcome: Outcome, trace: Option<TraceId>) {
        let exemplar = trace.map(|trace| WholeTrace { trace_id: trace.to_string() });
        self.changes.get_or_create(&ChangeOutcome { outcome: outcome.as_str() }).inc_by(1, exemplar, None);
    }

    /// Everything, in the form that was asked for. `latest` is the number of the last event.
    ///
    /// # Errors
    /// None that is known: it is written to memory.
    pub fn write(&self, control: &Control, latest: Option<u64>, form: Form) -> Result<String, fmt::Error> {
        let mut standing = Registry::default();
        standing.register_collector(Box::new(scrape::read(control, latest, &self.totals)));
        let mut written = String::new();
        match form {
            Form::OpenMetrics => {
                text::encode_registry(&mut written, &self.registry)?;
                text::encode_registry(&mut written, &standing)?;
                text::encode_eof(&mut written)?;
            }
            Form::Prometheus => {
                prometheus_text::encode(&mut written, &self.registry)?;
                prometheus_text::encode(&mut written, &standing)?;
            }
        }
        Ok(written)
    }
}
