//! The last changes, kept for clients that reconnect.

use std::collections::VecDeque;

use bytes::Bytes;
use daybreak_model::limits::{RESUME_BYTES_MAX, RESUME_CHANGES_MAX};

/// Encoded messages by the revision that each reaches, the oldest first.
#[derive(Debug)]
pub(crate) struct Ring {
    entries: VecDeque<(u64, Bytes)>,
    bytes: usize,
    /// Whoever has this revision or a later one can go on from here.
    floor: u64,
}

impl Ring {
    /// An empty ring of a store at this revision.
    pub(crate) fn new(revision: u64) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, floor: revision }
    }

    /// Keeps a message; the oldest ones go where there are too many.
    pub(crate) fn push(&mut self, revision: u64, frame: Bytes) {
        self.bytes += frame.len();
        self.entries.push_back((revision, frame));
        while self.entries.len() > RESUME_CHANGES_MAX || self.bytes > RESUME_BYTES_MAX {
            let Some((revision, frame)) = self.entries.pop_front() else { break };
            self.bytes -= frame.len();
            self.floor = self.floor.max(revision);
        }
    }

    /// The messages after this revision; `None` where some of them are gone.
    pub(crate) fn since(&self, revision: u64) -> Option<Vec<Bytes>> {
        let after = |entry: &&(u64, Bytes)| entry.0 > revision;
        (revision >= self.floor).then(|| self.entries.iter().filter(after).map(|(_, frame)| frame.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(revisions: std::ops::RangeInclusive<u64>, size: usize) -> Ring {
        let mut ring = Ring::new(revisions.start() - 1);
        revisions.for_each(|revision| ring.push(revision, Bytes::from(vec![0; size])));
        ring
    }

    #[test]
    fn resumes_from_what_is_kept() {
        let most = RESUME_CHANGES_MAX as u64;
        let cases = [
            (filled(1..=3, 1), 3, Some(0)),
            (filled(1..=3, 1), 1, Some(2)),
            (filled(1..=3, 1), 0, Some(3)),
            (filled(6..=8, 1), 4, None),
            (filled(6..=8, 1), 5, Some(3)),
            (filled(1..=most + 1, 1), 0, None),
            (filled(1..=most + 1, 1), 1, Some(RESUME_CHANGES_MAX)),
            (filled(1..=5, RESUME_BYTES_MAX / 4), 0, None),
            (filled(1..=5, RESUME_BYTES_MAX / 4), 1, Some(4)),
            (filled(1..=1, RESUME_BYTES_MAX + 1), 0, None),
            (filled(1..=1, RESUME_BYTES_MAX + 1), 1, Some(0)),
        ];
        for (at, (ring, since, expected)) in cases.into_iter().enumerate() {
            assert_eq!(ring.since(since).map(|frames| frames.len()), expected, "case {at}");
        }
    }
}
