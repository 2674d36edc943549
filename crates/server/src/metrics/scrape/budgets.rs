//! Error budgets, and those of people.

use daybreak_control::{BudgetView, Control, OnCallStatus};
use jiff::Timestamp;

use super::server::float;
use crate::metrics::family::{Labels, Metrics, label};
use crate::metrics::totals::NAMES_MAX;

/// What an error budget is like, in one word.
const STATES: [&str; 4] = ["ok", "burning", "spent", "insufficient_data"];

pub(super) fn read(control: &Control, metrics: &mut Metrics) {
    let state = control.state();
    let keys = state.resources().slos.keys().take(NAMES_MAX);
    let budgets: Vec<BudgetView> = keys.filter_map(|key| control.budget(key.as_str()).ok()).collect();
    let each = |value: &dyn Fn(&BudgetView) -> Option<f64>| -> Vec<(Labels, f64)> {
        budgets.iter().filter_map(|budget| Some((label("slo", &budget.key), value(budget)?))).collect()
    };
    let help = "The share of good requests that an SLO promises";
    metrics.gauges("daybreak_slo_objective_ratio", help, each(&|budget| Some(budget.status.objective.ratio())));
    let help = "The share of an error budget that is left; below 0 more was spent than there was";
    metrics.gauges("daybreak_budget_remaining_ratio", help, each(&|budget| budget.status.remaining));
    let help = "Requests within the window of an SLO";
    metrics.gauges("daybreak_budget_requests", help, each(&|budget| Some(float(budget.status.total))));
    let help = "Bad requests within the window of an SLO";
    metrics.gauges("daybreak_budget_bad_requests", help, each(&|budget| Some(float(budget.status.bad))));
    let sample =
        |budget: &BudgetView| budget.status.last_sample.map(Timestamp::as_second).map(|at| float(at.unsigned_abs()));
    let help = "When counts for an SLO last came, as a Unix time";
    metrics.gauges("daybreak_budget_last_sample_timestamp_seconds", help, each(&sample));
    let states = budgets.iter().flat_map(|budget| {
        let now = serde_json::to_value(budget.status.state).unwrap_or_default();
        let labels = |state: &str| vec![("slo", budget.key.to_string()), ("state", state.to_owned())];
        STATES.map(move |state| (labels(state), f64::from(u8::from(now == state))))
    });
    metrics.gauges(
        "daybreak_budget_state",
        "1 for the state that an error budget is in, 0 for the others",
        states.collect(),
    );
    let help = "1 while an error budget burns too fast in a long and its short window, also where it is spent already";
    metrics.gauges(
        "daybreak_budget_firing",
        help,
        each(&|budget| Some(f64::from(u8::from(budget.status.is_burning())))),
    );
    burns(&budgets, metrics);
    people(control, metrics);
}

/// The rates at which budgets burn, and those from which on it is too fast.
fn burns(budgets: &[BudgetView], metrics: &mut Metrics) {
    let of = |budget: &BudgetView, window: &dyn ToString| {
        vec![("slo", budget.key.to_string()), ("window", window.to_string())]
    };
    let alerts = || budgets.iter().flat_map(|budget| budget.status.alerts.iter().map(move |alert| (budget, alert)));
    let rates = alerts().flat_map(|(budget, alert)| {
        let rate = move |burn: daybreak_control::Burn| Some((of(budget, &burn.window), burn.rate?));
        [alert.long, alert.short].into_iter().filter_map(rate)
    });
    let help = "How fast an error budget burns, by window: at 1 it is spent exactly by the end of the SLO's window";
    metrics.gauges("daybreak_budget_burn_rate", help, rates.collect());
    let limits = alerts()
        .flat_map(|(budget, alert)| [alert.long, alert.short].map(|burn| (of(budget, &burn.window), alert.factor)));
    let help = "The burn rate above which an error budget burns too fast, by window";
    metrics.gauges("daybreak_budget_burn_limit", help, limits.collect());
}

fn people(control: &Control, metrics: &mut Metrics) {
    let state = control.state();
    let keys = state.resources().on_call.keys().take(NAMES_MAX);
    let standing: Vec<_> = keys.filter_map(|key| Some((key, control.on_call_status(key.as_str()).ok()?))).collect();
    let each = |value: &dyn Fn(&OnCallStatus) -> f64| -> Vec<(Labels, f64)> {
        standing.iter().map(|(key, status)| (label("on_call", key), value(status))).collect()
    };
    let help = "Whether the budget of an on-call is spent: then no run starts";
    metrics.gauges("daybreak_on_call_spent", help, each(&|status| f64::from(u8::from(status.spent))));
    let unmatched = control.unmatched_pages().into_iter().map(|(source, count)| (label("source", &source), count));
    let help = "Pages that were of no on-call, by what told of them";
    metrics.counters("daybreak_pages_unmatched", help, unmatched.collect());
}
