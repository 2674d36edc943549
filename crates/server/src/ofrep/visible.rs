//! The version of what a caller sees: two that are equal stand for the same flags, with the same answers to a context.
//!
//! Whoever sees all flags sees another version whenever a flag or a segment changes. Whoever sees only those for clients
//! does so where one of these changed, or something that their answers depend on: nobody asks again, nor learns that
//! something happened, because of a flag that is none of theirs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use daybreak_control::State;
use daybreak_model::wire::{Position, StoreId};
use daybreak_model::{Key, Kind};
use parking_lot::Mutex;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// What a caller sees, by its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    store: StoreId,
    /// A hash of the environment, which answers name: a store may be served under another one.
    environment: u32,
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// All flags, by the last revision that changed one.
    All(u64),
    /// Those for clients, by a hash of what changed each of them.
    Clients(u64),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}-", self.store, self.environment)?;
        match self.of {
            Of::All(revision) => write!(f, "{revision}"),
            Of::Clients(hash) => write!(f, "c{hash:016x}"),
        }
    }
}

/// Tells versions. Those for clients are worked out once for every change.
#[derive(Clone, Debug, Default)]
pub struct Versions(Arc<Mutex<Option<(Position, u64)>>>);

impl Versions {
    /// The version of this state for somebody who sees all flags, or only those for clients.
    pub(crate) fn of(&self, state: &State, sees_all: bool) -> Version {
        let at = flags_position(state);
        let of = if sees_all { Of::All(at.revision) } else { Of::Clients(self.clients(state, at)) };
        #[expect(clippy::cast_possible_truncation, reason = "half of the hash tells environments apart")]
        let environment = xxh3_64(state.environment().as_bytes()) as u32;
        Version { store: at.store, environment, of }
    }

    fn clients(&self, state: &State, at: Position) -> u64 {
        let mut last = self.0.lock();
        match *last {
            Some((known, hash)) if known == at => hash,
            _ => {
                let hash = hash(state);
                *last = Some((at, hash));
                hash
            }
        }
    }
}

/// Where the flags stand: the last revision that changed a flag or a segment.
pub(crate) fn flags_position(state: &State) -> Position {
    Position { revision: state.flags_revision(), ..state.position() }
}

/// Covers the flags for clients, all that they depend on, and every segment.
fn hash(state: &State) -> u64 {
    let resources = state.resources();
    let mut hash = Xxh3::new();
    let mut add = |kind: Kind, key: &Key| {
        hash.update(key.as_str().as_bytes());
        hash.update(&[0]);
        hash.update(&state.revision(kind, key.as_str()).unwrap_or_default().to_le_bytes());
    };
    let mut waiting: Vec<&Key> = resources.flags.iter().filter(|(_, flag)| flag.client).map(|(key, _)| key).collect();
    let mut seen = BTreeSet::new();
    while let Some(key) = waiting.pop() {
        if seen.insert(key) {
            waiting.extend(resources.flags.get(key).into_iter().flat_map(|flag| flag.prerequisites.keys()));
        }
    }
    seen.into_iter().for_each(|key| add(Kind::Flag, key));
    resources.segments.keys().for_each(|key| add(Kind::Segment, key));
    hash.digest()
}
