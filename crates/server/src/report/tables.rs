//! What the report says in rows.

use std::fmt::{Display, Write};

use daybreak_model::Millis;
use jiff::Timestamp;
use serde::Deserialize;

use super::escape::Text;
use super::moment;
use crate::readable::{Arm, Bounds, Evidence, Latency, Seen, percent, short};

/// A line of the log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    at: Timestamp,
    kind: String,
    actor: Option<String>,
    reason: Option<String>,
}

/// What was done, and how it ended.
pub(super) fn facts(page: &mut String, seen: &Seen) {
    page.push_str("<section><h2>The run</h2><table class=\"facts\">\n");
    let of = seen.operation.as_ref().map(|operation| format!(" of {operation}")).unwrap_or_default();
    row(page, "treated", format!("{} of the eligible requests{of}", shares(seen)));
    let to = seen.host.as_ref().map(|host| format!(", calls to {host}")).unwrap_or_default();
    row(page, if seen.shadow { "would strike" } else { "struck" }, format!("{}{to}: {}", seen.point, seen.effect()));
    let by = |name: &Option<String>| name.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    row(page, "started", format!("{}{}", moment(seen.started_at), by(&seen.started_by)));
    row(page, "ended", ended(seen, &by(&seen.ended_by)));
    if !seen.waived.is_empty() {
        row(page, "waived", seen.waived.join(", "));
    }
    row(page, "hours", &seen.hours);
    row(page, "guarded by", seen.slo.as_deref().unwrap_or("nothing"));
    page.push_str("</table></section>\n");
}

/// Whom it reached, and what it cost.
pub(super) fn counted(page: &mut String, seen: &Seen, evidence: &Evidence) {
    page.push_str("<section><h2>What was counted</h2><table class=\"facts\">\n");
    if let Some(spent) = evidence.spent.filter(|_| !seen.shadow) {
        row(page, "budget spent", format!("{} bad requests of {} that it could spend", spent.bad, short(spent.max)));
    }
    let (treated, reached) = (evidence.treated, evidence.reached);
    let struck = percent(treated.struck_share());
    row(page, "requests struck", format!("{} of {} treated ({struck})", treated.struck, treated.requests));
    row(page, "clients reached", reached);
    if let Some(harm) = evidence.harm {
        let (lower, upper, estimate) = (percent(harm.lower), percent(harm.upper), percent(harm.estimate));
        let tolerated = &seen.tolerated;
        row(page, "harm", format!("{lower} to {upper} of struck requests, about {estimate}; {tolerated} is tolerated"));
    }
    row(page, "e-value of harm", format!("{}; at 100 a run is ended", evidence.e_value()));
    if let Some(needed) = evidence.still_needed() {
        row(page, "for a verdict", format!("about {needed} treated requests more, if there is no harm"));
    }
    page.push_str("</table></section>\n");
}

/// The share that is treated, stage by stage: `1% for 5m, then 2%`.
fn shares(seen: &Seen) -> String {
    let mut from = seen.started_at;
    let mut text = String::new();
    for stage in &seen.ramp {
        text += &format!("{} for {}, then ", stage.percentage, between(from, stage.until));
        from = stage.until;
    }
    text + &seen.percentage
}

/// The time from one moment to another, to the second.
fn between(from: Timestamp, to: Timestamp) -> Millis {
    Millis::from_secs(u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default())
}

fn ended(seen: &Seen, by: &str) -> String {
    let (Some(ended), Some(at)) = (&seen.ended, seen.ended_at) else {
        return format!("it goes on until {} at the latest", moment(seen.ends_at));
    };
    let length = between(seen.started_at, at);
    let reason = seen.end_reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{ended}{by} after {length}{reason}")
}

/// Quantiles, and how they are called.
type Quantiles = [(&'static str, fn(&Latency) -> (f64, Option<Bounds>)); 3];

/// Both arms side by side.
pub(super) fn arms(page: &mut String, evidence: &Evidence) {
    page.push_str("<section><h2>Both arms</h2><table>\n<tr><th></th><th>treated</th><th>control</th></tr>\n");
    let arms = [&evidence.treated, &evidence.control];
    let mut add = |name: &str, what: &dyn Fn(&Arm) -> String| {
        let [treated, control] = arms.map(what);
        let _ = writeln!(page, "<tr><th>{name}</th><td>{}</td><td>{}</td></tr>", Text(treated), Text(control));
    };
    add("requests", &|arm| arm.requests.to_string());
    add("success rate", &|arm| match arm.requests {
        0 => "none".to_owned(),
        _ => percent(arm.good_share()),
    });
    add("between", &|arm| format!("{} and {}", percent(1.0 - arm.rate.upper), percent(1.0 - arm.rate.lower)));
    add("failed", &|arm| arm.error.to_string());
    add("too slow", &|arm| arm.slow.to_string());
    add("client gone", &|arm| arm.cancelled.to_string());
    let latencies = [evidence.latency.treated, evidence.latency.control];
    let quantiles: Quantiles = [
        ("half within", |latency| (latency.p50_ms, latency.p50_bounds_ms)),
        ("90% within", |latency| (latency.p90_ms, latency.p90_bounds_ms)),
        ("99% within", |latency| (latency.p99_ms, latency.p99_bounds_ms)),
    ];
    for (name, of) in quantiles {
        let told = |latency: Latency| {
            let (sample, bounds) = of(&latency);
            let bounds = bounds.map(|bounds| format!(" ({})", bounds.describe())).unwrap_or_default();
            format!("{} ms{bounds}", short(sample))
        };
        let [treated, control] = latencies.map(|latency| latency.map_or_else(|| "not measured".to_owned(), told));
        let _ = writeln!(page, "<tr><th>{name}</th><td>{treated}</td><td>{control}</td></tr>");
    }
    page.push_str(
        "</table><p class=\"dim\">The intervals hold at every look at once, each with 95%. \
         Times are to the head of the response.</p></section>\n",
    );
}

/// What happened, the oldest first.
pub(super) fn events(page: &mut String, events: &[Event]) {
    if events.is_empty() {
        return;
    }
    page.push_str("<section><h2>Events</h2><table class=\"facts\">\n");
    for event in events {
        let actor = event.actor.as_ref().map(|actor| format!(" by {actor}")).unwrap_or_default();
        let reason = event.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        row(page, &moment(event.at), format!("{}{actor}{reason}", event.kind));
    }
    page.push_str("</table></section>\n");
}

fn row(page: &mut String, name: &str, what: impl Display) {
    let _ = writeln!(page, "<tr><th>{}</th><td>{}</td></tr>", Text(name), Text(what));
}
