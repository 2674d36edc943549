//! Lengths of time and moments.

use daybreak_model::Millis;
use jiff::{SignedDuration, Timestamp};

/// So long after; the last moment there is where that is past the end of time.
pub(crate) fn later(moment: Timestamp, by: Millis) -> Timestamp {
    moment.checked_add(signed(by)).unwrap_or(Timestamp::MAX)
}

/// So long before; the first moment there is where that is before the beginning of time.
pub(crate) fn earlier(moment: Timestamp, by: Millis) -> Timestamp {
    moment.checked_sub(signed(by)).unwrap_or(Timestamp::MIN)
}

fn signed(length: Millis) -> SignedDuration {
    SignedDuration::try_from(length.to_duration()).unwrap_or(SignedDuration::MAX)
}
