//! How often flags were evaluated, over all clients that ever reported.

use std::collections::BTreeMap;

use daybreak_model::Key;

use super::{EVALUATIONS_MAX, EvaluationGrowth};

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
    /// Counts by how much clients' counters grew of late. Flags beyond [`EVALUATIONS_MAX`] are left out.
    pub(super) fn add(&mut self, grown: &[EvaluationGrowth]) {
        for more in grown.iter().filter(|more| more.recent) {
            if !self.0.contains_key(&more.flag) && self.0.len() >= EVALUATIONS_MAX {
                continue;
            }
            let kept = self.0.entry(more.flag.clone()).or_default();
            let counter = if more.variant.is_some() { &mut kept.served } else { &mut kept.errors };
            *counter = counter.saturating_add(more.count);
        }
    }

    /// By flag.
    pub(super) fn by_flag(&self) -> &BTreeMap<Key, Evaluated> {
        &self.0
    }
}
