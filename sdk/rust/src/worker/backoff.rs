//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);

/// Waits that double, each spread by full jitter, so that clients that lost one server do not come back as one.
#[derive(Debug)]
pub(super) struct Backoff {
    tries: u32,
    longest: Duration,
}

impl Backoff {
    /// Waits that grow up to this.
    pub(super) const fn new(longest: Duration) -> Self {
        Self { tries: 0, longest }
    }

    /// The next wait: anything up to the doubled one.
    pub(super) fn next(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.tries.min(16)).min(self.longest);
        self.tries = self.tries.saturating_add(1);
        ceiling.mul_f64(rand::random())
    }

    /// Something went well: begin again with short waits.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let longest = Duration::from_secs(10);
        let mut backoff = Backoff::new(longest);
        for tries in 0..40 {
            let ceiling = FIRST.saturating_mul(1 << tries.min(16)).min(longest);
            assert!(backoff.next() <= ceiling, "{tries}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
