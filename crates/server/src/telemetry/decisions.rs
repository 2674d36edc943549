//! Follows the log of events: each is counted, each decision of the guard is a span, and each run is told of once it is
//! concluded.

use std::time::{Duration, SystemTime};

use daybreak_control::{Control, EventFilter, RecordedEvent};
use daybreak_model::{EventKind, RunId};
use opentelemetry::trace::{Link, Span, SpanKind, Tracer};
use opentelemetry::{Context, KeyValue, Value, global};
use serde_json::Value as Json;

use super::span::{cut, texts};
use super::{SCOPE, Telemetry, run};

/// The wait after the store failed.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// Kinds of events that are decisions about runs: whether one may start, and when it must end.
const DECISIONS: [EventKind; 6] = [
    EventKind::RunStarted,
    EventKind::RunEnded,
    EventKind::StartRefused,
    EventKind::ScheduleSkipped,
    EventKind::HaltSet,
    EventKind::HaltLifted,
];

/// Tells of events as they are recorded, also of what the server recorded when it opened: until `ended` is ready, and then of
/// what is there.
pub async fn follow(control: Control, telemetry: Telemetry, ended: impl Future<Output = ()>) {
    let mut told_to = control.recorded_before();
    tokio::select! {
        biased;
        () = ended => {}
        () = go_on(&control, &telemetry, &mut told_to) => {}
    }
    let Ok(mut follower) = control.follow(after(told_to)).await else { return };
    while let Ok(events) = follower.next_there().await
        && !events.is_empty()
    {
        events.iter().for_each(|recorded| telemetry.happened(&control, recorded));
    }
}

/// Tells of events for ever. `told_to` is the number of the last one.
async fn go_on(control: &Control, telemetry: &Telemetry, told_to: &mut u64) {
    loop {
        match control.follow(after(*told_to)).await {
            Ok(mut follower) => {
                while let Ok(events) = follower.next().await {
                    events.iter().for_each(|recorded| telemetry.happened(control, recorded));
                    *told_to = follower.read_to().unwrap_or(*told_to);
                }
            }
            Err(error) => tracing::debug!(%error, "the log cannot be followed; it is tried on"),
        }
        tokio::time::sleep(STORE_WAIT).await;
    }
}

fn after(event: u64) -> EventFilter {
    EventFilter { after: Some(event), ..EventFilter::default() }
}

impl Telemetry {
    fn happened(&self, control: &Control, recorded: &RecordedEvent) {
        let event = &recorded.event;
        self.metrics.events.happened(event);
        let kind = EventKind::named(&event.kind);
        if self.traces && kind.is_some_and(|kind| DECISIONS.contains(&kind)) {
            self.decided(recorded);
        }
        if kind == Some(EventKind::RunConcluded)
            && let Some(id) = run_of(recorded)
        {
            // It is there for long after its end.
            if let Ok(run) = control.run(id) {
                run::tell(&run, self.traces.then(|| self.start_of(id)));
            }
            self.forget_start(id);
        }
    }

    /// A decision, as a span of no length: it waits for nothing, and nothing for it.
    fn decided(&self, recorded: &RecordedEvent) {
        let event = &recorded.event;
        let at = SystemTime::from(event.at);
        let mut attributes = vec![
            KeyValue::new("daybreak.event.id", i64::try_from(recorded.id).unwrap_or(i64::MAX)),
            KeyValue::new("daybreak.event.kind", event.kind.clone()),
        ];
        let mut say = |name: &'static str, value: Option<Value>| {
            attributes.extend(value.map(|value| KeyValue::new(name, value)));
        };
        let text = |field: &str| event.data.get(field).and_then(Json::as_str).map(|text| Value::from(text.to_owned()));
        let fault = event.subject.as_deref().and_then(|subject| subject.strip_prefix("faults/"));
        say("daybreak.actor", event.actor.clone().map(Value::from));
        say("daybreak.reason", event.reason.as_deref().map(|reason| cut(reason).into()));
        say("daybreak.fault.key", text("fault").or_else(|| fault.map(|key| key.to_owned().into())));
        say("daybreak.fault.point", text("point"));
        say("daybreak.run.id", run_of(recorded).map(|id| id.to_string().into()));
        say("daybreak.run.ended", text("ended"));
        let reasons = event.data.get("reasons").and_then(Json::as_array).into_iter().flatten();
        say("daybreak.refusals", texts(reasons.filter_map(|reason| reason.get("code")?.as_str())));
        let start = run_of(recorded).and_then(|id| self.start_of(id));
        let tracer = global::tracer(SCOPE);
        let builder = tracer.span_builder(event.kind.clone()).with_kind(SpanKind::Internal).with_start_time(at);
        let builder =
            builder.with_attributes(attributes).with_links(start.map(Link::with_context).into_iter().collect());
        tracer.build_with_context(builder, &Context::new()).end_with_timestamp(at);
    }
}

/// The run that an event happened to.
fn run_of(recorded: &RecordedEvent) -> Option<RunId> {
    recorded.event.subject.as_deref()?.strip_prefix("runs/")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use daybreak_control::Event;

    use super::*;
    use crate::metrics::Form;
    use crate::telemetry::testing;

    #[tokio::test]
    async fn what_was_recorded_before_the_end_is_told_of() {
        let (control, telemetry) = testing::open().await;
        for number in 0..3 {
            let at = "2026-11-23T09:30:00Z".parse().unwrap();
            let (kind, subject) = (EventKind::PageReceived.into(), Some(format!("n/{number}")));
            let event = Event { at, kind, subject, actor: None, reason: None, data: Json::Null };
            control.note_event(event).await.unwrap();
        }
        follow(control.clone(), telemetry.clone(), std::future::ready(())).await;
        let text = telemetry.metrics.write(&control, None, Form::Prometheus).unwrap();
        assert!(text.contains("daybreak_events_total{kind=\"page.received\"} 3\n"), "{text}");
    }
}
