//! RFC 3339 times in contexts.

use daybreak_model::condition::parse_timestamp;
use jiff::Timestamp;

use crate::Truth;

/// Asks of a text as a time; unknown where it is none.
pub(crate) fn asks(text: &str, holds: impl Fn(Timestamp) -> bool) -> Truth {
    parse_timestamp(text).map_or(Truth::Unknown, |time| holds(time).into())
}
