//! Compiling segments.

use std::collections::BTreeMap;

use daybreak_model::limits::{EVALUATION_STEPS_MAX, SEGMENT_DEPTH_MAX};
use daybreak_model::{Condition, Key};

use crate::assemble::Assembler;
use crate::code::{Segment, Segments};
use crate::cost::Cost;

/// Compiles the segments that others can name: those that are whole, reach no cycle, and cost no more than
/// one evaluation may.
pub(crate) fn compile(sources: &BTreeMap<Key, Condition>) -> Segments {
    let mut segments = Segments(sources.keys().map(|key| (key.clone(), None)).collect());
    let mut open: Vec<(usize, &Condition)> = sources.values().enumerate().collect();
    loop {
        let before = open.len();
        open.retain(|(at, source)| {
            let compiled = one(source, &segments);
            let is_open = compiled.is_none();
            segments.0[*at].1 = compiled;
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
    Some(Segment { code: assembler.finish(), cost })
}
