//! Compiled conditions, laid out flat: what one flag asks stands together in memory.

use daybreak_model::{Context, ContextValue, Key, Version, VersionComparator, name_hash};

use crate::Truth;
use crate::operand::Operand;
use crate::set::Entry;

/// A place in a [`Code`]'s texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

/// A place in one of a [`Code`]'s lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

/// Conditions as flat lists: a few allocations for a flag, however many rules it has, so that evaluating one
/// flag among thousands waits for memory a few times only.
#[derive(Debug, Default)]
pub(crate) struct Code {
    /// In prefix order.
    pub(crate) nodes: Box<[Node]>,
    /// Every text, one after the other.
    pub(crate) texts: Box<str>,
    /// Sets and lists of texts.
    pub(crate) entries: Box<[Entry]>,
    /// The bounds of ranges of versions.
    pub(crate) versions: Box<[(VersionComparator, Version)]>,
}

/// One part of a condition; each knows where the next one after it begins.
#[derive(Debug)]
pub(crate) enum Node {
    All { end: u32 },
    Any { end: u32 },
    Not { end: u32 },
    Segment(u32),
    Test(Attribute, Operand),
}

/// An attribute's name, hashed. One with dots also walks into objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute {
    hash: u64,
    name: Span,
    dotted: bool,
}

impl Attribute {
    pub(crate) fn new(name: &str, at: Span) -> Self {
        Self { hash: name_hash(name), name: at, dotted: name.contains('.') }
    }

    pub(crate) fn name<'c>(&self, code: &'c Code) -> &'c str {
        code.text(self.name)
    }

    /// The attribute of a context: the literal name wins, then the walk into objects.
    #[inline]
    pub(crate) fn of<'c>(&self, code: &Code, context: &'c Context) -> Option<&'c ContextValue> {
        let name = self.name(code);
        context.lookup(self.hash, name).or_else(|| if self.dotted { walk(name, context) } else { None })
    }
}

#[cold]
fn walk<'c>(name: &str, context: &'c Context) -> Option<&'c ContextValue> {
    let mut parts = name.split('.').map(|part| (name_hash(part), part));
    let (hash, first) = parts.next()?;
    parts.try_fold(context.lookup(hash, first)?, |value, (hash, part)| value.member(hash, part))
}

impl Code {
    #[inline]
    pub(crate) fn text(&self, span: Span) -> &str {
        self.texts.get(span.at as usize..(span.at as usize + span.len as usize)).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn entries(&self, list: List) -> &[Entry] {
        self.entries.get(list.at as usize..(list.at as usize + list.len as usize)).unwrap_or_default()
    }

    pub(crate) fn bounds(&self, list: List) -> &[(VersionComparator, Version)] {
        self.versions.get(list.at as usize..(list.at as usize + list.len as usize)).unwrap_or_default()
    }

    /// The truth of the condition that begins at a node.
    #[inline]
    pub(crate) fn holds(&self, at: u32, context: &Context, segments: &Segments) -> Truth {
        self.at(at as usize, context, segments).0
    }

    /// The truth of the node at `at`, and where the next one begins.
    fn at(&self, at: usize, context: &Context, segments: &Segments) -> (Truth, usize) {
        match &self.nodes[at] {
            Node::Test(attribute, operand) => (operand.ask(self, attribute.of(self, context)), at + 1),
            Node::Segment(index) => (segments.holds(*index, context), at + 1),
            Node::Not { end } => (!self.at(at + 1, context, segments).0, *end as usize),
            Node::All { end } => (self.fold(at + 1, *end as usize, Truth::False, context, segments), *end as usize),
            Node::Any { end } => (self.fold(at + 1, *end as usize, Truth::True, context, segments), *end as usize),
        }
    }

    /// `all` is the least of its parts and `any` the greatest; `decided` needs no further part.
    fn fold(&self, mut at: usize, end: usize, decided: Truth, context: &Context, segments: &Segments) -> Truth {
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

/// Compiled segments, in key order. One that cannot be compiled is there without its code, and nothing that
/// names it compiles.
#[derive(Debug, Default)]
pub(crate) struct Segments(pub(crate) Box<[(Key, Option<Code>)]>);

impl Segments {
    /// The name and the code of the segment at an index.
    pub(crate) fn at(&self, index: u32) -> Option<(&Key, &Code)> {
        let (key, code) = self.0.get(index as usize)?;
        Some((key, code.as_ref()?))
    }

    fn holds(&self, index: u32, context: &Context) -> Truth {
        self.at(index).map_or(Truth::Unknown, |(_, code)| code.holds(0, context, self))
    }

    /// The index of a segment that others can name.
    pub(crate) fn index(&self, key: &Key) -> Option<u32> {
        let at = self.0.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        self.0[at].1.as_ref()?;
        u32::try_from(at).ok()
    }
}
