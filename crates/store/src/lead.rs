//! Leadership: who of several servers acts.

use daybreak_model::Millis;
use jiff::Timestamp;

/// Asks for the leadership of a name, or confirms it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadershipRequest {
    /// What is led: `guard`.
    pub name: String,
    /// Who asks: unique for one start of one server.
    pub holder: String,
    /// The time before asking.
    pub now: Timestamp,
    /// How long it holds without being confirmed.
    pub hold: Millis,
}

/// Who leads a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// The one who asked.
    Leader {
        /// Grows by one with each change of leader.
        term: u64,
        /// The request's `now`: what counts for leases, since the answer may have taken long.
        confirmed_at: Timestamp,
    },
    /// Another one.
    Follower {
        /// Who leads.
        leader: String,
        /// When that lapses unless it is confirmed.
        until: Timestamp,
    },
}
