//! What can go wrong.

use daybreak_model::wire::Position;

/// Why a store did not do what it was asked. Nothing changed then, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else committed first: load, decide anew, and commit at the new revision.
    #[error("the store has moved on to {at}")]
    Conflict {
        /// Where the store stands.
        at: Position,
    },
    /// A watch asked for commits that are no longer kept, or fell too far behind: load, and watch from there.
    #[error("commits before revision {oldest} are no longer kept; load everything, and watch from there")]
    Behind {
        /// The oldest revision whose commit is still kept.
        oldest: u64,
    },
    /// A watch asked for commits after a revision that the store has not reached: it belongs to another store.
    #[error("the store stands at {at}; it has never been at the revision that was asked for")]
    Ahead {
        /// Where the store stands.
        at: Position,
    },
    /// What should last could not be written. What takes risk away (a halt) holds in memory all the same.
    #[error("{what} could not be made durable: {source}")]
    NotDurable {
        /// What was to be written, and where.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// What was to be restored is no backup, or not whole.
    #[error("the backup cannot be restored, and nothing was changed: {0}")]
    Backup(String),
    /// The disk failed while something was made to last: perhaps it is there after a restart, perhaps not. The store
    /// takes no more writes until it is opened anew.
    #[error(
        "it is not known whether it lasts: {0}; the store takes no more changes. See to the disk, then restart the \
         server: what its file holds then is so"
    )]
    Unknown(String),
    /// The store cannot be reached, or has no quorum.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}
