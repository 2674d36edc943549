//! Compiled conditions: one run of bytes, read from front to back.
//!
//! What a flag asks stands together in memory, in the order in which it is asked, so that evaluating one flag
//! among thousands waits for memory once and not at each test. [`assemble`](crate::assemble) writes what is read
//! here, and nothing else does: bytes that do not fit read as *unknown*.
//!
//! A node is `op u8 · flags u8 · name length u16 · length u32`, which is that of what is its own:
//!
//! | node | what follows |
//! |---|---|
//! | all, any, not | the nodes inside it |
//! | segment | its index u32 |
//! | test | the name's word u64 · the name · the operand |

use std::sync::Arc;

use daybreak_model::{Context, ContextValue, Key, name_word};

use crate::cost::Cost;
use crate::operand::{Op, Operand};
use crate::rare::Rares;
use crate::{Truth, bytes};

/// Compiled conditions, one after the other, and the tests that do not go into bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code<'c> {
    pub(crate) bytes: &'c [u8],
    pub(crate) rares: &'c Rares,
}

/// The bytes before what is a node's own.
pub(crate) const HEAD: usize = 8;

/// What a node is.
pub(crate) const ALL: u8 = 0;
pub(crate) const ANY: u8 = 1;
pub(crate) const NOT: u8 = 2;
pub(crate) const SEGMENT: u8 = 3;
/// Tests come after the others: their first byte is this and the operand's own.
pub(crate) const TEST: u8 = 4;

/// One part of a condition.
#[derive(Debug)]
pub(crate) enum Node<'c> {
    All(Code<'c>),
    Any(Code<'c>),
    Not(Code<'c>),
    Segment(u32),
    Test(Attribute<'c>, Operand<'c>),
}

/// An attribute's name, and its word. One with dots also walks into objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'c> {
    word: u64,
    name: &'c [u8],
}

impl<'c> Attribute<'c> {
    /// The attribute of a name that is not in bytes.
    pub(crate) fn named(name: &'c str) -> Self {
        Self { word: name_word(name.as_bytes()), name: name.as_bytes() }
    }

    /// The attribute that stands at the beginning (word u64 · name), and the rest.
    #[inline]
    pub(crate) fn read(bytes: &'c [u8], length: u16) -> (Self, &'c [u8]) {
        let (word, rest) = bytes::split_word(bytes);
        let (name, rest) = bytes::split(rest, usize::from(length));
        (Self { word, name }, rest)
    }

    pub(crate) fn name(self) -> &'c str {
        bytes::text(self.name)
    }

    /// The attribute of a context: the literal name wins, then the walk into objects.
    #[inline]
    pub(crate) fn of(self, context: &Context) -> Option<&ContextValue> {
        context.lookup(self.word, self.name).or_else(|| self.walk(context))
    }

    /// By value, so that an attribute whose address is asked for nowhere stays in registers.
    #[cold]
    fn walk(self, context: &Context) -> Option<&ContextValue> {
        let mut parts = self.name.split(|byte| *byte == b'.').map(|part| (name_word(part), part));
        let (word, first) = parts.next().filter(|(_, first)| first.len() < self.name.len())?;
        parts.try_fold(context.lookup(word, first)?, |value, (word, part)| value.member(word, part))
    }
}

impl<'c> Code<'c> {
    /// The first node, and what comes after it: for those who tell of conditions.
    pub(crate) fn node(self) -> (Node<'c>, Self) {
        let (head, inside, rest) = self.first();
        let node = match low(head) {
            ALL => Node::All(inside),
            ANY => Node::Any(inside),
            NOT => Node::Not(inside),
            SEGMENT => Node::Segment(bytes::u32(inside.bytes, 0)),
            _ => {
                let (attribute, operand) = inside.test(head);
                Node::Test(attribute, operand)
            }
        };
        (node, rest)
    }

    /// The head of the first node, what is its own, and what comes after it.
    #[inline]
    fn first(self) -> (u64, Self, Self) {
        let (head, rest) = bytes::split_word(self.bytes);
        let (own, rest) = bytes::split(rest, high(head) as usize);
        (head, Self { bytes: own, ..self }, Self { bytes: rest, ..self })
    }

