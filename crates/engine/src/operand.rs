//! Single tests: what is asked of an attribute.

use daybreak_model::{ContextValue, Version, VersionComparator, same_bytes, short_word};

use crate::rare::{Rare, Rares};
use crate::{Truth, bytes, text};

/// A test as it stands in [`Code`](crate::code::Code).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'c> {
    pub(crate) op: Op,
    pub(crate) flag: bool,
    pub(crate) bytes: &'c [u8],
    pub(crate) rares: &'c Rares,
}

/// What a test asks, and what its bytes and its flag are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    /// A text; the flag folds case.
    Text,
    /// A number f64.
    Number,
    /// The flag is the boolean.
    Boolean,
    /// Texts of at most seven bytes, each as a [`short_word`].
    In,
    /// Texts, each after its length u32; the flag folds case.
    StartsWith,
    /// The same.
    EndsWith,
    /// A bound f64.
    Gt,
    /// The same.
    Gte,
    /// The same.
    Lt,
    /// The same.
    Lte,
    /// Bounds, each a sign u8, three numbers u64, the length u32 of a pre-release and the pre-release.
    Semver,
    /// The flag tells what is expected.
    Exists,
    /// The index u32 of a test that is not in bytes.
    Rare,
}

/// A bound without its pre-release, in bytes.
const BOUND: usize = 29;

/// The signs of bounds; the place of each is its number.
pub(crate) const SIGNS: [VersionComparator; 5] = [
    VersionComparator::Equal,
    VersionComparator::Less,
    VersionComparator::LessOrEqual,
    VersionComparator::Greater,
    VersionComparator::GreaterOrEqual,
];

impl Op {
    /// The operation of this number: its place above.
    #[inline]
    pub(crate) const fn of(number: u8) -> Self {
        match number {
            0 => Self::Text,
            1 => Self::Number,
            2 => Self::Boolean,
            3 => Self::In,
            4 => Self::StartsWith,
            5 => Self::EndsWith,
            6 => Self::Gt,
            7 => Self::Gte,
            8 => Self::Lt,
            9 => Self::Lte,
            10 => Self::Semver,
            11 => Self::Exists,
            _ => Self::Rare,
        }
    }
}

impl<'c> Operand<'c> {
    /// Asks an attribute. On a list it holds if any element makes it hold.
    #[inline]
    pub(crate) fn ask(self, value: Option<&ContextValue>) -> Truth {
        match value {
            // Most of what is asked is a text.
            Some(ContextValue::Text(text)) => self.ask_text(text),
            value => self.ask_other(value),
        }
    }

    fn ask_other(self, value: Option<&ContextValue>) -> Truth {
        match value.filter(|value| !matches!(value, ContextValue::Null)) {
            value if self.op == Op::Exists => (value.is_some() == self.flag).into(),
            None => Truth::Unknown,
            Some(ContextValue::List(elements)) => self.ask_list(elements),
            Some(value) => self.ask_one(value),
        }
    }

    #[cold]
    fn ask_list(self, elements: &[ContextValue]) -> Truth {
        let ask = |element| match self.rare() {
            Some(rare) => rare.ask_element(element),
            None => self.ask_one(element),
        };
        elements.iter().map(ask).max().unwrap_or(Truth::False)
    }

    #[inline]
    fn ask_one(self, value: &ContextValue) -> Truth {
        match value {
            ContextValue::Text(text) => self.ask_text(text),
            ContextValue::Number(number) => self.ask_number(*number),
            ContextValue::Boolean(boolean) if self.op == Op::Boolean => (self.flag == *boolean).into(),
            value => self.rare().map_or(Truth::Unknown, |rare| rare.ask(value)),
        }
    }

    #[expect(clippy::inline_always, reason = "most of what is asked is a text, and a call takes 14 instructions")]
    #[inline(always)]
    fn ask_text(self, asked: &str) -> Truth {
        match self.op {
            Op::Text if self.flag => text::equals(asked, bytes::text(self.bytes), true).into(),
            Op::Text => same_bytes(asked.as_bytes(), self.bytes).into(),
            Op::In => {
                short_word(asked.as_bytes()).is_some_and(|asked| self.shorts().any(|known| known == asked)).into()
            }
            Op::StartsWith if self.flag => self.texts().any(|t| text::starts_with(asked, bytes::text(t), true)).into(),
            Op::StartsWith => self.texts().any(|start| asked.as_bytes().starts_with(start)).into(),
            Op::EndsWith if self.flag => self.texts().any(|t| text::ends_with(asked, bytes::text(t), true)).into(),
            Op::EndsWith => self.texts().any(|end| ends_with(asked.as_bytes(), end)).into(),
            Op::Semver => Version::parse(asked).map_or(Truth::Unknown, |version| {
                self.bounds().all(|(sign, bound)| sign.accepts(version.precedence(&bound))).into()
            }),
            Op::Rare => self.rare().map_or(Truth::Unknown, |rare| rare.ask_text(asked)),
            Op::Exists => self.flag.into(),
            _ => Truth::Unknown,
        }
    }

    #[inline]
    fn ask_number(self, asked: f64) -> Truth {
        let known = bytes::f64(self.bytes, 0);
        match self.op {
            #[expect(clippy::float_cmp, reason = "equality is what is asked")]
            Op::Number => (asked == known).into(),
            Op::Gt => (asked > known).into(),
            Op::Gte => (asked >= known).into(),
            Op::Lt => (asked < known).into(),
            Op::Lte => (asked <= known).into(),
            Op::Rare => self.rare().map_or(Truth::Unknown, |rare| rare.ask(&ContextValue::Number(asked))),
            _ => Truth::Unknown,
        }
    }

    /// The number of a comparison.
    pub(crate) fn number(self) -> f64 {
        bytes::f64(self.bytes, 0)
    }

    /// The test that is not in bytes.
    pub(crate) fn rare(self) -> Option<&'c Rare> {
        if self.op == Op::Rare { self.rares.0.get(bytes::u32(self.bytes, 0) as usize) } else { None }
    }

    /// The short texts of a set.
    #[inline]
    pub(crate) fn shorts(self) -> impl Iterator<Item = u64> + 'c {
        self.bytes.as_chunks().0.iter().map(|chunk| u64::from_le_bytes(*chunk))
    }

    /// The texts of a list.
    #[inline]
    pub(crate) fn texts(self) -> impl Iterator<Item = &'c [u8]> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk()?;
            let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = after;
            Some(text)
        })
    }

    /// The bounds of a range of versions.
    #[inline]
    pub(crate) fn bounds(self) -> impl Iterator<Item = (VersionComparator, Version<&'c str>)> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            // One look whether all of it is there, and none for each part.
            let (head, after) = rest.split_first_chunk::<BOUND>()?;
            let numbers = [1, 9, 17].map(|at| bytes::u64(head, at));
            let (pre, after) = after.split_at_checked(bytes::u32(head, 25) as usize)?;
            rest = after;
            let pre = if pre.is_empty() { "" } else { bytes::text(pre) };
            Some((*SIGNS.get(usize::from(head[0]))?, Version::new(numbers, pre)))
        })
    }
}

#[inline]
fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len().checked_sub(end.len()).is_some_and(|at| same_bytes(bytes::slice(text, at, text.len()), end))
}

/// The text of a [`short_word`].
pub(crate) fn long(short: u64) -> String {
    let bytes = short.to_le_bytes();
    bytes::text(bytes::slice(&bytes, 0, usize::from(bytes[7]))).to_owned()
}
