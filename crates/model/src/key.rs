//! Keys: the names of resources, variants and rules.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::KEY_LENGTH_MAX;

/// The name of a resource, a variant or a rule: `[A-Za-z0-9][A-Za-z0-9._-]{0,99}`.
///
/// Flags and faults have separate namespaces. A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

/// Why a text is no [`Key`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing between the quotes.
    #[error("a key cannot be empty")]
    Empty,
    /// More than [`KEY_LENGTH_MAX`] characters.
    #[error("a key has at most {KEY_LENGTH_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// It begins with something other than a letter or a digit.
    #[error("a key begins with a letter or a digit, not with `{0}`")]
    BadStart(char),
    /// A character that is none of `A-Z a-z 0-9 . _ -`.
    #[error("a key consists of letters, digits, `.`, `_` and `-`; `{0}` is none of these")]
    BadCharacter(char),
}

impl Key {
    /// Checks a text.
    ///
    /// # Errors
    /// When the text does not have a key's form.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(text: &str) -> Result<(), KeyError> {
    let first = text.chars().next().ok_or(KeyError::Empty)?;
    if !first.is_ascii_alphanumeric() {
        return Err(KeyError::BadStart(first));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(bad) = text.chars().find(|&c| !allowed(c)) {
        return Err(KeyError::BadCharacter(bad));
    }
    match text.len() {
        length if length > KEY_LENGTH_MAX => Err(KeyError::TooLong(length)),
        _ => Ok(()),
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::new(&text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().to_owned()
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl PartialEq<str> for Key {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Key {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for good in ["a", "0", "new-checkout", "payment.gateway", "A_b-c.9", &"x".repeat(100)] {
            assert_eq!(Key::new(good).unwrap().as_str(), good);
        }
        let cases = [
            ("", KeyError::Empty),
            ("-a", KeyError::BadStart('-')),
            ("$service", KeyError::BadStart('$')),
            ("a/b", KeyError::BadCharacter('/')),
            ("ü", KeyError::BadStart('ü')),
            ("a b", KeyError::BadCharacter(' ')),
            (&"x".repeat(101), KeyError::TooLong(101)),
        ];
        for (bad, why) in cases {
            assert_eq!(Key::new(bad).unwrap_err(), why, "{bad:?}");
        }
    }
}
