//! A span of the application's, whatever made it.

#[cfg(feature = "opentelemetry")]
use opentelemetry::trace::TraceContextExt;
#[cfg(feature = "opentelemetry")]
use opentelemetry::{Context, KeyValue};
use tracing::level_filters::LevelFilter;

use super::names::{self, Attribute, Value};
use super::{DrawTold, Ruleset, StrikeTold, Through};
use crate::client::Evaluation;

/// A span of the application's that is recorded. Of `tracing`, there may be none: its events need no span.
#[derive(Clone, Debug)]
pub(super) enum Span {
    Tracing(tracing::Span),
    #[cfg(feature = "opentelemetry")]
    OpenTelemetry(Context),
}

impl Span {
    /// Whether anybody records what is told now. It costs a tenth of asking for the current one.
    pub(super) fn is_recorded(through: Through) -> bool {
        match through {
            Through::Tracing => LevelFilter::current() != LevelFilter::OFF,
            #[cfg(feature = "opentelemetry")]
            Through::OpenTelemetry => Context::map_current(is_recording),
        }
    }

    /// The current one; `None` where nobody records it.
    pub(super) fn current(through: Through) -> Option<Self> {
        if !Self::is_recorded(through) {
            return None;
        }
        Some(match through {
            Through::Tracing => Self::Tracing(tracing::Span::current()),
            #[cfg(feature = "opentelemetry")]
            Through::OpenTelemetry => Self::OpenTelemetry(Context::current()),
        })
    }

    pub(super) const fn through(&self) -> Through {
        match self {
            Self::Tracing(_) => Through::Tracing,
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(_) => Through::OpenTelemetry,
        }
    }

    /// What tells it from other spans, where it can be told attributes.
    pub(super) fn id(&self) -> Option<u64> {
        match self {
            Self::Tracing(span) => span.id().map(|id| id.into_u64()),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => {
                Some(u64::from_be_bytes(context.span().span_context().span_id().to_bytes()))
            }
        }
    }

    /// The id of its trace, where it is known.
    pub(super) fn trace(&self) -> Option<u128> {
        match self {
            Self::Tracing(_) => None,
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => {
                Some(u128::from_be_bytes(context.span().span_context().trace_id().to_bytes()))
            }
        }
    }

    /// The same, where the trace is sampled: others are recorded, perhaps, and kept nowhere.
    pub(super) fn kept_trace(&self) -> Option<u128> {
        let sampled = match self {
            Self::Tracing(_) => false,
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => context.span().span_context().is_sampled(),
        };
        if sampled { self.trace() } else { None }
    }

    /// Tells of an evaluation, as an event.
    pub(super) fn evaluated(&self, evaluation: &Evaluation<'_>, ruleset: Ruleset<'_>) {
        match self {
            Self::Tracing(_) => tracing::event!(
                name: "feature_flag.evaluation",
                target: "daybreak::flag",
                tracing::Level::INFO,
                feature_flag.key = evaluation.flag,
                feature_flag.provider.name = names::PROVIDER,
                feature_flag.result.variant = evaluation.variant,
                feature_flag.result.reason = names::reason(evaluation.reason),
                feature_flag.set.id = ruleset.set,
                feature_flag.version = ruleset.version.map(tracing::field::display),
                daybreak.flag.rule = evaluation.rule,
                daybreak.flag.age_ms = evaluation.age.map(names::millis),
                error.type = evaluation.error_code.map(names::error),
                feature_flag.error.message = evaluation.message,
            ),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => {
                let attributes = names::of_evaluation_event(evaluation, ruleset);
                context.span().add_event(names::EVALUATION, attributes.into_iter().map(key_value).collect());
            }
        }
    }

    /// Tells of a draw, as an event.
    pub(super) fn drawn(&self, draw: &DrawTold<'_>) {
        match self {
            Self::Tracing(_) => tracing::event!(
                name: "daybreak.draw",
                target: "daybreak::fault",
                tracing::Level::INFO,
                daybreak.run.id = %draw.run,
                daybreak.run.arm = names::arm(draw.arm),
                daybreak.fault.key = draw.fault,
                daybreak.fault.point = draw.point,
            ),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => {
                context.span().add_event(names::DRAW, names::of_draw(draw).into_iter().map(key_value).collect());
            }
        }
    }

    /// Tells of a strike, as an event.
    pub(super) fn struck(&self, strike: &StrikeTold<'_>) {
        match self {
            Self::Tracing(_) => tracing::event!(
                name: "daybreak.injection",
                target: "daybreak::fault",
                tracing::Level::INFO,
                daybreak.run.id = %strike.run,
                daybreak.run.arm = "treated",
                daybreak.fault.key = strike.fault,
                daybreak.fault.point = strike.point,
                daybreak.fault.effect = strike.effect,
                daybreak.fault.latency_ms = strike.latency_ms,
            ),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => {
                context
                    .span()
                    .add_event(names::INJECTION, names::of_strike(strike).into_iter().map(key_value).collect());
            }
        }
    }

    /// Tells of a strike that is cut short, as an event.
    pub(super) fn cut_short(&self, strike: &DrawTold<'_>) {
        match self {
            Self::Tracing(_) => tracing::event!(
                name: "daybreak.cut_short",
                target: "daybreak::fault",
                tracing::Level::INFO,
                daybreak.run.id = %strike.run,
                daybreak.run.arm = names::arm(strike.arm),
                daybreak.fault.key = strike.fault,
                daybreak.fault.point = strike.point,
            ),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => {
                let attributes = names::of_draw(strike).into_iter().map(key_value).collect();
                context.span().add_event(names::CUT_SHORT_EVENT, attributes);
            }
        }
    }

    /// Sets attributes; of `tracing`, the fields of these names that the span declares.
    pub(super) fn set_all(&self, attributes: &[Attribute]) {
        match self {
            Self::Tracing(span) => attributes.iter().for_each(|(name, value)| {
                match value {
                    Value::Text(text) => span.record(*name, text.as_str()),
                    Value::Number(number) => span.record(*name, *number),
                    Value::Yes => span.record(*name, true),
                };
            }),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => context.span().set_attributes(attributes.iter().cloned().map(key_value)),
        }
    }

    /// Sets the attribute of one flag, or one run, of many: its name is a prefix with a key behind it. Spans of `tracing`
    /// declare their fields, and none has this one.
    pub(super) fn set_of(&self, (prefix, key): (&str, &str), text: &str) {
        match self {
            Self::Tracing(_) => {
                let _ = (prefix, key, text);
            }
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(context) => {
                context.span().set_attribute(KeyValue::new(format!("{prefix}{key}"), text.to_owned()));
            }
        }
    }
}

#[cfg(feature = "opentelemetry")]
fn is_recording(context: &Context) -> bool {
    context.has_active_span() && context.span().is_recording()
}

#[cfg(feature = "opentelemetry")]
fn key_value((name, value): Attribute) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(name, text),
        Value::Number(number) => KeyValue::new(name, i64::try_from(number).unwrap_or(i64::MAX)),
        Value::Yes => KeyValue::new(name, true),
    }
}
