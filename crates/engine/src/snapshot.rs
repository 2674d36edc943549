//! Snapshots: everything compiled, never changed again.

use std::collections::BTreeMap;

use daybreak_model::limits::{PREREQUISITE_DEPTH_MAX, SEGMENT_DEPTH_MAX};
use daybreak_model::{Condition as Source, Context, ErrorCode, Flag, Key, Reason, Value, ValueType};
use rustc_hash::FxHashMap;

use crate::compile::{self, SegmentIndex};
use crate::program::{Condition, Node, Program};
use crate::{Detail, evaluate};

/// Compiled flags and segments: immutable, shareable, read without a lock.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(crate) index: FxHashMap<Key, FlagIndex>,
    pub(crate) programs: Box<[Program]>,
    pub(crate) segments: Box<[Condition]>,
    /// The keys of the segments, for explanations.
    pub(crate) segment_names: Box<[Key]>,
}

/// Where a flag is in one snapshot; it means nothing to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlagIndex(pub(crate) u32);

/// What is known of a flag without evaluating it.
#[derive(Clone, Copy, Debug)]
pub struct FlagInfo<'s> {
    /// Where it is.
    pub index: FlagIndex,
    /// Its key.
    pub key: &'s Key,
    /// The type of its variants.
    pub value_type: ValueType,
    /// Whether browsers may see it.
    pub client: bool,
    /// The revision that last changed it.
    pub revision: u64,
    /// Its variants in name order.
    pub variants: &'s [(Key, Value)],
    /// Why it cannot be evaluated.
    pub broken: Option<&'s str>,
}

/// Steps that one evaluation may take through prerequisites, or through segments.
const COST_MAX: u64 = 10_000;

/// What following something costs: one that is reached twice costs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    steps: u64,
    depth: usize,
}

impl Cost {
    const ONE: Self = Self { steps: 1, depth: 0 };

    /// The cost of following this as well, from one level above.
    fn and(self, below: Self) -> Self {
        Self { steps: self.steps.saturating_add(below.steps), depth: self.depth.max(below.depth + 1) }
    }
}

/// Compiles flags, each with the revision that last changed it, and segments.
///
/// It never fails: a flag that cannot be compiled answers with `PARSE_ERROR`.
#[must_use]
pub fn compile<'a>(
    flags: impl IntoIterator<Item = (&'a Key, &'a Flag, u64)>,
    segments: &BTreeMap<Key, Source>,
) -> Snapshot {
    let (segment_index, segments) = compile_segments(segments);
    let mut programs: Vec<Program> =
        flags.into_iter().map(|(key, flag, revision)| compile::flag(key, flag, revision, &segment_index)).collect();
    let index: FxHashMap<Key, FlagIndex> =
        (0..).zip(&programs).map(|(index, program)| (program.key.clone(), FlagIndex(index))).collect();
    let costs = follow_prerequisites(&programs, &index);
    for (program, cost) in programs.iter_mut().zip(costs) {
        if let (None, Err(why)) = (&program.broken, cost) {
            program.broken = Some(why);
        }
    }
    let mut named: Vec<(u32, Key)> = segment_index.into_iter().map(|(key, at)| (at, key)).collect();
    named.sort_unstable_by_key(|(at, _)| *at);
    let segment_names = named.into_iter().map(|(_, key)| key).collect();
    Snapshot { index, programs: programs.into(), segments, segment_names }
}

/// Compiles the segments that others can name: those that are whole, reach no cycle, and cost no more than
/// one evaluation may.
pub(crate) fn compile_segments(sources: &BTreeMap<Key, Source>) -> (SegmentIndex, Box<[Condition]>) {
    let mut index = SegmentIndex::new();
    let mut compiled: Vec<Condition> = Vec::new();
    let mut costs: Vec<Cost> = Vec::new();
    loop {
        let before = index.len();
        for (key, source) in sources {
            if index.contains_key(key) {
                continue;
            }
            let Ok(condition) = compile::condition(source, &index) else { continue };
            let cost = condition.nodes.iter().fold(Cost::ONE, |cost, node| match node {
                Node::Segment(index) => costs.get(*index as usize).map_or(cost, |below| cost.and(*below)),
                _ => Cost { steps: cost.steps.saturating_add(1), ..cost },
            });
            let Ok(at) = u32::try_from(compiled.len()) else { continue };
            if cost.steps <= COST_MAX && cost.depth <= SEGMENT_DEPTH_MAX {
                index.insert(key.clone(), at);
                compiled.push(condition);
                costs.push(cost);
            }
        }
        if index.len() == before {
            return (index, compiled.into());
        }
    }
}

