//! Writes faults, their effects and their guards.

use daybreak_model::{
    Distribution, DrawBy, Effect, ErrorEffect, Fault, Guard, GuardPolicy, Latency, Millis, Schedule, StopWhen,
};
use serde_json::{Value, json};

use super::Object;
use super::condition::{attribute_name, condition, number};
use super::flag::metadata;

pub(super) fn fault(fault: &Fault) -> Value {
    let mut object = Object::default();
    object.maybe("description", fault.description.as_deref());
    object.maybe("owner", fault.owner.as_deref());
    object.unless_empty("tags", fault.tags.clone().into());
    object.unless_empty("metadata", metadata(&fault.metadata));
    object.maybe("enabled", (!fault.enabled).then_some(false));
    object.set("point", fault.point.as_str());
    object.maybe("operation", fault.operation.as_deref());
    object.maybe("host", fault.host.as_deref());
    object.maybe("when", fault.when.as_ref().map(condition));
    object.set("percentage", fault.percentage.to_string());
    object.maybe("ramp", (!fault.ramp.is_none()).then(|| fault.ramp.to_string()));
    match &fault.by {
        DrawBy::Request => {}
        DrawBy::Attribute(name) if &**name == "request" => object.set("by", "context.request"),
        DrawBy::Attribute(name) => object.set("by", attribute_name(name)),
    }
    object.set("effect", effect(&fault.effect));
    object.maybe("times", fault.times.map(std::num::NonZeroU32::get));
    object.set("hours", fault.hours.as_str());
    object.set("guard", guard(&fault.guard));
    object.set("max_duration", fault.max_duration.to_string());
    let schedule = |schedule| match schedule {
        Schedule::Daily => "daily",
        Schedule::Weekly => "weekly",
    };
    object.maybe("schedule", fault.schedule.map(schedule));
    object.maybe("salt", fault.salt.as_deref());
    object.into()
}

fn guard(guard: &Guard) -> Value {
    let Guard::Policy(policy) = guard else { return "none".into() };
    let mut object = Object::default();
    object.set("slo", policy.slo.as_str());
    object.set("min_budget", policy.min_budget.to_string());
    object
        .maybe("max_spend", (policy.max_spend != GuardPolicy::MAX_SPEND_DEFAULT).then(|| policy.max_spend.to_string()));
    object.maybe("harm", (policy.harm != GuardPolicy::HARM_DEFAULT).then(|| policy.harm.to_string()));
    object.maybe("on_call", policy.on_call.as_ref().map(|key| key.as_str()));
    object.maybe("stop_when", policy.stop_when.map(|StopWhen::Resilient| "resilient"));
    object.into()
}

pub(super) fn effect(effect: &Effect) -> Value {
    let mut object = Object::default();
    object.maybe("latency", effect.latency.map(latency));
    object.maybe("hang", effect.hang.map(|hang| json!({ "max": hang.max.to_string() })));
    object.maybe("data", effect.data.clone());
    object.maybe("error", effect.error.as_ref().map(error));
    object.maybe("abort", effect.abort.then_some(true));
    object.into()
}

fn error(error: &ErrorEffect) -> Value {
    let mut object = Object::default();
    object.maybe("status", error.status);
    object.maybe("code", error.code.as_deref());
    object.maybe("message", error.message.as_deref());
    object.into()
}

fn latency(latency: Latency) -> Value {
    let text = |length: Millis| length.to_string();
    let (name, value) = match latency.distribution {
        Distribution::Fixed(fixed) if fixed == latency.max => return text(fixed).into(),
        Distribution::Fixed(fixed) => ("fixed", text(fixed).into()),
        Distribution::Uniform { from, to } => ("uniform", json!({ "from": text(from), "to": text(to) })),
        Distribution::Normal { mean, sd } => ("normal", json!({ "mean": text(mean), "sd": text(sd) })),
        Distribution::Lognormal { median, sigma } => {
            ("lognormal", json!({ "median": text(median), "sigma": number(sigma) }))
        }
        Distribution::Exponential { mean } => ("exponential", json!({ "mean": text(mean) })),
        Distribution::Pareto { min, shape } => ("pareto", json!({ "min": text(min), "shape": number(shape) })),
    };
    let mut object = Object::default();
    object.set(name, value);
    object.set("max", text(latency.max));
    object.into()
}
