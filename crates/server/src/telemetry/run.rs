//! One wide event of each run, once its last requests are through: what it was, how it ended, and what it showed. In the log,
//! and as a span from its start to its end.

use std::time::SystemTime;

use daybreak_control::RunView;
use daybreak_model::Effect;
use opentelemetry::trace::{Link, Span, SpanContext, SpanKind, Tracer};
use opentelemetry::{Context, KeyValue, Value, global};
use serde_json::Value as Json;

use super::SCOPE;
use super::span::cut;

/// Tells of a run; in a span, too, where that is wanted, with the trace of its start where that is known.
pub(super) fn tell(run: &RunView, span: Option<Option<SpanContext>>) {
    let told = Told::of(run);
    told.log(run);
    if let Some(start) = span {
        told.trace(run, start);
    }
}

/// What is told beside the run itself.
struct Told {
    ended: Option<String>,
    cause: Option<String>,
    verdict: Option<String>,
    because: Option<String>,
    /// The natural logarithm of the greatest e-value of harm.
    harm_ln_e: Option<f64>,
    /// Bad requests of the treated arm, and how many may be.
    spent: Option<(u64, f64)>,
    seconds: Option<f64>,
}

impl Told {
    fn of(run: &RunView) -> Self {
        let evidence = run.evidence.as_ref();
        let find = |path: &str| evidence.and_then(|evidence| evidence.pointer(path));
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let ended = run.ended.map(|ended| ended.to_string());
        let cause = ended.as_deref().and_then(|ended| ended.strip_prefix("aborted: "));
        let seconds = run.ended_at.map(|end| end.duration_since(run.started_at).as_secs_f64());
        Self {
            cause: cause.map(str::to_owned),
            verdict: run.verdict.as_ref().and_then(text),
            because: find("/because/code").and_then(text),
            harm_ln_e: find("/harm_ln_e").and_then(Json::as_f64),
            spent: find("/spent/bad").and_then(Json::as_u64).zip(find("/spent/max").and_then(Json::as_f64)),
            ended,
            seconds,
        }
    }

    fn log(&self, run: &RunView) {
        tracing::info!(
            target: "daybreak::run",
            run = %run.id,
            fault = %run.fault,
            point = %run.point,
            shadow = run.shadow,
            percentage = %run.percentage,
            stage = run.stage,
            hypothesis = run.hypothesis.as_deref(),
            started_by = run.started_by.as_deref(),
            ended_by = run.ended_by.as_deref(),
            ended = self.ended.as_deref(),
            cause = self.cause.as_deref(),
            reason = run.end_reason.as_deref(),
            verdict = self.verdict.as_deref(),
            because = self.because.as_deref(),
            slo = run.slo.as_ref().map(tracing::field::display),
            requests = run.counts.requests,
            treated = run.counts.treated,
            control = run.counts.control,
            struck = run.counts.struck,
            strikes = run.counts.strikes,
            spent_bad = self.spent.map(|(bad, _)| bad),
            spent_max = self.spent.map(|(_, max)| max),
            harm_ln_e = self.harm_ln_e,
            duration_s = self.seconds,
            "a run is over",
        );
    }

    fn trace(&self, run: &RunView, start: Option<SpanContext>) {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        // In the words of the SDK's own spans.
        let effect = Effect::name_of(|part| run.effect.get(part).is_some());
        let mut attributes = vec![
            KeyValue::new("daybreak.run.id", run.id.to_string()),
            KeyValue::new("daybreak.fault.key", run.fault.to_string()),
            KeyValue::new("daybreak.fault.point", run.point.to_string()),
            KeyValue::new("daybreak.run.shadow", run.shadow),
            KeyValue::new("daybreak.run.percentage", run.percentage.to_string()),
            KeyValue::new("daybreak.run.stage", i64::from(run.stage)),
            KeyValue::new("daybreak.run.requests", count(run.counts.requests)),
            KeyValue::new("daybreak.run.treated", count(run.counts.treated)),
            KeyValue::new("daybreak.run.control", count(run.counts.control)),
            KeyValue::new("daybreak.run.struck", count(run.counts.struck)),
            KeyValue::new("daybreak.run.strikes", count(run.counts.strikes)),
        ];
        let mut say = |name: &'static str, value: Option<Value>| {
            attributes.extend(value.map(|value| KeyValue::new(name, value)));
        };
        let text = |text: Option<&str>| text.map(|text| Value::from(cut(text)));
        say("daybreak.fault.effect", text(Some(&effect)));
        say("daybreak.run.hypothesis", text(run.hypothesis.as_deref()));
        say("daybreak.run.started_by", text(run.started_by.as_deref()));
        say("daybreak.run.ended_by", text(run.ended_by.as_deref()));
        say("daybreak.run.ended", text(self.ended.as_deref()));
        say("daybreak.run.cause", text(self.cause.as_deref()));
        say("daybreak.run.reason", text(run.end_reason.as_deref()));
        say("daybreak.run.verdict", text(self.verdict.as_deref()));
        say("daybreak.run.because", text(self.because.as_deref()));
        say("daybreak.slo.key", run.slo.as_ref().map(|slo| slo.to_string().into()));
        say("daybreak.run.spent.bad", self.spent.map(|(bad, _)| count(bad).into()));
        say("daybreak.run.spent.max", self.spent.map(|(_, max)| max.into()));
        say("daybreak.run.harm_ln_e", self.harm_ln_e.map(Value::from));
        let tracer = global::tracer(SCOPE);
        let builder = tracer.span_builder("run").with_kind(SpanKind::Internal).with_attributes(attributes);
        let builder = builder.with_links(start.map(Link::with_context).into_iter().collect());
        let builder = builder.with_start_time(SystemTime::from(run.started_at));
        let end = run.ended_at.unwrap_or(run.started_at);
        tracer.build_with_context(builder, &Context::new()).end_with_timestamp(SystemTime::from(end));
    }
}
