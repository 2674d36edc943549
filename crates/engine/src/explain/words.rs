//! Attributes and tests in words.

use std::fmt::{self, Display};

use daybreak_model::{ContextValue, Scalar};

use crate::code::{Code, List};
use crate::operand::Operand;
use crate::rare::Rare;

/// Values of a set that are written out.
const SHOWN: usize = 6;
/// Characters of a value that are written out.
const LENGTH: usize = 60;

/// What is asked, to stand after an attribute's name: `in ["DE", "FR"]`.
pub(super) struct Asked<'a>(pub(super) &'a Operand, pub(super) &'a Code);

impl Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(operand, code) = self;
        match operand {
            Operand::Text { text, .. } => write!(f, "equal to {}", quoted(code.text(*text))),
            Operand::Number(number) => write!(f, "equal to {number}"),
            Operand::Boolean(boolean) => write!(f, "equal to {boolean}"),
            Operand::In(set) => {
                let mut texts = texts(code, *set);
                texts.sort_unstable();
                write!(f, "in {}", values(&texts.into_iter().map(quoted).collect::<Vec<_>>()))
            }
            Operand::StartsWith { texts, .. } => write!(f, "something that starts with {}", list(code, *texts)),
            Operand::EndsWith { texts, .. } => write!(f, "something that ends with {}", list(code, *texts)),
            Operand::Gt(number) => write!(f, "greater than {number}"),
            Operand::Gte(number) => write!(f, "at least {number}"),
            Operand::Lt(number) => write!(f, "less than {number}"),
            Operand::Lte(number) => write!(f, "at most {number}"),
            Operand::Semver(bounds) => {
                f.write_str("a version")?;
                code.bounds(*bounds).iter().try_for_each(|(sign, version)| write!(f, " {sign}{version}"))
            }
            Operand::Exists(true) => f.write_str("present"),
            Operand::Exists(false) => f.write_str("absent"),
            Operand::Rare(rare) => rare.fmt(f),
        }
    }
}

impl Display for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(mixed) => write!(f, "in {}", values(&mixed.written())),
            Self::Contains { value, .. } => write!(f, "something that contains {}", written(value)),
            Self::Matches(pattern) => write!(f, "a match of {pattern:?}"),
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
fn values(values: &[String]) -> String {
    let more = values.len().saturating_sub(SHOWN);
    let shown = values[..values.len() - more].join(", ");
    match more {
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

fn texts(code: &Code, list: List) -> Vec<&str> {
    code.entries(list).iter().filter_map(|entry| Some(code.text(entry.text()?))).collect()
}

fn list(code: &Code, list: List) -> String {
    let shown: Vec<String> = texts(code, list).into_iter().take(SHOWN).map(quoted).collect();
    shown.join(" or ")
}
