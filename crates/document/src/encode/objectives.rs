//! Writes calendars, SLOs and on-call SLOs.

use daybreak_model::{Freeze, Hours, OnCall, PageMatch, Slo, Window};
use serde_json::Value;

use super::Object;

pub(super) fn hours(hours: &Hours) -> Value {
    let mut object = Object::default();
    object.maybe("description", hours.description.as_deref());
    object.set("time_zone", hours.time_zone.as_str());
    object.set("weekdays", hours.weekdays.to_string());
    object.set("times", hours.times.iter().map(|span| Value::from(span.to_string())).collect::<Value>());
    object.unless_empty("holidays", hours.holidays.iter().map(|range| Value::from(range.to_string())).collect());
    object.maybe("holidays_until", hours.holidays_until.map(|day| day.to_string()));
    object.into()
}

pub(super) fn slo(slo: &Slo) -> Value {
    let mut good = Object::default();
    good.maybe("status", slo.sli.good.status.map(|status| format!("<{}", status.0)));
    good.maybe("latency", slo.sli.good.latency.map(|latency| format!("<{latency}")));
    let mut sli = Object::default();
    if slo.sli.has_arms() {
        sli.set("operation", slo.sli.operation.as_str());
        sli.set("good", good);
    }
    if let Some(queries) = &slo.sli.prometheus {
        let mut prometheus = Object::default();
        prometheus.set("good", queries.good.as_str());
        prometheus.set("total", queries.total.as_str());
        sli.set("prometheus", prometheus);
    }
    let mut object = Object::default();
    object.maybe("description", slo.description.as_deref());
    object.maybe("owner", slo.owner.as_deref());
    object.set("objective", slo.objective.to_string());
    object.set(
        "window",
        match slo.window {
            Window::Rolling(length) => length.to_string(),
            Window::Month => "month".to_owned(),
        },
    );
    object.set("sli", sli);
    object.into()
}

pub(super) fn on_call(on_call: &OnCall) -> Value {
    let mut object = Object::default();
    object.maybe("description", on_call.description.as_deref());
    object.set("pages_per_week", on_call.pages_per_week);
    object.set("off_hours_incidents_per_half_year", on_call.off_hours_incidents_per_half_year);
    object.set("hours", on_call.hours.as_str());
    object.maybe("match", on_call.pages.as_ref().map(page_match));
    object.maybe("freeze", on_call.freeze.map(|Freeze::Changes| "changes"));
    object.maybe("require_source", on_call.require_source.map(|within| within.to_string()));
    object.into()
}

fn page_match(pages: &PageMatch) -> Value {
    let mut object = Object::default();
    let labels = pages.labels.iter().map(|(name, values)| (name.clone(), some(values)));
    object.unless_empty("receiver", some(&pages.receiver));
    object.unless_empty("labels", Value::Object(labels.collect()));
    object.unless_empty("service", some(&pages.service));
    object.into()
}

/// One text as it is, several as a list.
fn some(texts: &[String]) -> Value {
    match texts {
        [one] => Value::from(one.as_str()),
        several => several.iter().map(|text| Value::from(text.as_str())).collect(),
    }
}
