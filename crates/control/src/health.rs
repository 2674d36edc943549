//! Whether the server is fit to be asked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use daybreak_model::Millis;
use daybreak_model::limits::{GUARD_TICK_AGE_MAX, SNAPSHOT_BYTES_MAX};
use daybreak_store::StoreStats;
use serde::Serialize;

use crate::Control;

/// When what must happen all the time last did, on the clock that never goes back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vitals {
    /// The guard finished a tick.
    pub(crate) ticked: Option<Duration>,
    /// The store was asked whether this server leads, and said yes.
    pub(crate) confirmed: Option<Duration>,
    /// Why the store failed, until the log tells of it.
    pub(crate) store_failed: Option<String>,
}

/// The facts of readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether it is fit to be asked.
    pub ready: bool,
    /// What stands against it.
    pub problems: Vec<String>,
    /// What deserves a look, but keeps nobody from asking.
    pub warnings: Vec<String>,
    /// How long ago the guard ticked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard_tick_age: Option<Millis>,
    /// How long ago the store confirmed that this server leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_confirmation_age: Option<Millis>,
    /// Whether the server is ending.
    pub shutting_down: bool,
    /// How much the store has written since the start.
    pub store: StoreStats,
}

impl Control {
    /// Whether the server is fit to be asked, and why not.
    #[must_use]
    pub fn health(&self) -> Health {
        let (vitals, elapsed) = (self.inner.vitals.lock().clone(), self.inner.clock.elapsed());
        let age = |at: Option<Duration>| {
            at.map(|at| Millis::new(u64::try_from(elapsed.saturating_sub(at).as_millis()).unwrap_or(u64::MAX)))
        };
        let stale = |age: Option<Millis>| age.is_none_or(|age| age > GUARD_TICK_AGE_MAX);
        let (guard_tick_age, store_confirmation_age) = (age(vitals.ticked), age(vitals.confirmed));
        let shutting_down = self.inner.shutting_down.load(Ordering::Relaxed);
        let checks = [
            (stale(guard_tick_age), "the guard has not ticked for some time; no leases are granted"),
            (
                stale(store_confirmation_age),
                "the store has not confirmed that this server leads; no leases are granted",
            ),
            (shutting_down, "the server is shutting down"),
        ];
        let failure = self.inner.store.failure().map(|why| {
            format!("the store cannot be written to, so changes are refused, and what it has is served on: {why}")
        });
        let problems = checks.iter().filter(|(stands, _)| *stands).map(|(_, what)| (*what).to_owned());
        let problems: Vec<_> = problems.chain(failure).collect();
        let files = self.inner.files.lock();
        let refused = files.as_ref().and_then(|files| files.last_refused.as_ref());
        let warnings = refused.map(|refused| format!("the files' last edit was refused: {}", refused.summary));
        Health {
            ready: problems.is_empty(),
            problems,
            warnings: warnings
                .into_iter()
                .chain(self.inner.webhooks.lock().warnings())
                .chain(self.inner.recorder.warning())
                .chain(self.inner.sent.lock().as_ref().and_then(|sent| too_long(sent.encoded_length()?)))
                .chain(self.source_warnings())
                .chain(self.page_warnings())
                .collect(),
            guard_tick_age,
            store_confirmation_age,
            shutting_down,
            store: self.inner.store.stats(),
        }
    }
}

/// What is said of a snapshot of so many bytes that no client takes.
fn too_long(bytes: usize) -> Option<String> {
    (bytes > SNAPSHOT_BYTES_MAX).then(|| {
        format!(
            "all flags and segments have {bytes} bytes as they are sent, and clients take {SNAPSHOT_BYTES_MAX}: none can \
             connect anew; shorten lists, or remove some"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_no_client_takes_is_warned_of() {
        assert_eq!(too_long(SNAPSHOT_BYTES_MAX), None);
        assert!(too_long(SNAPSHOT_BYTES_MAX + 1).is_some_and(|warning| warning.contains("have 268435457 bytes")));
    }
}
