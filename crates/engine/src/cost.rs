//! What it costs to follow segments and prerequisites: bounded, so that no document makes an evaluation endless.

use daybreak_model::Key;
use daybreak_model::limits::{EVALUATION_STEPS_MAX, PREREQUISITE_DEPTH_MAX};
use rustc_hash::FxHashMap;

use crate::FlagIndex;
use crate::index::Index;
use crate::program::Program;

/// What following something costs: one that is reached twice costs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) steps: u64,
    pub(crate) depth: usize,
}

impl Cost {
    pub(crate) const ONE: Self = Self { steps: 1, depth: 0 };

    /// The cost of following this as well, from one level above.
    pub(crate) fn and(self, below: Self) -> Self {
        Self { steps: self.steps.saturating_add(below.steps), depth: self.depth.max(below.depth + 1) }
    }
}

/// The flags whose prerequisites cannot be followed to their end, and why.
pub(crate) fn endless(programs: &[Program], index: &Index) -> FxHashMap<FlagIndex, &'static str> {
    let mut open: Vec<(FlagIndex, &Program)> = (0..).map(FlagIndex::at).zip(programs).collect();
    open.retain(|(_, program)| program.has_prerequisites());
    let waiting: FxHashMap<FlagIndex, ()> = open.iter().map(|(at, _)| (*at, ())).collect();
    let mut costs: FxHashMap<FlagIndex, Cost> = FxHashMap::default();
    loop {
        let before = open.len();
        open.retain(|(at, program)| {
            let of = |key: &Key| match index.get(key.as_str(), programs) {
                Some(known) if waiting.contains_key(&known) => costs.get(&known).copied(),
                _ => Some(Cost::ONE),
            };
            let mut keys = program.facts.prerequisites.iter().map(|(key, _)| key);
            let sum = keys.try_fold(Cost::ONE, |cost, key| Some(cost.and(of(key)?)));
            sum.map(|cost| costs.insert(*at, cost)).is_none()
        });
        if open.len() == before {
            break;
        }
    }
    let circular = open.into_iter().map(|(at, _)| (at, "its prerequisites lead back to it"));
    let too_many = |cost: &Cost| cost.steps > EVALUATION_STEPS_MAX || cost.depth > PREREQUISITE_DEPTH_MAX;
    let costly = costs.into_iter().filter(|(_, cost)| too_many(cost));
    circular.chain(costly.map(|(at, _)| (at, "its prerequisites are too many to follow"))).collect()
}
