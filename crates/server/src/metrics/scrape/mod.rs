//! What stands when it is asked for.

mod budgets;
mod clients;
mod runs;
mod server;
mod webhooks;

use daybreak_control::Control;

use super::family::Metrics;
use super::process;
use super::totals::Totals;

/// Reads everything.
pub(super) fn read(control: &Control, latest: Option<u64>, totals: &Totals) -> Metrics {
    let mut metrics = Metrics::default();
    server::read(control, &mut metrics);
    clients::read(control, totals, &mut metrics);
    runs::read(control, totals, &mut metrics);
    budgets::read(control, &mut metrics);
    webhooks::read(control, latest, &mut metrics);
    process::read(&mut metrics);
    metrics
}
