//! What the log of events tells: halts, starts that were refused, how runs ended and what they showed.

use daybreak_control::{Event, RefusalCode};
use daybreak_model::{Cause, Ended, EventKind};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::Value as Json;

/// What a schedule's start came too late for.
const MISSED: &str = "missed";
/// What has no name here.
const OTHER: &str = "other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    ended: String,
    cause: String,
}

impl End {
    /// Reads `aborted: harm`.
    fn read(text: &str) -> Self {
        let (ended, cause) = text.split_once(": ").unwrap_or((text, ""));
        Self { ended: ended.to_owned(), cause: cause.to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdict {
    verdict: String,
}

/// What is counted of events.
#[derive(Debug)]
pub(crate) struct EventMetrics {
    events: Family<Kind, Counter>,
    halts: Counter,
    refusals: Family<Refusal, Counter>,
    started: Counter,
    ended: Family<End, Counter>,
    concluded: Family<Verdict, Counter>,
}

impl EventMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            events: Family::default(),
            halts: Counter::default(),
            refusals: Family::default(),
            started: Counter::default(),
            ended: Family::default(),
            concluded: Family::default(),
        };
        registry.register("daybreak_events", "Events of the log, by kind", metrics.events.clone());
        registry.register("daybreak_halts", "Times that everything was halted", metrics.halts.clone());
        let help = "Reasons that stood against starts, by code; those that were only tried do not count";
        registry.register("daybreak_start_refusals", help, metrics.refusals.clone());
        registry.register("daybreak_runs_started", "Runs that were started", metrics.started.clone());
        registry.register("daybreak_runs_ended", "Runs that ended, by how and why", metrics.ended.clone());
        registry.register("daybreak_runs_concluded", "Runs that were concluded, by verdict", metrics.concluded.clone());
        metrics.begin();
        metrics
    }

    /// What has not happened is 0, and no gap: an alert could not see it grow.
    fn begin(&self) {
        let codes = RefusalCode::ALL.iter().map(|code| code.as_str()).chain([MISSED]);
        codes.for_each(|code| drop(self.refusals.get_or_create_owned(&Refusal { code })));
        for verdict in ["resilient", "harmful", "inconclusive"] {
            drop(self.concluded.get_or_create_owned(&Verdict { verdict: verdict.to_owned() }));
        }
        let ends = Cause::ALL.map(Ended::Aborted).into_iter().chain([Ended::Completed, Ended::Stopped]);
        ends.for_each(|ended| drop(self.ended.get_or_create_owned(&End::read(&ended.to_string()))));
        for kind in EventKind::all() {
            drop(self.events.get_or_create_owned(&Kind { kind: kind.to_string() }));
        }
    }

    /// Counts what stood against a start.
    pub(crate) fn refused(&self, refusals: &[RefusalCode]) {
        for code in refusals {
            self.refusals.get_or_create(&Refusal { code: code.as_str() }).inc();
        }
    }

    /// Counts an event.
    pub(crate) fn happened(&self, event: &Event) {
        let known = EventKind::named(&event.kind);
        let kind = known.map_or_else(|| OTHER.to_owned(), |kind| kind.to_string());
        self.events.get_or_create(&Kind { kind }).inc();
        let text = |field: &str| event.data.get(field).and_then(Json::as_str).unwrap_or(OTHER).to_owned();
        match known {
            Some(EventKind::HaltSet) => _ = self.halts.inc(),
            Some(EventKind::RunStarted) => _ = self.started.inc(),
            Some(EventKind::RunEnded) => {
                self.ended.get_or_create(&End::read(&text("ended"))).inc();
            }
            Some(EventKind::RunConcluded) => {
                self.concluded.get_or_create(&Verdict { verdict: text("verdict") }).inc();
            }
            Some(EventKind::ScheduleSkipped) => self.skipped(event),
            _ => {}
        }
    }

    /// A schedule's start has no answer that could be counted.
    fn skipped(&self, event: &Event) {
        let reasons = event.data.get("reasons").and_then(Json::as_array).into_iter().flatten();
        for code in reasons.filter_map(|reason| reason.get("code")?.as_str()) {
            let known = RefusalCode::ALL.iter().map(|code| code.as_str()).find(|known| *known == code);
            self.refusals.get_or_create(&Refusal { code: known.unwrap_or(MISSED) }).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use prometheus_client::encoding::prometheus_text;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_not_happened_is_zero_and_what_happens_adds_no_series() {
        let mut registry = Registry::default();
        let metrics = EventMetrics::new(&mut registry);
        let series = || {
            let mut text = String::new();
            prometheus_text::encode(&mut text, &registry).unwrap();
            let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect();
            let (ended, events): (Vec<_>, Vec<_>) = (of("daybreak_runs_ended_total{"), of("daybreak_events_total{"));
            (ended, events)
        };
        let (ended, events) = series();
        assert!(ended.iter().chain(&events).all(|line| line.ends_with(" 0")), "{ended:#?} {events:#?}");
        assert_eq!((ended.len(), events.len()), (Cause::ALL.len() + 2, EventKind::all().count()));
        assert!(ended.len() < 20 && events.len() < 60, "as the page says");
        for cause in Cause::ALL {
            let data = json!({ "ended": Ended::Aborted(cause).to_string() });
            let (at, kind) = (Timestamp::UNIX_EPOCH, EventKind::RunEnded.into());
            metrics.happened(&Event { at, kind, subject: None, actor: None, reason: None, data });
        }
        let (after, _) = series();
        let counted = after.iter().filter(|line| line.contains("ended=\"aborted\"") && line.ends_with(" 1")).count();
        assert_eq!((after.len(), counted), (ended.len(), Cause::ALL.len()), "{after:#?}");
    }
}
