//! Tests that are asked seldom, or whose cost is not where they stand in memory.

use std::cmp::Ordering;
use std::net::IpAddr;

use daybreak_model::{ContextValue, Scalar, ScalarRef, Values};
use hashbrown::HashTable;
use ipnet::IpNet;
use jiff::Timestamp;

use crate::explain::quoted;
use crate::matcher::Matcher;
use crate::{Truth, text, time};

/// The values of an `in`: the document's own, which it shares; and where their texts are by what folding makes of them.
#[derive(Debug)]
pub(crate) struct Mixed {
    values: Values,
    folded: Option<HashTable<u32>>,
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
    pub(crate) fn new(values: &Values, ignore_case: bool) -> Self {
        let folded = ignore_case.then(|| {
            let mut folded = HashTable::with_capacity(values.len());
            for (place, value) in values.placed() {
                if let ScalarRef::Text(text) = value {
                    let hash_at = |known: &u32| text_at(values, *known).map_or(0, text::folded_hash);
                    folded
                        .entry(text::folded_hash(text), |known| is_folded(values, *known, text), hash_at)
                        .or_insert(place);
                }
            }
            folded
        });
        Self { values: values.clone(), folded }
    }

    /// Whether it has a text; unknown where it has none at all.
    #[inline]
    fn has_text(&self, asked: &str) -> Truth {
        match &self.folded {
            _ if !self.values.has_texts() => Truth::Unknown,
            None => self.values.has_text(asked).into(),
            Some(folded) => {
                folded.find(text::folded_hash(asked), |known| is_folded(&self.values, *known, asked)).is_some().into()
            }
        }
    }

    /// Whether it has a number; unknown where it has none at all.
    fn has_number(&self, asked: f64) -> Truth {
        if self.values.has_numbers() { self.values.has_number(asked).into() } else { Truth::Unknown }
    }

    /// Whether it has a boolean; unknown where it has none at all.
    fn has_boolean(&self, asked: bool) -> Truth {
        if self.values.has_booleans() { self.values.has_boolean(asked).into() } else { Truth::Unknown }
    }

    /// How many values it has.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Its first values as people write them, in order: texts, numbers, booleans. Of a long list those that were written
    /// first are looked at.
    pub(crate) fn first(&self, count: usize) -> Vec<String> {
        let (mut texts, mut numbers, mut booleans) = (Vec::new(), Vec::new(), Vec::new());
        for value in self.values.iter().take(LOOKED_AT) {
            match value {
                ScalarRef::Text(text) => keep_first(&mut texts, text, count, Ord::cmp),
                ScalarRef::Number(number) => keep_first(&mut numbers, number, count, f64::total_cmp),
                ScalarRef::Boolean(boolean) => keep_first(&mut booleans, boolean, count, Ord::cmp),
            }
        }
        let texts = texts.into_iter().map(quoted);
        let others = numbers.iter().map(f64::to_string).chain(booleans.iter().map(bool::to_string));
        texts.chain(others).take(count).collect()
    }
}

/// So many values are put in order to show the first of them.
const LOOKED_AT: usize = 1_000;

/// Adds a value to the first ones of its kind, in order and each once, if it is one of them.
fn keep_first<T>(first: &mut Vec<T>, value: T, count: usize, order: impl Fn(&T, &T) -> Ordering) {
    match first.binary_search_by(|known| order(known, &value)) {
        Err(at) if at < count => {
            first.insert(at, value);
            first.truncate(count);
        }
        _ => {}
    }
}

fn text_at(values: &Values, place: u32) -> Option<&str> {
    match values.at(place) {
        Some(ScalarRef::Text(text)) => Some(text),
        _ => None,
    }
}

fn is_folded(values: &Values, place: u32, asked: &str) -> bool {
    text_at(values, place).is_some_and(|known| text::equals(asked, known, true))
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
