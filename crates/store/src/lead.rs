//! Leadership: who of several servers acts.

use std::collections::BTreeMap;

use daybreak_model::Millis;
use jiff::Timestamp;

use crate::time::later;

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

/// Who leads what, where all who ask are in this process.
#[derive(Debug, Default)]
pub(crate) struct Leaders(BTreeMap<String, Leader>);

#[derive(Debug)]
struct Leader {
    holder: String,
    term: u64,
    until: Timestamp,
}

impl Leaders {
    pub(crate) fn lead(&mut self, request: LeadershipRequest) -> Leadership {
        let LeadershipRequest { name, holder, now, hold } = request;
        let until = later(now, hold);
        let known = self.0.get(&name);
        let term = match known {
            Some(leader) if leader.holder == holder && now < leader.until => leader.term,
            Some(leader) if now < leader.until => {
                return Leadership::Follower { leader: leader.holder.clone(), until: leader.until };
            }
            known => known.map_or(0, |leader| leader.term) + 1,
        };
        self.0.insert(name, Leader { holder, term, until });
        Leadership::Leader { term, confirmed_at: now }
    }

    pub(crate) fn resign(&mut self, name: &str, holder: &str) {
        if let Some(leader) = self.0.get_mut(name).filter(|leader| leader.holder == holder) {
            // Kept, so that the next term is a new one.
            leader.until = Timestamp::MIN;
        }
    }
}
