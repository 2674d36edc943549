//! Regular expressions, compiled once and bounded in size.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::limits::PATTERN_SIZE_MAX;

/// A regular expression that compiles, in the syntax of the `regex` crate: linear time, no look-around.
///
/// It matches anywhere in a text unless it is anchored with `^` and `$`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "PatternParts", into = "PatternParts")]
pub struct Pattern {
    regex: Regex,
    ignore_case: bool,
    size: usize,
}

#[derive(Serialize, Deserialize)]
struct PatternParts {
    regex: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ignore_case: bool,
}

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is malformed: the `regex` crate's own words.
    #[error("{0}")]
    Form(String),
    /// It compiles to more than it may.
    #[error("it compiles to more than {0} bytes")]
    TooLarge(usize),
}

/// What an expression is tried with, the smallest first: so its size is roughly known, and a small one counts little.
const SIZES: [usize; 4] = [4 * 1024, 32 * 1024, 256 * 1024, PATTERN_SIZE_MAX];

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When the expression is malformed, or compiles to more than [`PATTERN_SIZE_MAX`] bytes.
    pub fn new(expression: &str, ignore_case: bool) -> Result<Self, PatternError> {
        for size in SIZES {
            match RegexBuilder::new(expression).case_insensitive(ignore_case).size_limit(size).build() {
                Ok(regex) => return Ok(Self { regex, ignore_case, size }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => return Err(PatternError::Form(error.to_string())),
            }
        }
        Err(PatternError::TooLarge(PATTERN_SIZE_MAX))
    }

    /// The bytes that it compiles to, at most.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The expression as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether case is folded while matching.
    #[must_use]
    pub const fn ignore_case(&self) -> bool {
        self.ignore_case
    }

    /// The compiled expression.
    #[must_use]
    pub const fn regex(&self) -> &Regex {
        &self.regex
    }
}

impl TryFrom<PatternParts> for Pattern {
    type Error = PatternError;

    fn try_from(parts: PatternParts) -> Result<Self, PatternError> {
        Self::new(&parts.regex, parts.ignore_case)
    }
}

impl From<Pattern> for PatternParts {
    fn from(pattern: Pattern) -> Self {
        Self { regex: pattern.as_str().to_owned(), ignore_case: pattern.ignore_case }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() && self.ignore_case == other.ignore_case
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.as_str(), if self.ignore_case { "i" } else { "" })
    }
}
