//! Snapshots: everything compiled, never changed again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use daybreak_model::{Condition, Context, Flag, Key, Value, ValueType};
use rustc_hash::FxHashMap;

use crate::code::Segments;
use crate::index::Index;
use crate::program::{BROKEN, ENABLED, HAS_PREREQUISITES, Program};
use crate::{Detail, cost, evaluate, flags, segments};

/// Compiled flags and segments: immutable, shareable, read without a lock.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(crate) index: Arc<Index>,
    pub(crate) programs: Box<[Program]>,
    pub(crate) segments: Arc<Segments>,
    /// The flags whose prerequisites cannot be followed to their end, and why.
    pub(crate) endless: Arc<FxHashMap<FlagIndex, &'static str>>,
}

/// Where a flag is in one snapshot; it means nothing to another, unless [`Snapshot::same_index`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlagIndex(u32);

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

/// Compiles flags, each with the revision that last changed it, and segments.
///
/// It never fails: a flag that cannot be compiled answers with `PARSE_ERROR`.
#[must_use]
pub fn compile<'a>(
    flags: impl IntoIterator<Item = (&'a Key, &'a Flag, u64)>,
    segments: &BTreeMap<Key, Condition>,
) -> Snapshot {
    let segments = segments::compile(segments);
    let program = |(key, flag, revision)| flags::compile(key, flag, revision, &segments);
    let programs = flags.into_iter().map(program).collect();
    Snapshot::of(programs, Arc::new(segments))
}

impl Snapshot {
    fn of(programs: Box<[Program]>, segments: Arc<Segments>) -> Self {
        let index = Index::of(&programs);
        let endless = cost::endless(&programs, &index);
        Self { index: Arc::new(index), programs, segments, endless: Arc::new(endless) }
    }

    /// The same segments and the same flags, except for these: each as it is now, with the revision that
    /// changed it, or `None` where it is gone. Everything else is shared, not compiled again.
    #[must_use]
    pub fn with_flags<'a>(&self, changed: impl IntoIterator<Item = (&'a Key, Option<(&'a Flag, u64)>)>) -> Self {
        let mut programs = self.programs.clone();
        let (mut new, mut gone) = (BTreeMap::new(), BTreeSet::new());
        let mut follows = false;
        for (key, flag) in changed {
            let program = flag.map(|(flag, revision)| flags::compile(key, flag, revision, &self.segments));
            follows |= program.as_ref().is_some_and(Program::has_prerequisites);
            match (self.index(key.as_str()), program) {
                (Some(at), program) => {
                    follows |= self.programs[at.position()].has_prerequisites();
                    match program {
                        Some(program) => programs[at.position()] = program,
                        None => _ = gone.insert(at.position()),
                    }
                }
                (None, Some(program)) => _ = new.insert(key, program),
                (None, None) => {}
            }
        }
        if !new.is_empty() || !gone.is_empty() {
            let stay =
                programs.into_iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, program)| program);
            let mut programs: Vec<Program> = stay.chain(new.into_values()).collect();
            programs.sort_by(|one, other| one.facts.key.cmp(&other.facts.key));
            return Self::of(programs.into(), Arc::clone(&self.segments));
        }
        let endless = match follows {
            true => Arc::new(cost::endless(&programs, &self.index)),
            false => Arc::clone(&self.endless),
        };
        let (index, segments) = (Arc::clone(&self.index), Arc::clone(&self.segments));
        Self { index, programs, segments, endless }
    }

    /// As [`with_flags`](Self::with_flags), among other segments: all of them as they are now, and the keys of those that
    /// are new, different or gone. Other flags are compiled anew only where they may mean something else by that: where
    /// a segment came or went, can be followed at last or no longer, or costs more or less to follow. `all` are all
    /// flags as they are now, for this case.
    #[must_use]
    pub fn with_segments<'a, A>(
        &self,
        segments: &BTreeMap<Key, Condition>,
        changed: &BTreeSet<Key>,
        flags: impl IntoIterator<Item = (&'a Key, Option<(&'a Flag, u64)>)>,
        all: impl FnOnce() -> A,
    ) -> Self
    where
        A: IntoIterator<Item = (&'a Key, &'a Flag, u64)>,
    {
        let segments = segments::compile_over(&self.segments, segments, changed);
        if !segments.stands_as(&self.segments) {
            let program = |(key, flag, revision)| flags::compile(key, flag, revision, &segments);
            let programs = all().into_iter().map(program).collect();
            return Self::of(programs, Arc::new(segments));
        }
        let (index, endless) = (Arc::clone(&self.index), Arc::clone(&self.endless));
        let among = Self { index, programs: self.programs.clone(), segments: Arc::new(segments), endless };
        let mut flags = flags.into_iter().peekable();
        if flags.peek().is_none() { among } else { among.with_flags(flags) }
    }

    /// Whether a flag's index in the other snapshot is its index in this one.
    #[must_use]
    pub fn same_index(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.index, &other.index)
    }

    /// Where a flag is.
    #[must_use]
    #[inline]
    pub fn index(&self, key: &str) -> Option<FlagIndex> {
        self.index.get(key, &self.programs)
    }

    /// Evaluates a flag for a context.
    #[must_use]
    #[inline]
    pub fn evaluate(&self, key: &str, context: &Context) -> Detail<'_> {
        match self.index(key) {
            Some(index) => self.evaluate_at(index, context),
            None => Detail::NOT_FOUND,
        }
    }

    /// Evaluates the flag at an index of this snapshot.
    #[must_use]
    #[inline]
    pub fn evaluate_at(&self, index: FlagIndex, context: &Context) -> Detail<'_> {
        match self.programs.get(index.position()) {
            Some(program) => evaluate::evaluate(self, index, program, context),
            None => Detail::NOT_FOUND,
        }
    }

    /// The answer of a flag whose answer cannot depend on the context; `None` of any other.
    #[must_use]
    pub fn static_answer(&self, index: FlagIndex) -> Option<Detail<'_>> {
        let program = self.programs.get(index.position())?;
        let head = program.head();
        let closed = head.is(BROKEN) || !head.is(ENABLED);
        (closed || !program.has_rules() && !head.is(HAS_PREREQUISITES))
            .then(|| self.evaluate_at(index, &Context::default()))
    }

    /// What is known of the flag at an index.
    #[must_use]
    pub fn info(&self, index: FlagIndex) -> Option<FlagInfo<'_>> {
        let program = self.programs.get(index.position())?;
        let facts = &*program.facts;
        Some(FlagInfo {
            index,
            key: &facts.key,
            value_type: facts.value_type,
            client: facts.client,
            revision: facts.revision,
            variants: &facts.variants,
            broken: self.why_broken(index, program),
        })
    }

    /// Why a flag cannot be evaluated.
    pub(crate) fn why_broken<'s>(&'s self, index: FlagIndex, program: &'s Program) -> Option<&'s str> {
        program.facts.broken.as_deref().or_else(|| self.endless.get(&index).copied())
    }

    /// All flags, by index.
    pub fn flags(&self) -> impl Iterator<Item = FlagInfo<'_>> {
        (0..).map(FlagIndex).map_while(|index| self.info(index))
    }

    /// The flags that cannot be evaluated, and why.
    pub fn broken(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.flags().filter_map(|flag| Some((flag.key, flag.broken?)))
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
    #[inline]
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}
