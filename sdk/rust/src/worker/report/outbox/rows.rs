//! What a report is cut between.

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// What is counted; first come those that runs depend on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Both arms of one run, in one stage and one operation.
    Stages,
    Operations,
    Slos,
    Points,
    Evaluations,
}

/// One row on its way into a report: it is said as a whole, or not at all.
pub(super) struct Row<T> {
    /// Hashes.
    pub(super) name: u64,
    pub(super) value: u64,
    /// The lower comes first, of those that changed.
    pub(super) rank: usize,
    pub(super) bytes: usize,
    /// Bytes among these of what must come along.
    pub(super) beside: usize,
    pub(super) item: T,
}

/// Named values as rows of a kind.
pub(super) fn rows<N: Serialize, V: Serialize>(
    kind: Kind,
    items: impl IntoIterator<Item = (N, V)>,
) -> Result<Vec<Row<(N, V)>>, serde_json::Error> {
    let row = |item: (N, V)| {
        let (name, value) = (serde_json::to_vec(&(kind as u8, &item.0))?, serde_json::to_vec(&item.1)?);
        let (bytes, name, value) = (name.len() + value.len(), xxh3_64(&name), xxh3_64(&value));
        Ok(Row { name, value, rank: 0, bytes, beside: 0, item })
    };
    items.into_iter().map(row).collect()
}
