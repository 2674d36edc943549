//! Compiling segments.

use std::collections::BTreeMap;

use daybreak_model::limits::{EVALUATION_STEPS_MAX, SEGMENT_DEPTH_MAX};
use daybreak_model::{Condition, Key};

use crate::assemble::Assembler;
use crate::code::{OwnCode, Segments};
use crate::cost::Cost;

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
            let cost = cost_of(source, &segments, &costs);
            if cost.steps <= EVALUATION_STEPS_MAX && cost.depth <= SEGMENT_DEPTH_MAX {
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

fn one(source: &Condition, segments: &Segments) -> Option<OwnCode> {
    let mut assembler = Assembler::default();
    assembler.condition(source, segments).ok()?;
    Some(assembler.finish())
}

fn cost_of(source: &Condition, segments: &Segments, costs: &[Option<Cost>]) -> Cost {
    let of = |key: &Key| costs[segments.index(key)? as usize];
    let mut cost = Cost::ONE;
    source.walk(&mut |part| {
        cost = match part {
            Condition::Segment(key) => cost.and(of(key).unwrap_or(Cost::ONE)),
            _ => cost,
        };
    });
    cost
}
