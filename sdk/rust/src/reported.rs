//! What became of reports to the server.

use std::sync::atomic::{AtomicU64, Ordering};

/// Reports by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    delivered: AtomicU64,
    lost: AtomicU64,
}

impl Reported {
    /// A report was answered, or not.
    pub(crate) fn count(&self, answered: bool) {
        let count = if answered { &self.delivered } else { &self.lost };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were of each.
    #[cfg(feature = "metrics")]
    pub(crate) fn counts(&self) -> [(&'static str, u64); 2] {
        [("delivered", &self.delivered), ("lost", &self.lost)]
            .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }
}
