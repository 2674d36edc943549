//! Prerequisites and segments must not lead back to where they began, nor go on too long.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::limits::{PREREQUISITE_DEPTH_MAX, SEGMENT_DEPTH_MAX};
use daybreak_model::{Key, Kind, Resources};

use super::at;
use crate::diagnostic::Problem;
use crate::path::Path;

/// What each thing leads to.
type Graph<'r> = BTreeMap<&'r Key, Vec<Key>>;

pub(super) fn check(resources: &Resources, problems: &mut Vec<Problem>) {
    let flags: Graph<'_> =
        resources.flags.iter().map(|(key, flag)| (key, flag.prerequisites.keys().cloned().collect())).collect();
    let prerequisite = |key: &Key, next: &Key| at(Kind::Flag, key).then("prerequisites").then(next.as_str());
    walk(&flags, "prerequisites", PREREQUISITE_DEPTH_MAX, &prerequisite, problems);

    let segments: Graph<'_> = resources.segments.iter().map(|(key, segment)| (key, segment.when.segments())).collect();
    walk(&segments, "segments", SEGMENT_DEPTH_MAX, &|key, _| at(Kind::Segment, key).then("when"), problems);
}

/// Reports each cycle once, at its first key, and each chain that is too long at its start.
fn walk(graph: &Graph<'_>, what: &str, most: usize, place: &dyn Fn(&Key, &Key) -> Path, problems: &mut Vec<Problem>) {
    let mut state = Walk { graph, heights: BTreeMap::new(), cycles: BTreeSet::new() };
    for start in graph.keys() {
        state.visit(start);
    }
    for cycle in &state.cycles {
        let [first, second, ..] = &cycle[..] else { continue };
        let names: Vec<String> = cycle.iter().map(|key| format!("`{key}`")).collect();
        let message = format!("these {what} go in a circle: {}", names.join(" → "));
        problems.push(Problem::error("cycle", place(first, second), message).help("remove one of them"));
    }
    if !state.cycles.is_empty() {
        return;
    }
    for (start, next) in graph.iter().filter_map(|(start, next)| Some((*start, next.first()?))) {
        let height = state.heights.get(start).copied().unwrap_or(0);
        if height == most + 1 {
            let message = format!("from here {what} go on for {height} steps; {most} are the limit");
            problems.push(Problem::error("too_deep", place(start, next), message).help("shorten the chain"));
        }
    }
}

struct Walk<'g> {
    graph: &'g Graph<'g>,
    /// How many steps lead on from a key; known once it is left.
    heights: BTreeMap<Key, usize>,
    /// Each beginning and ending with its smallest key.
    cycles: BTreeSet<Vec<Key>>,
}

impl Walk<'_> {
    /// Walks without recursing, so that a long chain needs no stack.
    fn visit(&mut self, start: &Key) {
        if self.heights.contains_key(start) {
            return;
        }
        let mut way: Vec<(Key, usize)> = vec![(start.clone(), 0)];
        while let Some((key, taken)) = way.last_mut() {
            let next = self.graph.get(key).and_then(|next| next.get(*taken)).cloned();
            *taken += 1;
            match next {
                Some(next) => {
                    if let Some(begin) = way.iter().position(|(on_way, _)| *on_way == next) {
                        let keys: Vec<Key> = way[begin..].iter().map(|(key, _)| key.clone()).collect();
                        self.cycles.insert(closed(keys));
                    } else if !self.heights.contains_key(&next) {
                        way.push((next, 0));
                    }
                }
                None => self.leave(&mut way),
            }
        }
    }

    fn leave(&mut self, way: &mut Vec<(Key, usize)>) {
        let Some((key, _)) = way.pop() else { return };
        let next = self.graph.get(&key).map(Vec::as_slice).unwrap_or_default();
        let height = next.iter().map(|next| 1 + self.heights.get(next).copied().unwrap_or(0)).max().unwrap_or(0);
        self.heights.insert(key, height);
    }
}

/// The same cycle, beginning with its smallest key, and coming back to it.
fn closed(mut keys: Vec<Key>) -> Vec<Key> {
    let smallest = keys.iter().enumerate().min_by_key(|(_, key)| *key).map_or(0, |(index, _)| index);
    keys.rotate_left(smallest);
    keys.extend(keys.first().cloned());
    keys
}
