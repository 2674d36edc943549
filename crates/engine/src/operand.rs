//! Single tests: what is asked of an attribute, ready to be asked.

use std::net::IpAddr;

use daybreak_model::condition::Test;
use daybreak_model::{ContextValue, Pattern, Scalar, Version, VersionRange};
use ipnet::IpNet;
use jiff::Timestamp;
use rustc_hash::FxHashSet;

use crate::Truth;
use crate::explain::quoted;

/// A compiled test.
#[derive(Debug)]
pub(crate) enum Operand {
    Text(Box<str>, bool),
    Number(f64),
    Boolean(bool),
    Set(Set),
    NotSet(Set),
    Contains(Scalar, bool),
    StartsWith(Box<[Box<str>]>, bool),
    EndsWith(Box<[Box<str>]>, bool),
    Matches(Pattern),
    Gt(f64),
    Gte(f64),
    Lt(f64),
    Lte(f64),
    Before(Timestamp),
    After(Timestamp),
    Semver(VersionRange),
    Cidr(Box<[IpNet]>),
    Exists(bool),
}

/// The values of an `in`, by type.
#[derive(Debug, Default)]
pub(crate) struct Set {
    texts: FxHashSet<Box<str>>,
    has_texts: bool,
    folded: Vec<Box<str>>,
    numbers: Vec<f64>,
    booleans: Vec<bool>,
}

impl Set {
    fn new(scalars: &[Scalar], ignore_case: bool) -> Self {
        let mut set = Self::default();
        for scalar in scalars {
            match scalar {
                Scalar::Boolean(boolean) => set.booleans.push(*boolean),
                Scalar::Number(number) => set.numbers.push(*number),
                Scalar::Text(text) => {
                    set.has_texts = true;
                    if ignore_case {
                        set.folded.push(text.clone());
                    } else {
                        set.texts.insert(text.clone());
                    }
                }
            }
        }
        set.numbers.sort_unstable_by(f64::total_cmp);
        set
    }

    /// Its values as people write them, in order.
    pub(crate) fn written(&self) -> Vec<String> {
        let mut texts: Vec<&str> = self.texts.iter().chain(&self.folded).map(|text| &**text).collect();
        texts.sort_unstable();
        let texts = texts.into_iter().map(quoted);
        texts.chain(self.numbers.iter().map(f64::to_string)).chain(self.booleans.iter().map(bool::to_string)).collect()
    }

    fn contains(&self, value: &ContextValue) -> Truth {
        match value {
            ContextValue::Text(text) if self.has_texts => {
                (self.texts.contains(text) || self.folded.iter().any(|known| same_folded(known, text))).into()
            }
            ContextValue::Number(number) if !self.numbers.is_empty() => {
                // Adding zero makes -0 and 0 one number.
                self.numbers.binary_search_by(|known| (known + 0.0).total_cmp(&(number + 0.0))).is_ok().into()
            }
            ContextValue::Boolean(boolean) if !self.booleans.is_empty() => self.booleans.contains(boolean).into(),
            _ => Truth::Unknown,
        }
    }
}

impl Operand {
    pub(crate) fn new(test: &Test, ignore_case: bool) -> Self {
        match test {
            Test::Equals(Scalar::Text(text)) => Self::Text(text.clone(), ignore_case),
            Test::Equals(Scalar::Number(number)) => Self::Number(*number),
            Test::Equals(Scalar::Boolean(boolean)) => Self::Boolean(*boolean),
            Test::In(scalars) => Self::Set(Set::new(scalars, ignore_case)),
            Test::NotIn(scalars) => Self::NotSet(Set::new(scalars, ignore_case)),
            Test::Contains(scalar) => Self::Contains(scalar.clone(), ignore_case),
            Test::StartsWith(texts) => Self::StartsWith(texts.clone().into(), ignore_case),
            Test::EndsWith(texts) => Self::EndsWith(texts.clone().into(), ignore_case),
            Test::Matches(pattern) => Self::Matches(pattern.clone()),
            Test::Gt(number) => Self::Gt(*number),
            Test::Gte(number) => Self::Gte(*number),
            Test::Lt(number) => Self::Lt(*number),
            Test::Lte(number) => Self::Lte(*number),
            Test::Before(time) => Self::Before(*time),
            Test::After(time) => Self::After(*time),
            Test::Semver(range) => Self::Semver(range.clone()),
            Test::Cidr(networks) => Self::Cidr(networks.clone().into()),
            Test::Exists(expected) => Self::Exists(*expected),
        }
    }

    /// Asks an attribute. On a list it holds if any element makes it hold.
    pub(crate) fn ask(&self, value: Option<&ContextValue>) -> Truth {
        let value = value.filter(|value| !matches!(value, ContextValue::Null));
        match (self, value) {
            (Self::Exists(expected), value) => (value.is_some() == *expected).into(),
            (_, None) => Truth::Unknown,
            (Self::NotSet(set), Some(value)) => !any(value, |element| set.contains(element)),
            (Self::Contains(scalar, ignore_case), Some(ContextValue::List(elements))) => {
                let mut elements = elements.iter().map(|element| equals(scalar, element, *ignore_case));
                fold_any(&mut elements)
            }
            (_, Some(value)) => any(value, |element| self.ask_one(element)),
        }
    }

