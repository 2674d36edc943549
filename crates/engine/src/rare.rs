//! Tests that are asked seldom, or whose cost is not where they stand in memory.

use std::net::IpAddr;

use daybreak_model::{ContextValue, Pattern, Scalar};
use ipnet::IpNet;
use jiff::Timestamp;
use rustc_hash::FxHashSet;

use crate::explain::quoted;
use crate::{Truth, text, time};

/// The values of an `in` of several types, or whose case is folded.
#[derive(Debug, Default)]
pub(crate) struct Mixed {
    texts: FxHashSet<Box<str>>,
    folded: Vec<Box<str>>,
    numbers: Vec<f64>,
    booleans: Vec<bool>,
}

/// A compiled test that stands on its own.
#[derive(Debug)]
pub(crate) enum Rare {
    In(Mixed),
    Contains { value: Scalar, ignore_case: bool },
    Matches(Pattern),
    Before(Timestamp),
    After(Timestamp),
    Cidr(Box<[IpNet]>),
}

impl Rare {
    /// Asks a value that is no list.
    pub(crate) fn ask(&self, value: &ContextValue) -> Truth {
        match (self, value) {
            (Self::In(mixed), value) => mixed.has(value),
            (Self::Contains { value: Scalar::Text(part), ignore_case }, ContextValue::Text(text)) => {
                text::contains(text, part, *ignore_case).into()
            }
            (Self::Matches(pattern), ContextValue::Text(text)) => pattern.regex().is_match(text).into(),
            (Self::Before(bound), ContextValue::Text(text)) => time::asks(text, |time| time < *bound),
            (Self::After(bound), ContextValue::Text(text)) => time::asks(text, |time| time > *bound),
            (Self::Cidr(networks), ContextValue::Text(text)) => match text.parse::<IpAddr>() {
                Ok(address) => {
                    let address = address.to_canonical();
                    networks.iter().any(|network| network.contains(&address)).into()
                }
                Err(_) => Truth::Unknown,
            },
            _ => Truth::Unknown,
        }
    }

    /// Asks an element of a list: a list contains what it has an equal of.
    pub(crate) fn ask_element(&self, element: &ContextValue) -> Truth {
        match self {
            Self::Contains { value, ignore_case } => equals(value, element, *ignore_case),
            _ => self.ask(element),
        }
    }
}

impl Mixed {
    pub(crate) fn new(scalars: &[Scalar], ignore_case: bool) -> Self {
        let mut mixed = Self::default();
        for scalar in scalars {
            match scalar {
                Scalar::Boolean(boolean) => mixed.booleans.push(*boolean),
                Scalar::Number(number) => mixed.numbers.push(*number),
                Scalar::Text(text) if ignore_case => mixed.folded.push(text.clone()),
                Scalar::Text(text) => _ = mixed.texts.insert(text.clone()),
            }
        }
        mixed.numbers.sort_unstable_by(f64::total_cmp);
        mixed
    }

    /// Whether it has a value; unknown where it has none of that type.
    fn has(&self, value: &ContextValue) -> Truth {
        match value {
            ContextValue::Text(text) if !self.texts.is_empty() => self.texts.contains(text).into(),
            ContextValue::Text(text) if !self.folded.is_empty() => {
                self.folded.iter().any(|known| text::equals(text, known, true)).into()
            }
            ContextValue::Number(number) if !self.numbers.is_empty() => {
                // Adding zero makes -0 and 0 one number.
                self.numbers.binary_search_by(|known| (known + 0.0).total_cmp(&(number + 0.0))).is_ok().into()
            }
            ContextValue::Boolean(boolean) if !self.booleans.is_empty() => self.booleans.contains(boolean).into(),
            _ => Truth::Unknown,
        }
    }

    /// Its values as people write them, in order.
    pub(crate) fn written(&self) -> Vec<String> {
        let mut texts: Vec<&str> = self.texts.iter().chain(&self.folded).map(|text| &**text).collect();
        texts.sort_unstable();
        let texts = texts.into_iter().map(quoted);
        texts.chain(self.numbers.iter().map(f64::to_string)).chain(self.booleans.iter().map(bool::to_string)).collect()
    }
}

fn equals(scalar: &Scalar, value: &ContextValue, ignore_case: bool) -> Truth {
    match (scalar, value) {
        (Scalar::Text(known), ContextValue::Text(text)) => text::equals(text, known, ignore_case).into(),
        #[expect(clippy::float_cmp, reason = "equality is what is asked")]
        (Scalar::Number(known), ContextValue::Number(number)) => (known == number).into(),
        (Scalar::Boolean(known), ContextValue::Boolean(boolean)) => (known == boolean).into(),
        _ => Truth::Unknown,
    }
}
