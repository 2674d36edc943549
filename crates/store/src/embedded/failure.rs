//! Why work on the file failed.

use crate::StoreError;

/// The outcome of work on the file.
pub(super) type Work<T> = Result<T, Failure>;

/// Why work on the file failed. A transaction in which it happened is undone.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The disk or the database failed.
    #[error("{0}")]
    Database(Box<redb::Error>),
    /// Something in it cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The disk failed while something was made to last: nobody knows whether it will.
    #[error("{0}")]
    Unknown(String),
    /// There is no database at this moment: it failed, and could not be opened again.
    #[error("{0}")]
    Closed(String),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unknown(why) => Self::Unknown(why),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

macro_rules! from {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for Failure {
            fn from(error: redb::$error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        })+
    };
}

from!(StorageError, TableError, TransactionError, CommitError, DatabaseError);

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Database(Box::new(redb::Error::Io(error)))
    }
}
