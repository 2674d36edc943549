//! Requests: how many, and how long they took.

use std::sync::OnceLock;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use opentelemetry::trace::SpanContext;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::registry::Registry;

use super::Trace;
use crate::roles::{self, Row};
use crate::telemetry::known;

/// Upper bounds in seconds: most answers take less than a millisecond; what waits for the disk or for clients takes longer.
const BOUNDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// The route of what has none.
const UNROUTED: &str = "";

/// What was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// How it was asked.
    pub method: &'a Method,
    /// For what; none where there is no such route.
    pub row: Option<&'static Row>,
    /// What came of it.
    pub status: StatusCode,
    /// Until the head of the answer was there.
    pub took: Duration,
}

/// The names are those of OpenTelemetry's conventions, as Prometheus writes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    http_request_method: &'static str,
    http_route: &'static str,
    http_response_status_code: u64,
}

#[derive(Clone, Copy, Debug)]
struct Buckets;

impl MetricConstructor<Durations> for Buckets {
    fn new_metric(&self) -> Durations {
        HistogramWithExemplars::new(BOUNDS.into_iter())
    }
}

type Durations = HistogramWithExemplars<Trace>;

/// What is counted of requests.
#[derive(Debug)]
pub struct HttpMetrics {
    durations: Family<Request, Durations, Buckets>,
    /// Those of what is answered with 200, by the place of its row: for them nobody hashes words.
    usual: Box<[OnceLock<Durations>]>,
}

impl HttpMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let durations = Family::new_with_constructor(Buckets);
        registry.register(
            "http_server_request_duration_seconds",
            "Time until the head of the answer was there, by method, route and status",
            durations.clone(),
        );
        Self { durations, usual: roles::all().iter().map(|_| OnceLock::new()).collect() }
    }

    /// Counts an answer, with what leads to its span.
    pub fn answered(&self, answered: &Answered<'_>, exemplar: Option<SpanContext>) {
        let (seconds, exemplar) = (answered.took.as_secs_f64(), exemplar.map(|span| Trace::of(&span)));
        match self.usual(answered) {
            Some(usual) => usual.observe(seconds, exemplar, None),
            None => self.durations.get_or_create(&answered.labels()).observe(seconds, exemplar, None),
        }
    }

    /// What most answers are counted by. HEAD is not the method of any row.
    fn usual(&self, answered: &Answered<'_>) -> Option<&Durations> {
        let row = answered.row.filter(|row| answered.status == StatusCode::OK && *answered.method == row.method)?;
        let make = || self.durations.get_or_create_owned(&answered.labels());
        Some(self.usual.get(row.place?)?.get_or_init(make))
    }
}

impl Answered<'_> {
    fn labels(&self) -> Request {
        Request {
            http_request_method: known(self.method),
            http_route: self.row.map_or(UNROUTED, Row::route),
            http_response_status_code: self.status.as_u16().into(),
        }
    }
}