/// Whether the prerequisites of each flag can be followed to their end; an error where they cannot.
fn follow_prerequisites(programs: &[Program], index: &FxHashMap<Key, FlagIndex>) -> Vec<Result<(), String>> {
    let mut costs: Vec<Option<Cost>> = vec![None; programs.len()];
    loop {
        let mut progress = false;
        for (at, program) in programs.iter().enumerate() {
            if costs[at].is_some() {
                continue;
            }
            let of = |key: &Key| index.get(key).map_or(Some(Cost::ONE), |known| costs[known.position()]);
            let sum = program.prerequisites.iter().try_fold(Cost::ONE, |cost, (key, _)| Some(cost.and(of(key)?)));
            progress |= sum.is_some();
            costs[at] = sum;
        }
        if !progress {
            break;
        }
    }
    let judge = |cost: Option<Cost>| match cost {
        None => Err("its prerequisites lead back to it".to_owned()),
        Some(cost) if cost.steps > COST_MAX || cost.depth > PREREQUISITE_DEPTH_MAX => {
            Err("its prerequisites are too many to follow".to_owned())
        }
        Some(_) => Ok(()),
    };
    costs.into_iter().map(judge).collect()
}

impl Snapshot {
    /// Where a flag is.
    #[must_use]
    #[inline]
    pub fn index(&self, key: &str) -> Option<FlagIndex> {
        self.index.get(key).copied()
    }

    /// Evaluates a flag for a context.
    #[must_use]
    pub fn evaluate(&self, key: &str, context: &Context) -> Detail<'_> {
        match self.index(key) {
            Some(index) => self.evaluate_at(index, context),
            None => Detail::NOT_FOUND,
        }
    }

    /// Evaluates the flag at an index of this snapshot.
    #[must_use]
    pub fn evaluate_at(&self, index: FlagIndex, context: &Context) -> Detail<'_> {
        match self.programs.get(index.0 as usize) {
            Some(program) => evaluate::evaluate(self, index, program, context),
            None => Detail::NOT_FOUND,
        }
    }

    /// The answer of a flag whose answer cannot depend on the context; `None` of any other.
    #[must_use]
    pub fn static_answer(&self, index: FlagIndex) -> Option<Detail<'_>> {
        let program = self.programs.get(index.0 as usize)?;
        let closed = program.broken.is_some() || !program.enabled;
        (closed || program.rules.is_empty() && program.prerequisites.is_empty())
            .then(|| self.evaluate_at(index, &Context::default()))
    }

    /// What is known of the flag at an index.
    #[must_use]
    pub fn info(&self, index: FlagIndex) -> Option<FlagInfo<'_>> {
        let program = self.programs.get(index.0 as usize)?;
        Some(FlagInfo {
            index,
            key: &program.key,
            value_type: program.value_type,
            client: program.client,
            revision: program.revision,
            variants: &program.variants,
            broken: program.broken.as_deref(),
        })
    }

    /// All flags, in the order in which they were compiled.
    pub fn flags(&self) -> impl Iterator<Item = FlagInfo<'_>> {
        (0..self.programs.len()).filter_map(|at| self.info(FlagIndex(u32::try_from(at).ok()?)))
    }

    /// The flags that cannot be evaluated, and why.
    pub fn broken(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.programs.iter().filter_map(|program| Some((&program.key, program.broken.as_deref()?)))
    }
}

impl Detail<'_> {
    /// The answer of a flag that cannot be evaluated.
    pub(crate) fn failed(program: &Program, index: FlagIndex, error: ErrorCode) -> Detail<'_> {
        Detail {
            reason: Reason::Error,
            error: Some(error),
            flag: Some(index),
            revision: program.revision,
            metadata: Some(&program.metadata),
            ..Detail::NOT_FOUND
        }
    }
}

impl FlagIndex {
    /// The index of a place in [`Snapshot::flags`]; one beyond the last finds no flag.
    #[must_use]
    pub const fn at(position: u32) -> Self {
        Self(position)
    }

    /// Its place in [`Snapshot::flags`].
    #[must_use]
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}
