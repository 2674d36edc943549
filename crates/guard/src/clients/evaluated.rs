//! How often flags were evaluated, over all clients that ever reported.

use std::collections::BTreeMap;

use daybreak_model::Key;

use super::EVALUATIONS_MAX;

/// How often a flag was evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Times that a variant was served.
    pub served: u64,
    /// Times that there was none, and the caller's default was taken.
    pub errors: u64,
}

/// Every flag's evaluations. They only grow: a client that goes takes none of its own away.
#[derive(Debug, Default)]
pub(super) struct AllEvaluated(BTreeMap<Key, Evaluated>);

impl AllEvaluated {
    /// Counts by how much a client's counters grew. Flags beyond [`EVALUATIONS_MAX`] are left out.
    pub(super) fn add(&mut self, grown: &[(Key, Evaluated)]) {
        for (flag, more) in grown {
            if !self.0.contains_key(flag) && self.0.len() >= EVALUATIONS_MAX {
                continue;
            }
            let kept = self.0.entry(flag.clone()).or_default();
            kept.served = kept.served.saturating_add(more.served);
            kept.errors = kept.errors.saturating_add(more.errors);
        }
    }

    /// By flag.
    pub(super) fn by_flag(&self) -> &BTreeMap<Key, Evaluated> {
        &self.0
    }
}
