//! Attributes and tests in words.

use std::fmt::{self, Display};

use daybreak_model::{ContextValue, Scalar};

use crate::bytes;
use crate::operand::{Op, Operand, long};
use crate::rare::Rare;

/// Values of a set that are written out.
const SHOWN: usize = 6;
/// Characters of a value that are written out.
const LENGTH: usize = 60;

impl Display for Operand<'_> {
    /// What is asked, to stand after an attribute's name: `in ["DE", "FR"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number();
        match self.op {
            Op::Text => write!(f, "equal to {}", quoted(bytes::text(self.bytes))),
            Op::Number => write!(f, "equal to {number}"),
            Op::Boolean => write!(f, "equal to {}", self.flag),
            Op::In => {
                let mut texts: Vec<String> = self.shorts().map(long).collect();
                texts.sort_unstable();
                let first: Vec<String> = texts.iter().take(SHOWN).map(|text| quoted(text)).collect();
                write!(f, "in {}", values(&first, texts.len()))
            }
            Op::StartsWith => write!(f, "something that starts with {}", list(*self)),
            Op::EndsWith => write!(f, "something that ends with {}", list(*self)),
            Op::Gt => write!(f, "greater than {number}"),
            Op::Gte => write!(f, "at least {number}"),
            Op::Lt => write!(f, "less than {number}"),
            Op::Lte => write!(f, "at most {number}"),
            Op::Semver => {
                f.write_str("a version")?;
                self.bounds().try_for_each(|(sign, version)| write!(f, " {sign}{version}"))
            }
            Op::Exists => f.write_str(if self.flag { "present" } else { "absent" }),
            Op::Rare => self.rare().map_or(Ok(()), |rare| rare.fmt(f)),
        }
    }
}

impl Display for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(mixed) => write!(f, "in {}", values(&mixed.first(SHOWN), mixed.len())),
            Self::Contains { value, .. } => write!(f, "something that contains {}", written(value)),
            Self::Matches(matcher) => write!(f, "a match of {:?}", matcher.pattern()),
            Self::Before(time) => write!(f, "before {time}"),
            Self::After(time) => write!(f, "after {time}"),
            Self::Cidr(networks) => {
                let networks: Vec<String> = networks.iter().take(SHOWN).map(ToString::to_string).collect();
                write!(f, "an address in {}", networks.join(", "))
            }
        }
    }
}

/// The first values of a set, and how many more it has.
fn values(first: &[String], count: usize) -> String {
    let shown = first.join(", ");
    match count.saturating_sub(SHOWN) {
        0 => format!("[{shown}]"),
        more => format!("[{shown}, and {more} more]"),
    }
}

/// A value as the context has it.
pub(super) fn value(value: &ContextValue) -> String {
    match value {
        ContextValue::Null => "null".to_owned(),
        ContextValue::Boolean(boolean) => boolean.to_string(),
        ContextValue::Number(number) => number.to_string(),
        ContextValue::Text(text) => quoted(text),
        ContextValue::List(elements) => {
            let shown: Vec<String> = elements.iter().take(SHOWN).map(self::value).collect();
            let more = if elements.len() > SHOWN { ", …" } else { "" };
            format!("[{}{more}]", shown.join(", "))
        }
        ContextValue::Object(_) => "an object".to_owned(),
    }
}

/// A text in quotes, cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

pub(crate) fn written(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => quoted(text),
        other => other.to_string(),
    }
}

fn list(operand: Operand<'_>) -> String {
    let shown: Vec<String> = operand.texts().take(SHOWN).map(|text| quoted(bytes::text(text))).collect();
    shown.join(" or ")
}
