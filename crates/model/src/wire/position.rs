//! Positions: where in a store's history something stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::draw_key::hexadecimal;

/// The header that carries the position on every answer.
pub const POSITION_HEADER: &str = "Daybreak-Revision";

/// Identifies a store: 16 lower-case hexadecimal digits, random; one in memory has a new one at each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(u64);

/// A store and a revision of it, written `store:revision`. Revisions of one store only grow; those of two
/// stores cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position {
    /// The store.
    pub store: StoreId,
    /// How many changes it has seen.
    pub revision: u64,
}

/// The text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is written `store:revision`, as in `00c0ffee00c0ffee:42`")]
pub struct PositionError;

impl StoreId {
    /// An identifier of these bits; they should be random.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }
}

impl Position {
    /// Whether a client at `self` may go on to `next`: another store, or the same one later.
    #[must_use]
    pub fn accepts(self, next: Self) -> bool {
        self.store != next.store || next.revision > self.revision
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.store, self.revision)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (store, revision) = text.split_once(':').ok_or(PositionError)?;
        let store = hexadecimal(store, 16).and_then(|bits| bits.try_into().ok()).map(StoreId).ok_or(PositionError)?;
        let digits = revision.bytes().all(|b| b.is_ascii_digit());
        let revision = digits.then(|| revision.parse().ok()).flatten().ok_or(PositionError)?;
        Ok(Self { store, revision })
    }
}

impl TryFrom<String> for Position {
    type Error = PositionError;

    fn try_from(text: String) -> Result<Self, PositionError> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let position = Position { store: StoreId::new(0xc0ffee), revision: 42 };
        assert_eq!(position.to_string(), "0000000000c0ffee:42");
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in ["", "42", "c0ffee:42", "0000000000c0ffee:", "0000000000c0ffee:+1", "0000000000c0ffee:-1"] {
            assert_eq!(bad.parse::<Position>(), Err(PositionError), "{bad}");
        }
    }

    #[test]
    fn a_lower_revision_is_accepted_only_under_another_id() {
        let at = |store, revision| Position { store: StoreId::new(store), revision };
        assert!(at(1, 5).accepts(at(1, 6)));
        assert!(!at(1, 5).accepts(at(1, 5)));
        assert!(!at(1, 5).accepts(at(1, 4)));
        assert!(at(1, 5).accepts(at(2, 1)));
    }
}
