//! Compiling segments.

use std::collections::BTreeMap;

use daybreak_model::limits::SEGMENT_DEPTH_MAX;
use daybreak_model::{Condition, Key};

use crate::assemble::Assembler;
use crate::code::{Code, Node, Segments};
use crate::cost::{COST_MAX, Cost};

/// Compiles the segments that others can name: those that are whole, reach no cycle, and cost no more than
/// one evaluation may.
pub(crate) fn compile(sources: &BTreeMap<Key, Condition>) -> Segments {
    let mut segments = Segments(sources.keys().map(|key| (key.clone(), None)).collect());
    let mut costs: Vec<Option<Cost>> = vec![None; sources.len()];
    loop {
        let mut progress = false;
        for (at, source) in sources.values().enumerate() {
            if costs[at].is_some() {
                continue;
            }
            let Some(code) = one(source, &segments) else { continue };
            let cost = code.nodes.iter().fold(Cost::ONE, |cost, node| match node {
                Node::Segment(index) => cost.and(costs[*index as usize].unwrap_or(Cost::ONE)),
                _ => cost.and_a_step(),
            });
            if cost.steps <= COST_MAX && cost.depth <= SEGMENT_DEPTH_MAX {
                segments.0[at].1 = Some(code);
                costs[at] = Some(cost);
                progress = true;
            }
        }
        if !progress {
            return segments;
        }
    }
}

fn one(source: &Condition, segments: &Segments) -> Option<Code> {
    let mut assembler = Assembler::default();
    assembler.condition(source, segments).ok()?;
    Some(assembler.finish())
}
