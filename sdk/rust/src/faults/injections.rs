//! Injections by fault, since the client began.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::Faults;

/// Faults that are counted by name; further ones count together.
pub(crate) const FAULTS_MAX: usize = 200;
/// No key begins like this.
const OTHER: &str = "_other";

/// Injections by fault.
#[derive(Debug, Default)]
pub(super) struct Injections(Mutex<BTreeMap<String, Injected>>);

/// What was injected of a fault.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Injected {
    pub(crate) count: u64,
    /// The trace of the last one whose trace is kept, and when that was.
    pub(crate) example: Option<(u128, jiff::Timestamp)>,
}

impl Faults {
    /// A fault strikes a pass, in this trace.
    pub(crate) fn count_injection(&self, fault: &str, trace: Option<u128>) {
        let example = trace.map(|trace| (trace, self.now().wall));
        let mut counts = self.0.injections.0.lock();
        let name = if counts.contains_key(fault) || counts.len() < FAULTS_MAX { fault } else { OTHER };
        match counts.get_mut(name) {
            Some(injected) => injected.add(example),
            None => counts.entry(name.to_owned()).or_default().add(example),
        }
    }

    /// Injections by fault.
    #[cfg(feature = "metrics")]
    pub(crate) fn injected(&self) -> BTreeMap<String, Injected> {
        self.0.injections.0.lock().clone()
    }

    /// Faults that are being injected now.
    #[cfg(feature = "metrics")]
    pub(crate) fn in_flight(&self) -> u32 {
        self.0.in_flight.count()
    }
}

impl Injected {
    fn add(&mut self, example: Option<(u128, jiff::Timestamp)>) {
        self.count += 1;
        self.example = example.or(self.example);
    }
}