    /// What a test with this head asks, of which this is its own.
    #[inline]
    fn test(self, head: u64) -> (Attribute<'c>, Operand<'c>) {
        let (attribute, operand) = Attribute::read(self.bytes, second(head));
        let (op, flag) = (Op::of(low(head).saturating_sub(TEST)), head & 0xff00 != 0);
        (attribute, Operand { op, flag, bytes: operand, rares: self.rares })
    }

    /// The truth of the first condition, and what comes after it. Nodes are not made into values here: each would go
    /// through memory.
    #[inline]
    pub(crate) fn holds(self, context: &Context, segments: &Segments) -> (Truth, Self) {
        let (head, inside, rest) = self.first();
        let truth = match low(head) {
            TEST.. => test_holds(inside.bytes, self.rares, head, context),
            op => parts_hold(inside.bytes, self.rares, op, context, segments),
        };
        (truth, rest)
    }

    /// `all` is the least of its parts and `any` the greatest; `decided` needs no further part.
    #[inline]
    fn fold(mut self, decided: Truth, context: &Context, segments: &Segments) -> Truth {
        let mut sum = !decided;
        while !self.bytes.is_empty() {
            let (truth, rest) = self.holds(context, segments);
            if truth == decided {
                return decided;
            }
            if truth == Truth::Unknown {
                sum = Truth::Unknown;
            }
            self = rest;
        }
        sum
    }
}

/// The truth of a test, whose own the bytes are. Its arguments are such as go in registers.
#[inline(never)]
fn test_holds(bytes: &[u8], rares: &Rares, head: u64, context: &Context) -> Truth {
    let (attribute, operand) = Code { bytes, rares }.test(head);
    operand.ask(attribute.of(context))
}

/// The truth of what is no test but has conditions inside, whose own the bytes are.
#[inline(never)]
fn parts_hold(bytes: &[u8], rares: &Rares, op: u8, context: &Context, segments: &Segments) -> Truth {
    let inside = Code { bytes, rares };
    match op {
        SEGMENT => segments.holds(bytes::u32(bytes, 0), context),
        NOT => !inside.fold(Truth::False, context, segments),
        ALL => inside.fold(Truth::False, context, segments),
        _ => inside.fold(Truth::True, context, segments),
    }
}

/// A head's first byte.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "that is what is asked for")]
pub(crate) const fn low(head: u64) -> u8 {
    head as u8
}

/// A head's third and fourth byte.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "that is what is asked for")]
pub(crate) const fn second(head: u64) -> u16 {
    (head >> 16) as u16
}

/// A head's upper half.
#[inline]
pub(crate) const fn high(head: u64) -> u32 {
    (head >> 32) as u32
}

/// Compiled conditions that stand on their own.
#[derive(Debug, Default)]
pub(crate) struct OwnCode {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) rares: Rares,
}

impl OwnCode {
    #[inline]
    pub(crate) fn code(&self) -> Code<'_> {
        Code { bytes: &self.bytes, rares: &self.rares }
    }
}

/// Compiled segments, in key order. One that cannot be compiled is there without its code, and nothing that
/// names it compiles.
#[derive(Debug, Default)]
pub(crate) struct Segments(pub(crate) Box<[(Key, Option<Arc<Segment>>)]>);

/// A compiled segment, and what it costs to follow.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) code: OwnCode,
    pub(crate) cost: Cost,
    /// Whether it names no other segment, so that it means the same among any others.
    pub(crate) alone: bool,
}

impl Segments {
    /// The name and the code of the segment at an index.
    pub(crate) fn at(&self, index: u32) -> Option<(&Key, Code<'_>)> {
        let (key, segment) = self.0.get(index as usize)?;
        Some((key, segment.as_ref()?.code.code()))
    }

    fn holds(&self, index: u32, context: &Context) -> Truth {
        self.at(index).map_or(Truth::Unknown, |(_, code)| code.holds(context, self).0)
    }

    /// What it costs to follow a segment; 1 where there is none.
    pub(crate) fn cost(&self, key: &Key) -> Cost {
        let segment = self.index(key).and_then(|index| self.0.get(index as usize)?.1.as_ref());
        segment.map_or(Cost::ONE, |segment| segment.cost)
    }

    /// The index of a segment that others can name.
    pub(crate) fn index(&self, key: &Key) -> Option<u32> {
        let at = self.0.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        self.0[at].1.as_ref()?;
        u32::try_from(at).ok()
    }
}
