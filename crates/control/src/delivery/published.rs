//! When each revision was published.

use std::collections::VecDeque;
use std::time::Duration;

/// Revisions whose time is remembered: the last ones. At a thousand changes a second they are some seconds.
const REMEMBERED: usize = 16 * 1024;

/// When the last revisions were published, on the clock that never goes back.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// The revision of the first time that is remembered.
    first: u64,
    times: VecDeque<Duration>,
}

impl Published {
    /// A revision is published now. Where one is left out, those before it are forgotten.
    pub(crate) fn push(&mut self, revision: u64, now: Duration) {
        if self.next() != revision {
            self.times.clear();
        }
        if self.times.is_empty() {
            self.first = revision;
        }
        self.times.push_back(now);
        if self.times.len() > REMEMBERED {
            self.times.pop_front();
            self.first += 1;
        }
    }

    /// When a revision was published, as far as that is remembered.
    pub(crate) fn at(&self, revision: u64) -> Option<Duration> {
        let index = usize::try_from(revision.checked_sub(self.first)?).ok()?;
        self.times.get(index).copied()
    }

    fn next(&self) -> u64 {
        self.first + self.times.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered() {
        let mut published = Published::default();
        let at = |revision: u64| Duration::from_millis(revision * 10);
        assert_eq!(published.at(0), None);
        (7..10).for_each(|revision| published.push(revision, at(revision)));
        assert_eq!([6, 7, 9, 10].map(|revision| published.at(revision)), [None, Some(at(7)), Some(at(9)), None]);
        (10..8 + REMEMBERED as u64).for_each(|revision| published.push(revision, at(revision)));
        assert_eq!([7, 8].map(|revision| published.at(revision)), [None, Some(at(8))]);
        published.push(1_000_000, at(1));
        assert_eq!((published.at(9), published.at(1_000_000)), (None, Some(at(1))));
    }
}