    fn ask_one(&self, value: &ContextValue) -> Truth {
        match (self, value) {
            (Self::Text(known, false), ContextValue::Text(text)) => (known == text).into(),
            (Self::Text(known, true), ContextValue::Text(text)) => same_folded(known, text).into(),
            #[expect(clippy::float_cmp, reason = "equality is what is asked")]
            (Self::Number(known), ContextValue::Number(number)) => (known == number).into(),
            (Self::Boolean(known), ContextValue::Boolean(boolean)) => (known == boolean).into(),
            (Self::Set(set), value) => set.contains(value),
            (Self::Contains(Scalar::Text(part), false), ContextValue::Text(text)) => text.contains(&**part).into(),
            (Self::Contains(Scalar::Text(part), true), ContextValue::Text(text)) => contains_folded(text, part).into(),
            (Self::StartsWith(starts, ignore_case), ContextValue::Text(text)) => {
                starts.iter().any(|start| starts_with(text, start, *ignore_case)).into()
            }
            (Self::EndsWith(ends, ignore_case), ContextValue::Text(text)) => {
                ends.iter().any(|end| ends_with(text, end, *ignore_case)).into()
            }
            (Self::Matches(pattern), ContextValue::Text(text)) => pattern.regex().is_match(text).into(),
            (Self::Gt(bound), ContextValue::Number(number)) => (number > bound).into(),
            (Self::Gte(bound), ContextValue::Number(number)) => (number >= bound).into(),
            (Self::Lt(bound), ContextValue::Number(number)) => (number < bound).into(),
            (Self::Lte(bound), ContextValue::Number(number)) => (number <= bound).into(),
            (Self::Before(bound), ContextValue::Text(text)) => time(text, |time| time < *bound),
            (Self::After(bound), ContextValue::Text(text)) => time(text, |time| time > *bound),
            (Self::Semver(range), ContextValue::Text(text)) => {
                Version::parse(text).map_or(Truth::Unknown, |version| range.contains(&version).into())
            }
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
}

fn any(value: &ContextValue, ask: impl Fn(&ContextValue) -> Truth) -> Truth {
    match value {
        ContextValue::List(elements) => fold_any(&mut elements.iter().map(ask)),
        value => ask(value),
    }
}

fn fold_any(truths: &mut dyn Iterator<Item = Truth>) -> Truth {
    truths.max().unwrap_or(Truth::False)
}

fn equals(scalar: &Scalar, value: &ContextValue, ignore_case: bool) -> Truth {
    match (scalar, value) {
        (Scalar::Text(known), ContextValue::Text(text)) if ignore_case => same_folded(known, text).into(),
        (Scalar::Text(known), ContextValue::Text(text)) => (known == text).into(),
        #[expect(clippy::float_cmp, reason = "equality is what is asked")]
        (Scalar::Number(known), ContextValue::Number(number)) => (known == number).into(),
        (Scalar::Boolean(known), ContextValue::Boolean(boolean)) => (known == boolean).into(),
        _ => Truth::Unknown,
    }
}

fn time(text: &str, holds: impl Fn(Timestamp) -> bool) -> Truth {
    // The library allocates where it fails: it is only given what it can read.
    if !is_rfc_3339(text.as_bytes()) {
        return Truth::Unknown;
    }
    text.parse().map_or(Truth::Unknown, |time| holds(time).into())
}

/// Whether a text is of the form `2026-01-31T12:00:00.5+01:00`, with every number in its range.
fn is_rfc_3339(text: &[u8]) -> bool {
    let pair = |at: usize| match text.get(at..at + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    };
    let below = |at: usize, end: u8| pair(at).is_some_and(|number| number < end);
    let signs = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let date = match (pair(0), pair(2), pair(5), pair(8)) {
        (Some(century), Some(year), Some(month), Some(day)) => {
            let leap = if year == 0 { century % 4 == 0 } else { year % 4 == 0 };
            let days = match month {
                2 => 28 + u8::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (1..=12).contains(&month) && (1..=days).contains(&day)
        }
        _ => false,
    };
    let separator = matches!(text.get(10), Some(b'T' | b't' | b' '));
    let in_range = below(11, 24) && below(14, 60) && below(17, 61);
    let signs = signs.iter().all(|(at, sign)| text.get(*at) == Some(sign));
    let mut zone = 19;
    if text.get(zone) == Some(&b'.') {
        let digits = text[zone + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        zone += 1 + digits;
    }
    let zone_ok = match text.get(zone) {
        Some(b'Z' | b'z') => text.len() == zone + 1,
        Some(b'+' | b'-') => {
            text.len() == zone + 6 && below(zone + 1, 24) && text[zone + 3] == b':' && below(zone + 4, 60)
        }
        _ => false,
    };
    date && separator && in_range && signs && zone_ok
}

fn folded(text: &str) -> impl DoubleEndedIterator<Item = char> + Clone + '_ {
    text.chars().flat_map(char::to_lowercase)
}

fn same_folded(left: &str, right: &str) -> bool {
    folded(left).eq(folded(right))
}

fn starts_with(text: &str, start: &str, ignore_case: bool) -> bool {
    if ignore_case {
        let mut chars = folded(text);
        folded(start).all(|expected| chars.next() == Some(expected))
    } else {
        text.starts_with(start)
    }
}

fn ends_with(text: &str, end: &str, ignore_case: bool) -> bool {
    if ignore_case {
        let mut chars = folded(text).rev();
        folded(end).rev().all(|expected| chars.next() == Some(expected))
    } else {
        text.ends_with(end)
    }
}

fn contains_folded(text: &str, part: &str) -> bool {
    part.is_empty() || text.char_indices().any(|(at, _)| starts_with(&text[at..], part, true))
}
