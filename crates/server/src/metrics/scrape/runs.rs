//! Runs: what active ones show so far, and what faults injected.

use daybreak_control::{Control, RunView};
use serde_json::Value as Json;

use super::server::{float, float_of};
use crate::metrics::family::{Labels, Metrics, label};
use crate::metrics::totals::{Injected, NAMES_MAX, OfRun, Totals};

pub(super) fn read(control: &Control, totals: &Totals, metrics: &mut Metrics) {
    let runs = injections(control, totals, metrics);
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

/// Tells what faults injected, and gives back the runs that it is known from. Faults that there are stand with 0 until they
/// strike.
fn injections(control: &Control, totals: &Totals, metrics: &mut Metrics) -> Vec<RunView> {
    let (state, mut runs) = (control.state(), Vec::new());
    let injected = totals.injected(state.resources().faults.keys(), || {
        runs = control.runs();
        runs.iter().map(OfRun::from).collect()
    });
    let series = |count: fn(&Injected) -> u64| {
        injected.iter().map(|(fault, injected)| (label("fault", fault), count(injected))).collect()
    };
    let help = "Faults that clients reported as injected, by fault";
    metrics.counters("daybreak_injections", help, series(|injected| injected.strikes));
    let help = "Passes that were drawn, but spared by the cap on faults in flight, by fault";
    metrics.counters("daybreak_injections_spared", help, series(|injected| injected.spared));
    let help = "Faults that clients reported as injected when their run was over, or never was: always to be 0";
    metrics.counter("daybreak_injections_stray", help, control.stray_strikes());
    runs
}
