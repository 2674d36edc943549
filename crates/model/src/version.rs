//! Versions and ranges of them, by the precedence of <https://semver.org> throughout.
//!
//! The `semver` crate is not used: its `VersionReq` leaves pre-releases out of ranges, so that `>=2.3.0`
//! would not take 2.4.0-rc.1; it refuses `2.3`; and parsing a long pre-release allocates.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version: an optional `v`, one to three numbers (missing ones are 0), then perhaps a pre-release and build
/// metadata, which does not count. `S` is the text of the pre-release: borrowed while evaluating.
#[derive(Clone, Debug)]
pub struct Version<S = Box<str>> {
    numbers: [u64; 3],
    pre: S,
}

/// One bound of a [`VersionRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionComparator {
    /// `=`, or no sign.
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Bounds that a version must all keep: `>=2.3.0`, or `>=2.3 <3`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange {
    text: Box<str>,
    bounds: Vec<(VersionComparator, Version)>,
}

/// Why a text is no version or no range of versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not of a version's form.
    #[error("`{0}` is no version; write one to three numbers, as in `2`, `2.3` or `2.3.0-rc.1`")]
    Version(String),
    /// A range without any bound.
    #[error("an empty range of versions; write bounds, as in `>=2.3.0` or `>=2.3 <3`")]
    Empty,
    /// `^` and `~` mean different things in different tools.
    #[error("`{0}` is not known here; write both bounds, as in `>=2.3.0 <3`")]
    Sign(char),
}

impl<'t> Version<&'t str> {
    /// Reads a version without copying; `None` where the text is no version.
    #[must_use]
    #[inline]
    pub fn parse(text: &'t str) -> Option<Self> {
        match plain(text.as_bytes()) {
            Some(numbers) => Some(Self { numbers, pre: "" }),
            None => Self::parse_any(text),
        }
    }

    /// As [`Version::parse`], of any version.
    #[inline(never)]
    fn parse_any(text: &'t str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (numbers, rest) = numbers(text)?;
        if rest.is_empty() { Some(Self { numbers, pre: "" }) } else { Self::with_rest(numbers, rest) }
    }

    /// A version whose numbers are followed by something.
    fn with_rest(numbers: [u64; 3], rest: &'t str) -> Option<Self> {
        let (rest, build) = match rest.split_once('+') {
            Some((rest, build)) => (rest, Some(build)),
            None => (rest, None),
        };
        let pre = rest.strip_prefix('-');
        let valid = [pre, build].into_iter().flatten().all(are_identifiers) && (pre.is_some() || rest.is_empty());
        valid.then(|| Self { numbers, pre: pre.unwrap_or("") })
    }
}

/// So many digits are a number of 64 bits, whatever they are.
const DIGITS_SURE: usize = 19;

/// A version of one to three numbers and nothing else, as most are: short, so that no number of it is too large.
#[inline]
fn plain(text: &[u8]) -> Option<[u64; 3]> {
    if text.len() > DIGITS_SURE {
        return None;
    }
    let mut numbers = [0; 3];
    let mut at = 0;
    for place in &mut numbers {
        let begin = at;
        let mut number = 0;
        while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            number = number * 10 + u64::from(digit);
            at += 1;
        }
        if at == begin {
            return None;
        }
        *place = number;
        match text.get(at) {
            None => return Some(numbers),
            Some(b'.') => at += 1,
            Some(_) => return None,
        }
    }
    None
}

/// One to three numbers, and what follows them.
fn numbers(text: &str) -> Option<([u64; 3], &str)> {
    let mut numbers = [0; 3];
    let mut rest = text.as_bytes();
    for number in 0..3 {
        (numbers[number], rest) = number_of(rest)?;
        match rest {
            [] => return Some((numbers, "")),
            [b'.', after @ ..] => rest = after,
            [b'-' | b'+', ..] => return Some((numbers, text.get(text.len() - rest.len()..)?)),
            _ => return None,
        }
    }
    None
}

/// The number that a text begins with, and the rest.
fn number_of(text: &[u8]) -> Option<(u64, &[u8])> {
    let digit = |text: &[u8]| text.first().map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10);
    let mut number = u64::from(digit(text)?);
    let mut rest = text.get(1..)?;
    while let Some(digit) = digit(rest) {
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        rest = rest.get(1..)?;
    }
    Some((number, rest))
}

/// The digits of a number, without leading zeros.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.trim_start_matches('0'))
}

