//! What attributes are called, and what they say: OpenTelemetry's conventions for feature flags, and Daybreak's own words
//! for faults, which no convention knows.

use std::time::Duration;

use daybreak_model::{Arm, ErrorCode, Reason, RunId};

use super::{DrawTold, Ruleset, StrikeTold};
use crate::client::Evaluation;

/// The event of an evaluation.
#[cfg(feature = "opentelemetry")]
pub(super) const EVALUATION: &str = "feature_flag.evaluation";
/// The event of a draw.
#[cfg(feature = "opentelemetry")]
pub(super) const DRAW: &str = "daybreak.draw";
/// The event of a strike.
#[cfg(feature = "opentelemetry")]
pub(super) const INJECTION: &str = "daybreak.injection";
/// The event of a strike that its run's end cut short.
#[cfg(feature = "opentelemetry")]
pub(super) const CUT_SHORT_EVENT: &str = "daybreak.cut_short";

pub(super) const PROVIDER: &str = "daybreak";

pub(super) const KEY: &str = "feature_flag.key";
pub(super) const PROVIDER_NAME: &str = "feature_flag.provider.name";
pub(super) const VARIANT: &str = "feature_flag.result.variant";
pub(super) const REASON: &str = "feature_flag.result.reason";
pub(super) const SET: &str = "feature_flag.set.id";
pub(super) const VERSION: &str = "feature_flag.version";
#[cfg(feature = "opentelemetry")]
pub(super) const ERROR: &str = "error.type";
#[cfg(feature = "opentelemetry")]
pub(super) const ERROR_MESSAGE: &str = "feature_flag.error.message";
pub(super) const RULE: &str = "daybreak.flag.rule";
/// How long ago the server was heard, where the answer is stale.
#[cfg(feature = "opentelemetry")]
pub(super) const AGE: &str = "daybreak.flag.age_ms";
/// With the flag's key behind it: the variant.
pub(super) const FLAG_PREFIX: &str = "daybreak.flag.variant.";

pub(super) const FAULT: &str = "daybreak.fault.key";
pub(super) const POINT: &str = "daybreak.fault.point";
pub(super) const EFFECT: &str = "daybreak.fault.effect";
pub(super) const LATENCY: &str = "daybreak.fault.latency_ms";
pub(super) const RUN: &str = "daybreak.run.id";
pub(super) const ARM: &str = "daybreak.run.arm";
/// With the run behind it: the arm.
pub(super) const ARM_PREFIX: &str = "daybreak.run.arm.";
/// With the run behind it: what it did.
pub(super) const EFFECT_PREFIX: &str = "daybreak.run.effect.";
/// Some run treats the request.
pub(super) const TREATED: &str = "daybreak.treated";
/// Some run struck the request in this service.
pub(super) const STRUCK: &str = "daybreak.struck";
/// Some strike was cut short.
pub(super) const CUT_SHORT: &str = "daybreak.fault.cut_short";

/// What an attribute says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Yes,
}

/// An attribute.
pub(super) type Attribute = (&'static str, Value);

fn text(name: &'static str, value: &(impl ToString + ?Sized)) -> Attribute {
    (name, Value::Text(value.to_string()))
}

/// Of an evaluation, without what went wrong: on a span, that would be the span's own failure.
pub(super) fn of_evaluation(evaluation: &Evaluation<'_>, ruleset: Ruleset<'_>) -> Vec<Attribute> {
    let always = [text(KEY, evaluation.flag), text(PROVIDER_NAME, PROVIDER), text(REASON, reason(evaluation.reason))];
    let sometimes = [
        evaluation.variant.map(|variant| text(VARIANT, variant)),
        ruleset.set.map(|set| text(SET, set)),
        ruleset.version.map(|version| text(VERSION, &version)),
        evaluation.rule.map(|rule| text(RULE, rule)),
    ];
    always.into_iter().chain(sometimes.into_iter().flatten()).collect()
}

/// Of the event of an evaluation: also what went wrong, and how old the answer may be.
#[cfg(feature = "opentelemetry")]
pub(super) fn of_evaluation_event(evaluation: &Evaluation<'_>, ruleset: Ruleset<'_>) -> Vec<Attribute> {
    let more = [
        evaluation.error_code.map(|code| text(ERROR, error(code))),
        evaluation.message.map(|message| text(ERROR_MESSAGE, message)),
        evaluation.age.map(|age| (AGE, Value::Number(millis(age)))),
    ];
    of_evaluation(evaluation, ruleset).into_iter().chain(more.into_iter().flatten()).collect()
}

pub(super) fn of_draw(draw: &DrawTold<'_>) -> Vec<Attribute> {
    let [run, arm] = of_arm(draw.run, draw.arm);
    vec![run, arm, text(FAULT, draw.fault), text(POINT, draw.point)]
}

/// What a service knows of a draw that its caller made.
pub(super) fn of_arm(run: RunId, drawn: Arm) -> [Attribute; 2] {
    [text(RUN, &run), text(ARM, arm(drawn))]
}

pub(super) fn of_strike(strike: &StrikeTold<'_>) -> Vec<Attribute> {
    let [run, arm] = of_arm(strike.run, Arm::Treated);
    let always = [run, arm, text(FAULT, strike.fault), text(POINT, strike.point), text(EFFECT, strike.effect)];
    always.into_iter().chain(strike.latency_ms.map(|millis| (LATENCY, Value::Number(millis)))).collect()
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) const fn arm(arm: Arm) -> &'static str {
    match arm {
        Arm::Treated => "treated",
        Arm::Control => "control",
    }
}

/// The convention's word.
pub(super) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Static => "static",
        Reason::Default => "default",
        Reason::TargetingMatch => "targeting_match",
        Reason::Split => "split",
        Reason::Disabled => "disabled",
        Reason::Cached => "cached",
        Reason::Stale => "stale",
        Reason::Unknown => "unknown",
        Reason::Error => "error",
    }
}

/// The convention's word.
pub(super) const fn error(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ProviderNotReady => "provider_not_ready",
        ErrorCode::ProviderFatal => "provider_fatal",
        ErrorCode::FlagNotFound => "flag_not_found",
        ErrorCode::ParseError => "parse_error",
        ErrorCode::TypeMismatch => "type_mismatch",
        ErrorCode::TargetingKeyMissing => "targeting_key_missing",
        ErrorCode::InvalidContext => "invalid_context",
        ErrorCode::General => "general",
    }
}

#[cfg(all(test, feature = "opentelemetry"))]
mod tests {
    use super::*;

    #[test]
    fn the_event_of_an_evaluation_says_more_than_the_span() {
        let evaluation = Evaluation {
            flag: "new-checkout",
            variant: Some("on"),
            reason: Reason::Stale,
            age: Some(Duration::from_secs(11)),
            rule: None,
            error_code: None,
            message: None,
        };
        let ruleset = Ruleset { set: None, version: None };
        let event = of_evaluation_event(&evaluation, ruleset);
        assert!(event.contains(&(AGE, Value::Number(11_000))), "{event:?}");
        assert!(of_evaluation(&evaluation, ruleset).iter().all(|(name, _)| *name != AGE));
    }
}
