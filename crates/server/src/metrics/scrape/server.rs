//! The server itself: where it stands, whether it is fit to be asked, and its store.

use daybreak_control::Control;
use daybreak_model::{Kind, Millis};

use crate::metrics::family::{Metrics, label};

pub(super) fn read(control: &Control, metrics: &mut Metrics) {
    let (state, health) = (control.state(), control.health());
    let position = state.position();
    let build = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("environment", control.options().environment.clone()),
        ("store", position.store.to_string()),
    ];
    let help = "What serves: always 1, its labels tell the version, the environment and the store";
    metrics.gauges("daybreak_build_info", help, vec![(build, 1.0)]);
    metrics.gauge("daybreak_revision", "The revision that is served", float(position.revision));
    let resources = Kind::ALL.map(|kind| (label("kind", kind.path()), float_of(state.resources().keys(kind).len())));
    metrics.gauges("daybreak_resources", "Resources that are served, by kind", resources.into());
    let expired = float_of(control.expired_flags().len());
    metrics.gauge("daybreak_flags_expired", "Flags past the day on which they expire", expired);
    metrics.fact("daybreak_ready", "Whether the server is fit to be asked, as /readyz tells", health.ready);
    metrics.gauge("daybreak_warnings", "Warnings of /readyz", float_of(health.warnings.len()));
    if let Some(age) = health.guard_tick_age {
        metrics.gauge("daybreak_guard_tick_age_seconds", "How long ago the guard looked", seconds(age));
    }
    if let Some(age) = health.store_confirmation_age {
        let help = "How long ago the store confirmed that this server leads";
        metrics.gauge("daybreak_store_confirmation_age_seconds", help, seconds(age));
    }
    metrics.counter("daybreak_store_commits", "Revisions that were committed", health.store.changes);
    let help = "Transactions of the store, for commits and whatever else is kept";
    metrics.counter("daybreak_store_transactions", help, health.store.transactions);
    metrics.counter("daybreak_store_syncs", "Times that something was forced to disk", health.store.syncs);
    #[expect(clippy::cast_precision_loss, reason = "microseconds of years")]
    let sync_seconds = health.store.sync_micros as f64 / 1e6;
    metrics.seconds("daybreak_store_sync_seconds", "How long forcing to disk took, all in all", sync_seconds);
    metrics.gauge("daybreak_streams", "Streams of changes that are open", float_of(control.open_streams()));
    let halted = control.halt_view().halted;
    metrics.fact("daybreak_halted", "Whether everything is halted", halted);
}

fn seconds(length: Millis) -> f64 {
    length.to_duration().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are of no concern")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

pub(super) fn float_of(count: usize) -> f64 {
    float(count as u64)
}