fn are_identifiers(text: &str) -> bool {
    text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

impl<S: AsRef<str>> Version<S> {
    /// A version of three numbers and a pre-release, empty where it is a release. The pre-release is not checked.
    #[must_use]
    pub const fn new(numbers: [u64; 3], pre: S) -> Self {
        Self { numbers, pre }
    }

    /// Its three numbers.
    #[must_use]
    pub const fn numbers(&self) -> [u64; 3] {
        self.numbers
    }

    /// Its pre-release; empty where it is a release.
    #[must_use]
    pub fn pre(&self) -> &str {
        self.pre.as_ref()
    }

    /// Compares by SemVer's precedence (rule 11): numbers, then a release above its pre-releases, then the
    /// pre-releases' identifiers.
    #[must_use]
    #[inline]
    pub fn precedence<T: AsRef<str>>(&self, other: &Version<T>) -> Ordering {
        // As one after the other: comparing arrays is a loop.
        let ([major, minor, patch], [its_major, its_minor, its_patch]) = (self.numbers, other.numbers);
        let numbers = (major, minor, patch).cmp(&(its_major, its_minor, its_patch));
        numbers.then_with(|| pre_precedence(self.pre.as_ref(), other.pre.as_ref()))
    }
}

fn pre_precedence(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let mut others = right.split('.');
    for mine in left.split('.') {
        let Some(other) = others.next() else { return Ordering::Greater };
        let ordering = match (digits(mine), digits(other)) {
            // Of numbers without leading zeros the longer is the greater, however long.
            (Some(mine), Some(other)) => mine.len().cmp(&other.len()).then_with(|| mine.cmp(other)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => mine.cmp(other),
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
    if others.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

impl VersionRange {
    /// Whether a version keeps every bound.
    #[must_use]
    pub fn contains(&self, version: &Version<&str>) -> bool {
        self.bounds.iter().all(|(sign, bound)| sign.accepts(version.precedence(bound)))
    }

    /// Its bounds, in the order in which they were written.
    #[must_use]
    pub fn bounds(&self) -> &[(VersionComparator, Version)] {
        &self.bounds
    }

    /// The range as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for VersionRange {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut bounds = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let sign = rest.find(|c| !matches!(c, '<' | '>' | '=')).unwrap_or(rest.len());
            let comparator = match &rest[..sign] {
                "" | "=" => VersionComparator::Equal,
                "<" => VersionComparator::Less,
                "<=" => VersionComparator::LessOrEqual,
                ">" => VersionComparator::Greater,
                ">=" => VersionComparator::GreaterOrEqual,
                _ => return Err(VersionError::Version(rest.to_owned())),
            };
            rest = rest[sign..].trim_start();
            if let Some(sign @ ('^' | '~' | '!' | '*')) = rest.chars().next() {
                return Err(VersionError::Sign(sign));
            }
            let end = rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(rest.len());
            let Version { numbers, pre } =
                Version::parse(&rest[..end]).ok_or_else(|| VersionError::Version(rest[..end].to_owned()))?;
            bounds.push((comparator, Version { numbers, pre: pre.into() }));
            rest = rest[end..].trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        }
        if bounds.is_empty() {
            return Err(VersionError::Empty);
        }
        Ok(Self { text: text.into(), bounds })
    }
}

impl TryFrom<String> for VersionRange {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<VersionRange> for String {
    fn from(range: VersionRange) -> Self {
        range.text.into()
    }
}

impl PartialEq for VersionRange {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl VersionComparator {
    /// Whether it accepts a version that compares so with the bound.
    #[must_use]
    #[inline]
    pub const fn accepts(self, ordering: Ordering) -> bool {
        // A bit each for less, equal and greater.
        let accepted = match self {
            Self::Equal => 0b010,
            Self::Less => 0b001,
            Self::LessOrEqual => 0b011,
            Self::Greater => 0b100,
            Self::GreaterOrEqual => 0b110,
        };
        accepted >> (ordering as i8 + 1) & 1 != 0
    }
}

impl fmt::Display for VersionComparator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

impl<S: AsRef<str>> fmt::Display for Version<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        match self.pre.as_ref() {
            "" => Ok(()),
            pre => write!(f, "-{pre}"),
        }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn precedence_is_that_of_semver() {
        let rising = [
            "0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-beta.99999999999999999999",
            "1.0.0-beta.100000000000000000000",
            "1.0.0-rc.1",
            "v1",
            "1.0.1",
            "1.2",
            "2.0.0",
        ];
        for (i, low) in rising.iter().enumerate() {
            for (j, high) in rising.iter().enumerate() {
                let ordering = Version::parse(low).unwrap().precedence(&Version::parse(high).unwrap());
                assert_eq!(ordering, i.cmp(&j), "{low} {high}");
            }
        }
    }

    #[test]
    fn ranges() {
        let cases = [
            (">=2.3.0", "2.4.0-rc.1", true),
            (">=2.3.0", "2.3.0-rc.1", false),
            (">=2.3.0", "v2.3", true),
            (">=2.3 <3", "2.9.9", true),
            (">=2.3, <3", "3.0.0", false),
            ("2", "2.0.0+build.7", true),
            ("= 2.1", "2.1.0", true),
            ("<1", "1.0.0-rc.1", true),
        ];
        for (range, version, within) in cases {
            let range: VersionRange = range.parse().unwrap();
            assert_eq!(range.contains(&Version::parse(version).unwrap()), within, "{range} {version}");
        }
    }

    #[test]
    fn every_sign_accepts_what_it_says() {
        use VersionComparator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
        let orderings = [Ordering::Less, Ordering::Equal, Ordering::Greater];
        for (sign, accepted) in [
            (Equal, [false, true, false]),
            (Less, [true, false, false]),
            (LessOrEqual, [true, true, false]),
            (Greater, [false, false, true]),
            (GreaterOrEqual, [false, true, true]),
        ] {
            assert_eq!(orderings.map(|ordering| sign.accepts(ordering)), accepted, "{sign}");
        }
    }

    proptest! {
        #[test]
        fn plain_versions_are_read_as_any(text in "v?[0-9]{0,3}|[0-9.]{0,12}|[0-9]{1,20}|[0-9a.+-]{0,8}|([0-9]{1,7}[.]){2}[0-9]{1,8}") {
            let [quick, any] = [Version::parse(&text), Version::parse_any(&text)];
            let parts = |version: Option<Version<&str>>| version.map(|version| (version.numbers, version.pre.to_owned()));
            prop_assert_eq!(parts(quick), parts(any));
        }
    }

    #[test]
    fn refused() {
        for bad in ["", "v", "1.2.3.4", "1..2", "1.x", "1.2-", "1.2+", "1.2-a..b", "-1", "99999999999999999999"] {
            assert!(Version::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!("^1.2".parse::<VersionRange>(), Err(VersionError::Sign('^')));
        assert_eq!(" ".parse::<VersionRange>(), Err(VersionError::Empty));
        assert_eq!(">=1 <".parse::<VersionRange>(), Err(VersionError::Version(String::new())));
    }
}
