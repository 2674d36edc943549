//! Leases: how long this client may go on without hearing from the server.

use std::time::Duration;

use daybreak_model::Percentage;
use daybreak_model::limits::{CLOCK_DRIFT_MAX, LEASE_MAX};
use daybreak_model::wire::RunGrant;
use jiff::Timestamp;

use super::clock::Moment;

/// What the last reply said of one run, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    sent: Moment,
    length: Duration,
    pub(crate) stage: u32,
    pub(crate) percentage: Percentage,
    pub(crate) cap: u32,
    ends_at: Timestamp,
}

impl Lease {
    /// A lease that counts from when the report was sent.
    pub(crate) fn new(grant: &RunGrant, length: Duration, sent: Moment) -> Self {
        Self {
            sent,
            length: length.min(LEASE_MAX.to_duration()),
            stage: grant.stage,
            percentage: grant.percentage,
            cap: grant.cap,
            ends_at: grant.ends_at,
        }
    }

    /// How much longer it holds; `None` where it does not.
    pub(crate) fn left(&self, now: Moment) -> Option<Duration> {
        let age = now.boot.checked_sub(self.sent.boot)?;
        let left = self.length.checked_sub(age).filter(|left| !left.is_zero())?;
        let walked = now.wall.duration_since(self.sent.wall).as_millis();
        let ticked = i128::try_from(now.monotonic.checked_sub(self.sent.monotonic)?.as_millis()).ok()?;
        let alike = walked.abs_diff(ticked) <= u128::from(CLOCK_DRIFT_MAX.get());
        let until_end = Duration::try_from(self.ends_at.duration_since(now.wall)).ok()?;
        (alike && !until_end.is_zero()).then(|| left.min(until_end))
    }
}

#[cfg(test)]
mod tests {
    use daybreak_model::RunId;

    use super::super::clock::Clock;
    use super::super::clock::test::TestClock;
    use super::*;

    fn lease(clock: &TestClock, length: u64, ends_in: i64) -> Lease {
        let ends_at = clock.now().wall + jiff::SignedDuration::from_secs(ends_in);
        let (id, percentage) = (RunId::new(1), Percentage::FULL);
        let grant = RunGrant { id, stage: 0, percentage, cap: 64, ends_at, spec: None };
        Lease::new(&grant, Duration::from_secs(length), clock.now())
    }

    /// What happens after the grant, and whether the lease still holds.
    type Case = (&'static str, fn(&TestClock), bool);

    #[test]
    fn invariant_2_a_lease_lapses_when_time_passes_or_clocks_part() {
        let cases: [Case; 9] = [
            ("at once", |_| (), true),
            ("just before its end", |clock| clock.pass(Duration::from_millis(9_999)), true),
            ("at its end", |clock| clock.pass(Duration::from_secs(10)), false),
            ("a suspension within the drift", |clock| clock.suspend(Duration::from_secs(2)), true),
            ("a suspension", |clock| clock.suspend(Duration::from_secs(3)), false),
            ("the wall clock a little ahead", |clock| clock.set_wall(2), true),
            ("the wall clock ahead", |clock| clock.set_wall(3), false),
            ("the wall clock back", |clock| clock.set_wall(-3), false),
            ("the wall clock far back", |clock| clock.set_wall(-100_000), false),
        ];
        for (what, happens, holds) in cases {
            let clock = TestClock::new();
            let lease = lease(&clock, 10, 3_600);
            happens(&clock);
            assert_eq!(lease.left(clock.now()).is_some(), holds, "{what}");
        }
    }

    #[test]
    fn invariant_2_no_lease_outlives_its_run_or_the_longest_lease() {
        let clock = TestClock::new();
        let ends_soon = lease(&clock, 10, 4);
        let too_long = lease(&clock, 3_600, 7_200);
        assert_eq!(ends_soon.left(clock.now()), Some(Duration::from_secs(4)));
        assert_eq!(too_long.left(clock.now()), Some(Duration::from_secs(30)));
        clock.pass(Duration::from_secs(4));
        assert_eq!(ends_soon.left(clock.now()), None, "the run has ended");
        assert_eq!(lease(&clock, 0, 60).left(clock.now()), None, "a lease of nothing");
    }
}
