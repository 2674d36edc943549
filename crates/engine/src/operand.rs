//! Single tests: what is asked of an attribute, ready to be asked.

use daybreak_model::{ContextValue, Version, VersionRange};

use crate::Truth;
use crate::code::{Code, List, Span};
use crate::rare::Rare;
use crate::{set, text};

/// A compiled test. What is asked most is kept small, with its texts in the [`Code`]; the rest is boxed.
#[derive(Debug)]
pub(crate) enum Operand {
    Text { text: Span, ignore_case: bool },
    Number(f64),
    Boolean(bool),
    /// One of these texts; no other type is in the set.
    In(List),
    StartsWith { texts: List, ignore_case: bool },
    EndsWith { texts: List, ignore_case: bool },
    Gt(f64),
    Gte(f64),
    Lt(f64),
    Lte(f64),
    Semver(List),
    Exists(bool),
    Rare(Box<Rare>),
}

impl Operand {
    /// Asks an attribute. On a list it holds if any element makes it hold.
    #[inline]
    pub(crate) fn ask(&self, code: &Code, value: Option<&ContextValue>) -> Truth {
        let value = value.filter(|value| !matches!(value, ContextValue::Null));
        match (self, value) {
            (Self::Exists(expected), value) => (value.is_some() == *expected).into(),
            (_, None) => Truth::Unknown,
            (_, Some(ContextValue::List(elements))) => self.ask_list(code, elements),
            (_, Some(value)) => self.ask_one(code, value),
        }
    }

    #[cold]
    fn ask_list(&self, code: &Code, elements: &[ContextValue]) -> Truth {
        let ask = |element| match self {
            Self::Rare(rare) => rare.ask_element(element),
            _ => self.ask_one(code, element),
        };
        elements.iter().map(ask).max().unwrap_or(Truth::False)
    }

    fn ask_one(&self, code: &Code, value: &ContextValue) -> Truth {
        match (self, value) {
            (Self::Text { text: known, ignore_case }, ContextValue::Text(text)) => {
                text::equals(text, code.text(*known), *ignore_case).into()
            }
            #[expect(clippy::float_cmp, reason = "equality is what is asked")]
            (Self::Number(known), ContextValue::Number(number)) => (known == number).into(),
            (Self::Boolean(known), ContextValue::Boolean(boolean)) => (known == boolean).into(),
            (Self::In(texts), ContextValue::Text(text)) => set::has(code, *texts, text).into(),
            (Self::StartsWith { texts, ignore_case }, ContextValue::Text(text)) => {
                let mut starts = code.entries(*texts).iter().filter_map(|entry| entry.text());
                starts.any(|start| text::starts_with(text, code.text(start), *ignore_case)).into()
            }
            (Self::EndsWith { texts, ignore_case }, ContextValue::Text(text)) => {
                let mut ends = code.entries(*texts).iter().filter_map(|entry| entry.text());
                ends.any(|end| text::ends_with(text, code.text(end), *ignore_case)).into()
            }
            (Self::Gt(bound), ContextValue::Number(number)) => (number > bound).into(),
            (Self::Gte(bound), ContextValue::Number(number)) => (number >= bound).into(),
            (Self::Lt(bound), ContextValue::Number(number)) => (number < bound).into(),
            (Self::Lte(bound), ContextValue::Number(number)) => (number <= bound).into(),
            (Self::Semver(bounds), ContextValue::Text(text)) => Version::parse(text)
                .map_or(Truth::Unknown, |version| VersionRange::keeps(code.bounds(*bounds), &version).into()),
            (Self::Rare(rare), value) => rare.ask(value),
            _ => Truth::Unknown,
        }
    }
}
