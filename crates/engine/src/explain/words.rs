//! Attributes and tests in words.

use std::fmt::{self, Display};

use daybreak_model::{ContextValue, Scalar};

use crate::operand::{Operand, Set};

/// Values of a set that are written out.
const SHOWN: usize = 6;
/// Characters of a value that are written out.
const LENGTH: usize = 60;

impl Display for Operand {
    /// What is asked, to stand after an attribute's name: `in ["DE", "FR"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text, _) => write!(f, "equal to {}", quoted(text)),
            Self::Number(number) => write!(f, "equal to {number}"),
            Self::Boolean(boolean) => write!(f, "equal to {boolean}"),
            Self::Set(set) => write!(f, "in {set}"),
            Self::NotSet(set) => write!(f, "not in {set}"),
            Self::Contains(scalar, _) => write!(f, "something that contains {}", written(scalar)),
            Self::StartsWith(texts, _) => write!(f, "something that starts with {}", list(texts)),
            Self::EndsWith(texts, _) => write!(f, "something that ends with {}", list(texts)),
            Self::Matches(pattern) => write!(f, "a match of {pattern:?}"),
            Self::Gt(number) => write!(f, "greater than {number}"),
            Self::Gte(number) => write!(f, "at least {number}"),
            Self::Lt(number) => write!(f, "less than {number}"),
            Self::Lte(number) => write!(f, "at most {number}"),
            Self::Before(time) => write!(f, "before {time}"),
            Self::After(time) => write!(f, "after {time}"),
            Self::Semver(range) => write!(f, "a version {range}"),
            Self::Cidr(networks) => {
                let networks: Vec<String> = networks.iter().take(SHOWN).map(ToString::to_string).collect();
                write!(f, "an address in {}", networks.join(", "))
            }
            Self::Exists(true) => f.write_str("present"),
            Self::Exists(false) => f.write_str("absent"),
        }
    }
}

impl Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.written();
        let more = values.len().saturating_sub(SHOWN);
        let shown = values[..values.len() - more].join(", ");
        match more {
            0 => write!(f, "[{shown}]"),
            more => write!(f, "[{shown}, and {more} more]"),
        }
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

fn list(texts: &[Box<str>]) -> String {
    let shown: Vec<String> = texts.iter().take(SHOWN).map(|text| quoted(text)).collect();
    shown.join(" or ")
}
