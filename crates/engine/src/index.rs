//! Where each flag is, by key.

use std::hash::BuildHasher;

use daybreak_model::same_bytes;
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::FlagIndex;
use crate::program::Program;

/// Places by key. The keys themselves stand in the programs, which a look-up is about to read anyway: so it
/// waits for memory once less than a map of keys would, and the table stays small.
#[derive(Debug, Default)]
pub(crate) struct Index(HashTable<FlagIndex>);

impl Index {
    /// The index of these programs. Of two with the same key the later one counts.
    pub(crate) fn of(programs: &[Program]) -> Self {
        let key = |at: &FlagIndex| programs.get(at.position()).map(Program::key).unwrap_or_default();
        let mut table = HashTable::with_capacity(programs.len());
        for (at, program) in (0..).map(FlagIndex::at).zip(programs) {
            let own = program.key();
            table.entry(hash(own), |known| key(known) == own, |known| hash(key(known))).insert(at);
        }
        Self(table)
    }

    /// Where a key is in the programs that this is the index of.
    #[inline]
    pub(crate) fn get(&self, key: &str, programs: &[Program]) -> Option<FlagIndex> {
        let is = |at: &FlagIndex| {
            programs.get(at.position()).is_some_and(|program| same_bytes(program.key(), key.as_bytes()))
        };
        self.0.find(hash(key.as_bytes()), is).copied()
    }
}

#[inline]
fn hash(key: &[u8]) -> u64 {
    FxBuildHasher.hash_one(key)
}
