//! Flags and faults in the application's own traces, where it asks for that.
//!
//! An evaluation is an event `feature_flag.evaluation`, by OpenTelemetry's semantic conventions, and attributes of the
//! span in which it happened. A draw is an event `daybreak.draw`, a strike `daybreak.injection`; both are attributes of the
//! request's own span too, so that the arms can be compared where traces are kept.
//!
//! ```no_run
//! use daybreak_sdk::{Client, Telemetry};
//!
//! # fn main() -> Result<(), daybreak_sdk::BuildError> {
//! let client = Client::builder("http://localhost:8080").service("shop").telemetry(Telemetry::tracing().share(0.1)).build()?;
//! # Ok(())
//! # }
//! ```

mod names;
mod request;
mod span;
mod told;

use std::panic::{AssertUnwindSafe, catch_unwind};

use daybreak_model::{Arm, RunId};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) use names::millis;
pub(crate) use request::RequestTrace;
use span::Span;
use told::Told;

use crate::client::Evaluation;
use crate::scope::Scope;

/// Which traces are told of flags and faults: see [`Builder::telemetry`](crate::Builder::telemetry).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Telemetry {
    through: Through,
    share: f64,
}

/// What the application makes its spans with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Tracing,
    #[cfg(feature = "opentelemetry")]
    OpenTelemetry,
}

/// What is told of an evaluation beside what its hook is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ruleset<'e> {
    /// The environment.
    pub(crate) set: Option<&'e str>,
    /// The revision that last changed the flag.
    pub(crate) version: Option<u64>,
}

/// A request's draw by a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrawTold<'d> {
    pub(crate) run: RunId,
    pub(crate) fault: &'d str,
    pub(crate) point: &'d str,
    pub(crate) arm: Arm,
}

/// A strike of a run at a pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StrikeTold<'s> {
    pub(crate) run: RunId,
    pub(crate) fault: &'s str,
    pub(crate) point: &'s str,
    pub(crate) effect: &'s str,
    pub(crate) latency_ms: Option<u64>,
}

/// So that the traces of which evaluations are told depend on nothing else that is drawn by the same ids.
const SEED: u64 = 0x6461_7962_7265_616b;

impl Telemetry {
    /// Through `tracing`: events of the targets `daybreak::flag` and `daybreak::fault`, and fields of spans that declare
    /// them.
    #[must_use]
    pub const fn tracing() -> Self {
        Self { through: Through::Tracing, share: 1.0 }
    }

    /// Directly through OpenTelemetry: events and attributes of its current span, where that is recorded. Spans of
    /// `tracing` are current there too while the layer of tracing-opentelemetry is set up, as it is by default.
    #[cfg(feature = "opentelemetry")]
    #[must_use]
    pub const fn opentelemetry() -> Self {
        Self { through: Through::OpenTelemetry, share: 1.0 }
    }

    /// The share of traces, from 0 to 1, in which evaluations are told; all, unless said. A trace has all of its
    /// evaluations, or none. Draws and strikes are always told. What is no share is none: nothing is told.
    #[must_use]
    pub const fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Whether anybody records spans or events just now.
    pub(crate) fn is_heard(&self) -> bool {
        Span::is_recorded(self.through)
    }

    /// Tells of an evaluation.
    pub(crate) fn evaluated(&self, evaluation: &Evaluation<'_>, ruleset: Ruleset<'_>) {
        let Some(span) = Span::current(self.through) else { return };
        if !self.is_told(&span) {
            return;
        }
        span.evaluated(evaluation, ruleset);
        let Some(id) = span.id() else { return };
        // Conventions know one flag: the span's first. The others have an attribute each.
        let own = (names::FLAG_PREFIX, evaluation.flag);
        let [first, flag] = Told::here(|told| [told.is_new(id, names::KEY), told.is_new(id, &own)]);
        if first {
            span.set_all(&names::of_evaluation(evaluation, ruleset));
        }
        if let (true, Some(variant)) = (flag, evaluation.variant) {
            span.set_of(own, variant);
        }
    }

    /// Whether evaluations of this trace are told; where it has no id, of this request.
    fn is_told(&self, span: &Span) -> bool {
        if self.share >= 1.0 {
            return true;
        }
        let request = || Scope::current().map(|scope| scope.draw_key().bits());
        let id = span.trace().or_else(request).unwrap_or_else(rand::random);
        #[expect(clippy::cast_precision_loss, reason = "a share need not be that exact")]
        let drawn = xxh3_64_with_seed(&id.to_be_bytes(), SEED) as f64 / u64::MAX as f64;
        drawn < self.share
    }

    /// What a request that begins now keeps of its trace; `None` where that is not recorded.
    pub(crate) fn begin(&self) -> Option<RequestTrace> {
        tell("a request", || Span::current(self.through)).flatten().map(RequestTrace::new)
    }
}

/// Has the application's own code told of something. Its panics end here: the SDK never hurts its host.
pub(crate) fn tell<T>(what: &str, telling: impl FnOnce() -> T) -> Option<T> {
    let told = catch_unwind(AssertUnwindSafe(telling));
    if told.is_err() {
        // Who panicked may be who writes the log.
        let _ = catch_unwind(|| tracing::error!("who was told of {what} panicked"));
    }
    told.ok()
}
