//! Tests that are asked seldom, or whose cost is not where they stand in memory.

use std::net::IpAddr;

use daybreak_model::{ContextValue, Scalar};
use ipnet::IpNet;
use jiff::Timestamp;
use rustc_hash::FxHashSet;

use crate::explain::quoted;
use crate::matcher::Matcher;
use crate::{Truth, text, time};

/// The values of an `in`.
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
    Matches(Matcher),
    Before(Timestamp),
    After(Timestamp),
    Cidr(Box<[IpNet]>),
}

/// The tests of a condition that do not go into its bytes. They are looked up only where one is asked.
#[derive(Debug, Default)]
pub(crate) struct Rares(pub(crate) Box<[Rare]>);

impl Rare {
    /// Asks a value that is no list.
    pub(crate) fn ask(&self, value: &ContextValue) -> Truth {
        match (self, value) {
            (_, ContextValue::Text(text)) => self.ask_text(text),
            (Self::In(mixed), ContextValue::Number(number)) => mixed.has_number(*number),
            (Self::In(mixed), ContextValue::Boolean(boolean)) => mixed.has_boolean(*boolean),
            _ => Truth::Unknown,
        }
    }

    /// Asks a text.
    pub(crate) fn ask_text(&self, asked: &str) -> Truth {
        match self {
            Self::In(mixed) => mixed.has_text(asked),
            Self::Contains { value: Scalar::Text(part), ignore_case } => {
                text::contains(asked, part, *ignore_case).into()
            }
            Self::Contains { .. } => Truth::Unknown,
            Self::Matches(matcher) => matcher.matches(asked).into(),
            Self::Before(bound) => time::asks(asked, |time| time < *bound),
            Self::After(bound) => time::asks(asked, |time| time > *bound),
            Self::Cidr(networks) => asked.parse::<IpAddr>().map_or(Truth::Unknown, |address| {
                let address = address.to_canonical();
                networks.iter().any(|network| network.contains(&address)).into()
            }),
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

    /// Whether it has a text; unknown where it has none at all.
    fn has_text(&self, asked: &str) -> Truth {
        match (self.texts.is_empty(), self.folded.is_empty()) {
            (true, true) => Truth::Unknown,
            (false, _) => self.texts.contains(asked).into(),
            (true, false) => self.folded.iter().any(|known| text::equals(asked, known, true)).into(),
        }
    }

    /// Whether it has a number; unknown where it has none at all.
    fn has_number(&self, asked: f64) -> Truth {
        match self.numbers.is_empty() {
            true => Truth::Unknown,
            // Adding zero makes -0 and 0 one number.
            false => self.numbers.binary_search_by(|known| (known + 0.0).total_cmp(&(asked + 0.0))).is_ok().into(),
        }
    }

    /// Whether it has a boolean; unknown where it has none at all.
    fn has_boolean(&self, asked: bool) -> Truth {
        if self.booleans.is_empty() { Truth::Unknown } else { self.booleans.contains(&asked).into() }
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
