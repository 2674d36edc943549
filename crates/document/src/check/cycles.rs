//! Prerequisites and segments must not lead back to where they began, nor go on too long, nor lead to too much.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::limits::{EVALUATION_STEPS_MAX, PREREQUISITE_DEPTH_MAX, SEGMENT_DEPTH_MAX};
use daybreak_model::{Key, Kind, Resources};

use super::at;
use crate::diagnostic::Problem;
use crate::path::Path;

/// What each thing leads to; what it names twice, twice.
type Graph<'r> = BTreeMap<&'r Key, Vec<&'r Key>>;

/// Cycles that are told: a tangle has more of them than anybody reads.
const CYCLES_MAX: usize = 20;
/// Keys of a cycle that are told.
const NAMES_MAX: usize = 12;

pub(super) fn check(resources: &Resources, problems: &mut Vec<Problem>) {
    let flags: Graph<'_> =
        resources.flags.iter().map(|(key, flag)| (key, flag.prerequisites.keys().collect())).collect();
    let prerequisite = |key: &Key, next: &Key| at(Kind::Flag, key).then("prerequisites").then(next.as_str());
    walk(&flags, "prerequisites", PREREQUISITE_DEPTH_MAX, &prerequisite, problems);

    let named: Vec<(&Key, Vec<Key>)> =
        resources.segments.iter().map(|(key, segment)| (key, segment.when.segments())).collect();
    let segments: Graph<'_> = named.iter().map(|(key, named)| (*key, named.iter().collect())).collect();
    let place = |key: &Key, _: &Key| at(Kind::Segment, key).then("when");
    let costs = walk(&segments, "segments", SEGMENT_DEPTH_MAX, &place, problems);
    for (key, flag) in &resources.flags {
        let steps = flag.segments().map(|segment| costs.get(&segment).map_or(1, |cost| cost.steps));
        let steps = steps.fold(0, u64::saturating_add);
        if steps > EVALUATION_STEPS_MAX {
            let message = format!(
                "the rules lead to {steps} segments, each counted as often as it is reached; {EVALUATION_STEPS_MAX} are the limit"
            );
            let problem = Problem::error("too_costly", at(Kind::Flag, key).then("rules"), message);
            problems.push(problem.help("let fewer rules name the same large segments"));
        }
    }
}

/// Reports each cycle once, at its first key; and where a chain becomes too long, or leads to too much. What it costs
/// to follow each; nothing where there are cycles.
fn walk<'g>(
    graph: &'g Graph<'g>,
    what: &str,
    most: usize,
    place: &dyn Fn(&Key, &Key) -> Path,
    problems: &mut Vec<Problem>,
) -> BTreeMap<&'g Key, Cost> {
    let mut state = Walk { graph, costs: BTreeMap::new(), cycles: BTreeSet::new() };
    for start in graph.keys() {
        state.visit(start);
    }
    for cycle in &state.cycles {
        let [first, second, ..] = &cycle[..] else { continue };
        let message = format!("these {what} go in a circle: {}", names(cycle));
        problems.push(Problem::error("cycle", place(first, second), message).help("remove one of them"));
    }
    if !state.cycles.is_empty() {
        return BTreeMap::new();
    }
    for (start, next) in graph {
        let Some(first) = next.first() else { continue };
        let cost = state.cost(start);
        // What leads to something that is too much is not at fault itself.
        let is_first =
            |is_over: &dyn Fn(Cost) -> bool| is_over(cost) && !next.iter().any(|next| is_over(state.cost(next)));
        if is_first(&|cost| cost.depth > most) {
            let message = format!("from here {what} go on for {} steps; {most} are the limit", cost.depth);
            problems.push(Problem::error("too_deep", place(start, first), message).help("shorten the chain"));
        } else if is_first(&|cost| cost.steps > EVALUATION_STEPS_MAX) {
            let message = format!(
                "from here {what} lead to {} others, each counted as often as it is reached; {EVALUATION_STEPS_MAX} are the limit",
                cost.steps - 1
            );
            let help = "let fewer of them lead to the same ones";
            problems.push(Problem::error("too_costly", place(start, first), message).help(help));
        }
    }
    state.costs
}

/// What it costs to follow something to its end: what is reached twice counts twice.
#[derive(Clone, Copy)]
struct Cost {
    steps: u64,
    /// How many steps lead on from it.
    depth: usize,
}

impl Cost {
    const ONE: Self = Self { steps: 1, depth: 0 };
}

struct Walk<'g> {
    graph: &'g Graph<'g>,
    /// Known once a key is left.
    costs: BTreeMap<&'g Key, Cost>,
    /// Each beginning and ending with its smallest key.
    cycles: BTreeSet<Vec<&'g Key>>,
}

impl<'g> Walk<'g> {
    fn cost(&self, key: &Key) -> Cost {
        self.costs.get(key).copied().unwrap_or(Cost::ONE)
    }

    /// Walks without recursing, so that a long chain needs no stack.
    fn visit(&mut self, start: &'g Key) {
        if self.costs.contains_key(start) {
            return;
        }
        let mut way: Vec<(&'g Key, usize)> = vec![(start, 0)];
        let mut on_way: BTreeMap<&'g Key, usize> = BTreeMap::from([(start, 0)]);
        while let Some((key, taken)) = way.last_mut() {
            let next = self.graph.get(*key).and_then(|next| next.get(*taken)).copied();
            *taken += 1;
            match next {
                Some(next) => {
                    if let Some(begin) = on_way.get(next) {
                        if self.cycles.len() < CYCLES_MAX {
                            self.cycles.insert(closed(way[*begin..].iter().map(|(key, _)| *key).collect()));
                        }
                    } else if !self.costs.contains_key(next) {
                        on_way.insert(next, way.len());
                        way.push((next, 0));
                    }
                }
                None => {
                    let Some((key, _)) = way.pop() else { return };
                    on_way.remove(key);
                    self.leave(key);
                }
            }
        }
    }

    fn leave(&mut self, key: &'g Key) {
        let next = self.graph.get(key).map(Vec::as_slice).unwrap_or_default();
        let cost = next.iter().fold(Cost::ONE, |cost, next| {
            let below = self.cost(next);
            Cost { steps: cost.steps.saturating_add(below.steps), depth: cost.depth.max(below.depth + 1) }
        });
        self.costs.insert(key, cost);
    }
}

/// The same cycle, beginning with its smallest key, and coming back to it.
fn closed(mut keys: Vec<&Key>) -> Vec<&Key> {
    let smallest = keys.iter().enumerate().min_by_key(|(_, key)| **key).map_or(0, |(index, _)| index);
    keys.rotate_left(smallest);
    keys.extend(keys.first().copied());
    keys
}

/// The way around, without the middle of a long one.
fn names(cycle: &[&Key]) -> String {
    let mut names: Vec<String> = cycle.iter().take(NAMES_MAX).map(|key| format!("`{key}`")).collect();
    if let [.., last] = cycle
        && cycle.len() > NAMES_MAX
    {
        names.extend(["…".to_owned(), format!("`{last}`")]);
    }
    names.join(" → ")
}
