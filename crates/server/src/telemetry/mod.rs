//! What the server tells of its own work: a span of each request, one wide event of each change and of each run, a span of
//! what the guard decided, and how long requests took.
//!
//! Where no collector is named there are no spans, and what is left are two looks at a clock.

mod change;
mod decisions;
pub mod facts;
mod request;
mod run;
mod span;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;

use daybreak_model::RunId;
use opentelemetry::trace::SpanContext;
use parking_lot::Mutex;

pub use change::Outcome;
pub use decisions::follow;
pub(crate) use request::observe;
pub(crate) use span::known;

use crate::metrics::Metrics;

/// What spans and tracers are named by.
const SCOPE: &str = "daybreak";
/// Starts whose trace is remembered until their run is told of.
const STARTS_MAX: usize = 1_000;

/// What all workers share to tell of their work.
#[derive(Clone, Debug)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    traces: bool,
    starts: Arc<Mutex<BTreeMap<RunId, SpanContext>>>,
}

impl Telemetry {
    /// With these metrics, and without traces.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, traces: false, starts: Arc::default() }
    }

    /// The same, with traces or without.
    #[must_use]
    pub fn traced(self, traces: bool) -> Self {
        Self { traces, ..self }
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Remembers in what trace a run was started.
    fn remember_start(&self, run: RunId, span: SpanContext) {
        let mut starts = self.starts.lock();
        if starts.len() >= STARTS_MAX {
            starts.pop_first();
        }
        starts.insert(run, span);
    }

    /// In what trace a run was started, where that is known.
    fn start_of(&self, run: RunId) -> Option<SpanContext> {
        self.starts.lock().get(&run).cloned()
    }

    /// Forgets in what trace a run was started.
    fn forget_start(&self, run: RunId) {
        self.starts.lock().remove(&run);
    }
}
