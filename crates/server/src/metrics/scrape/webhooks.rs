//! Webhooks: what has arrived, what has not, and what waits.

use daybreak_control::{Control, WebhookStatus};

use super::server::float;
use crate::metrics::family::{Labels, Metrics, label};
use crate::metrics::totals::NAMES_MAX;

pub(super) fn read(control: &Control, latest: Option<u64>, metrics: &mut Metrics) {
    let hooks = control.webhooks();
    let hooks = || hooks.iter().take(NAMES_MAX);
    let counts = |count: fn(&WebhookStatus) -> u64| -> Vec<(Labels, u64)> {
        hooks().map(|(name, status)| (label("webhook", name), count(status))).collect()
    };
    let help = "Events that have arrived, by webhook";
    metrics.counters("daybreak_webhook_deliveries", help, counts(|status| status.delivered));
    let help = "Events that were given up, by webhook";
    metrics.counters("daybreak_webhook_given_up", help, counts(|status| status.given_up));
    let help = "Events, at most, that the log no longer had when it was their turn, by webhook";
    metrics.counters("daybreak_webhook_missed", help, counts(|status| status.missed));
    let gauges = |value: &dyn Fn(&WebhookStatus) -> Option<f64>| -> Vec<(Labels, f64)> {
        hooks().filter_map(|(name, status)| Some((label("webhook", name), value(status)?))).collect()
    };
    let help = "Failures in a row of the event whose turn it is, by webhook";
    metrics.gauges("daybreak_webhook_failures", help, gauges(&|status| Some(f64::from(status.failures))));
    let help = "Whether a webhook is paused, as its receiver wants no more";
    metrics.gauges("daybreak_webhook_paused", help, gauges(&|status| Some(f64::from(u8::from(status.gone)))));
    let waiting = |status: &WebhookStatus| Some(float(latest?.saturating_sub(status.read_to?)));
    let help = "Events of the log that a webhook has not looked at, those that it does not want among them";
    metrics.gauges("daybreak_webhook_pending_events", help, gauges(&waiting));
}
