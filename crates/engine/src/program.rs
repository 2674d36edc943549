//! Compiled conditions and flags.

use std::collections::BTreeMap;

use daybreak_model::{Context, ContextValue, Key, Scalar, Value, ValueType, name_hash};

use crate::Truth;
use crate::operand::Operand;

/// A condition as a flat list of nodes in prefix order; each knows where the next one after it begins.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) nodes: Box<[Node]>,
}

#[derive(Debug)]
pub(crate) enum Node {
    All { end: u32 },
    Any { end: u32 },
    Not { end: u32 },
    Segment(u32),
    Test(Attribute, Operand),
}

/// An attribute's name, hashed; and the parts of a name with dots.
#[derive(Debug)]
pub(crate) struct Attribute {
    hash: u64,
    name: Box<str>,
    path: Box<[(u64, Box<str>)]>,
}

impl Attribute {
    pub(crate) fn new(name: &str) -> Self {
        let parts = || name.split('.').map(|part| (name_hash(part), part.into()));
        let path = if name.contains('.') { parts().collect() } else { Box::default() };
        Self { hash: name_hash(name), name: name.into(), path }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The attribute of a context: the literal name wins, then the walk into objects.
    pub(crate) fn of<'c>(&self, context: &'c Context) -> Option<&'c ContextValue> {
        if let Some(value) = context.lookup(self.hash, &self.name) {
            return Some(value);
        }
        let ((hash, name), rest) = self.path.split_first()?;
        rest.iter().try_fold(context.lookup(*hash, name)?, |value, (hash, name)| value.member(*hash, name))
    }
}

impl Condition {
    pub(crate) fn holds(&self, context: &Context, segments: &[Condition]) -> Truth {
        self.at(0, context, segments).0
    }

    /// The truth of the node at `at`, and where the next one begins.
    fn at(&self, at: usize, context: &Context, segments: &[Condition]) -> (Truth, usize) {
        match &self.nodes[at] {
            Node::Test(attribute, operand) => (operand.ask(attribute.of(context)), at + 1),
            Node::Segment(index) => (segments[*index as usize].holds(context, segments), at + 1),
            Node::Not { end } => (!self.at(at + 1, context, segments).0, *end as usize),
            Node::All { end } => (self.fold(at + 1, *end as usize, Truth::False, context, segments), *end as usize),
            Node::Any { end } => (self.fold(at + 1, *end as usize, Truth::True, context, segments), *end as usize),
        }
    }

    /// `all` is the least of its parts and `any` the greatest; `decided` needs no further part.
    fn fold(&self, mut at: usize, end: usize, decided: Truth, context: &Context, segments: &[Condition]) -> Truth {
        let mut sum = !decided;
        while at < end {
            let (truth, next) = self.at(at, context, segments);
            if truth == decided {
                return decided;
            }
            if truth == Truth::Unknown {
                sum = Truth::Unknown;
            }
            at = next;
        }
        sum
    }
}

/// A compiled flag.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) client: bool,
    pub(crate) enabled: bool,
    pub(crate) value_type: ValueType,
    pub(crate) variants: Box<[(Key, Value)]>,
    /// `None` where there is no such variant, which breaks the flag.
    pub(crate) off: Option<u16>,
    pub(crate) default: u16,
    pub(crate) rules: Box<[Rule]>,
    pub(crate) prerequisites: Box<[(Key, Key)]>,
    pub(crate) salt: Box<str>,
    pub(crate) metadata: BTreeMap<String, Scalar>,
    /// Why it cannot be evaluated.
    pub(crate) broken: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: Key,
    pub(crate) condition: Option<Condition>,
    /// In buckets.
    pub(crate) percentage: Option<u32>,
    pub(crate) by: Attribute,
    pub(crate) serve: Serve,
}

#[derive(Debug)]
pub(crate) enum Serve {
    One(u16),
    /// The first bucket after each variant's share.
    Rollout(Box<[(u32, u16)]>),
}
