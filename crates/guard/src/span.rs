//! Lengths of time, added to moments without ever overflowing.

use daybreak_model::Millis;
use jiff::{SignedDuration, Timestamp};

/// The length as a signed one; one that is too long is the longest.
pub(crate) fn signed(length: Millis) -> SignedDuration {
    SignedDuration::try_from(length.to_duration()).unwrap_or(SignedDuration::MAX)
}

/// The moment so much later; the last moment there is, where that is past it.
pub(crate) fn after(moment: Timestamp, length: Millis) -> Timestamp {
    moment.checked_add(signed(length)).unwrap_or(Timestamp::MAX)
}
