//! Compiling segments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use daybreak_model::limits::{EVALUATION_STEPS_MAX, SEGMENT_DEPTH_MAX};
use daybreak_model::{Condition, Key};

use crate::assemble::Assembler;
use crate::code::{Segment, Segments};
use crate::cost::Cost;

/// Compiles the segments that others can name: those that are whole, reach no cycle, and cost no more than
/// one evaluation may.
pub(crate) fn compile(sources: &BTreeMap<Key, Condition>) -> Segments {
    all(sources, |_| None)
}

/// The same over earlier ones: what is not said to have changed is theirs, if it names no other.
pub(crate) fn compile_over(before: &Segments, sources: &BTreeMap<Key, Condition>, changed: &BTreeSet<Key>) -> Segments {
    let known = |key: &Key| {
        let segment = before.get(key).filter(|_| !changed.contains(key))?;
        segment.alone.then(|| Arc::clone(segment))
    };
    all(sources, known)
}

fn all(sources: &BTreeMap<Key, Condition>, known: impl Fn(&Key) -> Option<Arc<Segment>>) -> Segments {
    let mut segments = Segments(sources.keys().map(|key| (key.clone(), known(key))).collect());
    let mut open: Vec<(usize, &Condition)> = sources.values().enumerate().collect();
    open.retain(|(at, _)| segments.0[*at].1.is_none());
    loop {
        let before = open.len();
        open.retain(|(at, source)| {
            let compiled = one(source, &segments);
            let is_open = compiled.is_none();
            segments.0[*at].1 = compiled.map(Arc::new);
            is_open
        });
        if open.len() == before {
            return segments;
        }
    }
}

/// Compiles a segment, once those that it names are.
fn one(source: &Condition, segments: &Segments) -> Option<Segment> {
    let named = source.segments();
    if named.iter().any(|key| segments.index(key).is_none()) {
        return None;
    }
    let cost = named.iter().fold(Cost::ONE, |cost, key| cost.and(segments.cost(key)));
    if cost.steps > EVALUATION_STEPS_MAX || cost.depth > SEGMENT_DEPTH_MAX {
        return None;
    }
    let mut assembler = Assembler::default();
    assembler.condition(source, segments).ok()?;
    Some(Segment { code: assembler.finish(), cost, alone: named.is_empty() })
}

impl Segments {
    fn get(&self, key: &Key) -> Option<&Arc<Segment>> {
        let at = self.0.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        self.0[at].1.as_ref()
    }

    /// Whether code that names these segments means the same among the others: they stand in the same places, the same
    /// ones can be named, and each costs the same to follow.
    pub(crate) fn stands_as(&self, other: &Self) -> bool {
        let cost = |segment: &Option<Arc<Segment>>| segment.as_ref().map(|segment| segment.cost);
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(own, its)| own.0 == its.0 && cost(&own.1) == cost(&its.1))
    }
}
