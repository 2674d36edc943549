//! How long to wait before the next try.

use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How long an event is tried.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_secs(3 * 86_400);

/// The wait after so many failures in a row, doubled each time, and spread by `share` (0 to 1) between three quarters and
/// five quarters of it: receivers that were down are not asked by everybody at once. What the receiver asks for
/// (`Retry-After`) counts where it is longer.
pub(super) fn wait(failures: u32, share: f64, asked: Option<Duration>) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(20)));
    let spread = doubled.min(LONGEST).mul_f64(0.75 + share.clamp(0.0, 1.0) / 2.0);
    spread.max(asked.unwrap_or_default()).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_an_hour() {
        let seconds = Duration::from_secs;
        let cases = [
            (1, 0.5, None, seconds(1)),
            (2, 0.5, None, seconds(2)),
            (10, 0.5, None, seconds(512)),
            (13, 0.5, None, seconds(3_600)),
            (u32::MAX, 1.0, None, seconds(3_600)),
            (1, 0.0, None, Duration::from_millis(750)),
            (1, 1.0, None, Duration::from_millis(1_250)),
            (1, 0.5, Some(seconds(30)), seconds(30)),
            (6, 0.5, Some(seconds(3)), seconds(32)),
            (1, 0.5, Some(seconds(86_400)), seconds(3_600)),
        ];
        for (failures, share, asked, expected) in cases {
            assert_eq!(wait(failures, share, asked), expected, "{failures} {share} {asked:?}");
        }
    }
}
