//! Runs: what active ones show so far, and what faults injected.

use daybreak_control::{Control, RunView};
use serde_json::Value as Json;

use super::server::{float, float_of};
use crate::metrics::family::{Labels, Metrics, label};
use crate::metrics::totals::{Injected, NAMES_MAX, OfRun, Totals};

pub(super) fn read(control: &Control, totals: &Totals, metrics: &mut Metrics) {
    let runs = control.runs();
    injections(control, &runs, totals, metrics);
    let active: Vec<RunView> =
        runs.iter().filter(|run| run.active).filter_map(|run| control.run(run.id).ok()).collect();
    metrics.gauge("daybreak_runs_active", "Runs that are going on", float_of(active.len()));
    let of = |run: &RunView| label("fault", &run.fault);
    let find = |run: &RunView, path: &str| run.evidence.as_ref()?.pointer(path).and_then(Json::as_f64);
    let series = |value: &dyn Fn(&RunView) -> Option<f64>| -> Vec<(Labels, f64)> {
        active.iter().take(NAMES_MAX).filter_map(|run| Some((of(run), value(run)?))).collect()
    };
    let help = "The natural logarithm of the greatest e-value of harm of an active run; at ln 100 = 4.6 it is aborted";
    metrics.gauges("daybreak_run_harm_ln_e", help, series(&|run| find(run, "/harm_ln_e")));
    let help = "The share of what an active run may spend of its error budget that is spent; at 1 it is aborted";
    let spent = |run: &RunView| Some(find(run, "/spent/bad")? / find(run, "/spent/max").filter(|max| *max > 0.0)?);
    metrics.gauges("daybreak_run_spent_ratio", help, series(&spent));
    let arms = active.iter().take(NAMES_MAX).flat_map(|run| {
        let arms = [("treated", run.counts.treated), ("control", run.counts.control)];
        let labels = |arm: &str| vec![("fault", run.fault.to_string()), ("arm", arm.to_owned())];
        arms.map(|(arm, count)| (labels(arm), float(count)))
    });
    metrics.gauges("daybreak_run_requests", "Eligible requests of an active run so far, by arm", arms.collect());
    let help = "Live clients that have an active run, and can be struck by it";
    metrics.gauges("daybreak_run_clients", help, series(&|run| Some(float_of(run.clients))));
}

/// Faults that there are stand with 0 until they strike.
fn injections(control: &Control, runs: &[RunView], totals: &Totals, metrics: &mut Metrics) {
    let mut injected = totals.injected(runs.iter().map(OfRun::from));
    for fault in control.state().resources().faults.keys().take(NAMES_MAX) {
        injected.entry(fault.to_string()).or_default();
    }
    let series = |count: fn(&Injected) -> u64| {
        injected.iter().map(|(fault, injected)| (label("fault", fault), count(injected))).collect()
    };
    let help = "Faults that clients reported as injected, by fault";
    metrics.counters("daybreak_injections", help, series(|injected| injected.strikes));
    let help = "Passes that were drawn, but spared by the cap on faults in flight, by fault";
    metrics.counters("daybreak_injections_spared", help, series(|injected| injected.spared));
}
