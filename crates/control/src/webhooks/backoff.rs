//! How long to wait before the next try, and when to give up.

use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How long an event is tried that does not get through.
const GIVE_UP_AFTER: Duration = Duration::from_secs(3 * 86_400);
/// The waits of an event that its receiver refuses, as it would likely refuse it for ever; after the last it is given up.
const REFUSED: [Duration; 4] =
    [Duration::from_secs(15), Duration::from_secs(30), Duration::from_secs(60), Duration::from_secs(120)];

/// What has become of the tries of one event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    /// Tries that failed.
    pub(super) failures: u32,
    /// Those of them that the receiver refused.
    refusals: usize,
}

impl Tries {
    /// Counts a failure; how long to wait before the next try, or none where there is none. `begun` is how long ago the first
    /// one was.
    ///
    /// The wait is doubled each time, and spread by `share` (0 to 1) between three quarters and five quarters of it: receivers
    /// that were down are not asked by everybody at once. What the receiver asks for (`Retry-After`) counts where it is longer.
    pub(super) fn failed(
        &mut self,
        refused: bool,
        begun: Duration,
        share: f64,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let wait = if refused {
            self.refusals += 1;
            REFUSED.get(self.refusals - 1).copied()?
        } else {
            FIRST.saturating_mul(2_u32.saturating_pow((self.failures - 1).min(20)))
        };
        let spread = wait.min(LONGEST).mul_f64(0.75 + share.clamp(0.0, 1.0) / 2.0);
        (begun < GIVE_UP_AFTER).then(|| spread.max(asked.unwrap_or_default()).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_doubles_up_to_an_hour() {
        let cases = [
            (0, 0.5, None, seconds(1)),
            (1, 0.5, None, seconds(2)),
            (9, 0.5, None, seconds(512)),
            (12, 0.5, None, seconds(3_600)),
            (u32::MAX - 1, 1.0, None, seconds(3_600)),
            (0, 0.0, None, Duration::from_millis(750)),
            (0, 1.0, None, Duration::from_millis(1_250)),
            (0, 0.5, Some(seconds(30)), seconds(30)),
            (5, 0.5, Some(seconds(3)), seconds(32)),
            (0, 0.5, Some(seconds(86_400)), seconds(3_600)),
        ];
        for (failures, share, asked, expected) in cases {
            let mut tries = Tries { failures, refusals: 0 };
            assert_eq!(tries.failed(false, seconds(0), share, asked), Some(expected), "{failures} {share} {asked:?}");
        }
        assert_eq!(Tries::default().failed(false, GIVE_UP_AFTER, 0.5, None), None);
    }

    #[test]
    fn what_is_refused_is_given_up_after_some_minutes() {
        let mut tries = Tries::default();
        let mut total = Duration::ZERO;
        for _ in 0..4 {
            total += tries.failed(true, total, 0.5, None).unwrap();
            // A receiver that is down meanwhile is no receiver that refuses.
            assert!(tries.failed(false, total, 0.5, None).is_some());
        }
        assert_eq!((total, tries.failed(true, total, 0.5, None)), (seconds(225), None));
        assert_eq!(Tries::default().failed(true, seconds(0), 0.5, Some(seconds(90))), Some(seconds(90)));
    }
}
