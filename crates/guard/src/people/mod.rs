//! What people feel: how often on-call was paged, and how often it worked off-hours.
//!
//! * [`Page`] and [`Work`]: what a source tells, once for each on-call that it concerns;
//! * [`People`]: what is remembered of it. A page that is told again is no further page;
//! * [`PeopleState`]: what it comes to for one on-call at one moment, and what that forbids.
//!
//! Pages count for 168 hours, incidents worked off-hours for 182 days; then they are forgotten by themselves.

mod ledger;
mod owner;
mod page;
mod state;
#[cfg(test)]
mod tests;
mod unmatched;

use daybreak_model::Millis;

pub use ledger::{People, Record};
pub use owner::{brings_pages, owns_alert, owns_service};
pub use page::{Incident, KnownPage, Page, Received, Repeat, Source, Urgency, Work};
pub use state::{Budget, FurtherPage, PeopleState, Reason, SourceState};
pub use unmatched::{Asked, Unmatched};

/// For how long a page counts.
pub const PAGES_WINDOW: Millis = Millis::from_secs(168 * 3_600);
/// For how long an incident counts that was worked off-hours.
pub const OFF_HOURS_WINDOW: Millis = Millis::from_secs(182 * 86_400);
/// For how long a page is known after it was last told of: what comes later is a page of its own.
pub const KNOWN_FOR: Millis = Millis::from_secs(31 * 86_400);
/// So long before the rotation's hours close a run must be over, where one more incident off-hours would break the
/// objective.
pub const CLOSING_MARGIN: Millis = Millis::from_secs(2 * 3_600);
