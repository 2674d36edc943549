//! Injections by fault, since the client began.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::Faults;

/// Faults that are counted by name; further ones count together.
pub(crate) const FAULTS_MAX: usize = 200;
const OTHER: &str = "other";

/// Injections by fault.
#[derive(Debug, Default)]
pub(super) struct Injections(Mutex<BTreeMap<String, u64>>);

impl Faults {
    /// A fault strikes a pass.
    pub(crate) fn count_injection(&self, fault: &str) {
        let mut counts = self.0.injections.0.lock();
        if let Some(count) = counts.get_mut(fault) {
            *count += 1;
            return;
        }
        let name = if counts.len() < FAULTS_MAX { fault } else { OTHER };
        *counts.entry(name.to_owned()).or_default() += 1;
    }

    /// Injections by fault.
    #[cfg(feature = "metrics")]
    pub(crate) fn injected(&self) -> BTreeMap<String, u64> {
        self.0.injections.0.lock().clone()
    }

    /// Faults that are being injected now.
    #[cfg(feature = "metrics")]
    pub(crate) fn in_flight(&self) -> u32 {
        self.0.in_flight.count()
    }
}
