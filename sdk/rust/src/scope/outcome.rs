//! What a root request came to, and whether that was good.

use std::time::Duration;

use daybreak_model::Good;
use daybreak_model::wire::deadline;

/// What a request came to, as its root knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole response of this HTTP status.
    Status(u16),
    /// It did what it was for.
    Success,
    /// It did not: an error without a status, a panic, a body that broke off.
    Failure,
}

/// What tells by itself what a request came to: for [`Faults::request`](crate::faults::Faults::request).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell what a request came to",
    note = "say how to read it off the output, with `request_with`; or return a `Result`, `()` or an `Outcome`"
)]
pub trait HasOutcome {
    /// What the request came to.
    fn outcome(&self) -> Outcome;
}

/// It was done.
impl HasOutcome for () {
    fn outcome(&self) -> Outcome {
        Outcome::Success
    }
}

/// An error is a failure.
impl<T, E> HasOutcome for Result<T, E> {
    fn outcome(&self) -> Outcome {
        if self.is_ok() { Outcome::Success } else { Outcome::Failure }
    }
}

impl HasOutcome for Outcome {
    fn outcome(&self) -> Outcome {
        *self
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// What it came to; `None` where nobody waited for that.
    pub(crate) outcome: Option<Outcome>,
    /// From its beginning to the head of its response, where there was one.
    pub(crate) head: Option<Duration>,
    /// From its beginning to its end.
    pub(crate) elapsed: Duration,
}

/// What an SLO calls a request. Each is one of these, and whatever was said first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Good,
    Error,
    Slow,
    Cancelled,
}

impl Ended {
    /// Latency is to the head of the response; success needs the whole body.
    pub(crate) fn latency(&self) -> Duration {
        self.head.unwrap_or(self.elapsed)
    }

    /// Judges by what makes a request good.
    pub(crate) fn judge(&self, good: &Good) -> Judgement {
        let deadline = deadline(good).to_duration();
        let slow = self.latency() >= deadline;
        let error = match self.outcome {
            Some(Outcome::Status(status)) => good.status.is_some_and(|bound| status >= bound.0),
            Some(Outcome::Success) => false,
            Some(Outcome::Failure) => true,
            // Who is gone by then may have been driven away; who is gone before says nothing about us.
            None if self.elapsed < deadline => return Judgement::Cancelled,
            None => !slow,
        };
        match (error, slow) {
            (true, _) => Judgement::Error,
            (false, true) => Judgement::Slow,
            (false, false) => Judgement::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use daybreak_model::{Millis, StatusBound};

    use super::*;

    #[test]
    fn an_slo_judges_status_latency_and_who_is_gone() {
        let both = Good { status: Some(StatusBound(500)), latency: Some(Millis::new(400)) };
        let fast = Good { status: None, latency: Some(Millis::new(400)) };
        let right = Good { status: Some(StatusBound(400)), latency: None };
        let none: Option<u64> = None;
        // What it came to, ms to the head, ms to the end, what is good; error, slow, cancelled.
        let cases = [
            (Some(Outcome::Status(200)), Some(10), 20, both, "good"),
            (Some(Outcome::Status(200)), Some(399), 9_000, both, "good"),
            (Some(Outcome::Status(200)), Some(400), 401, both, "slow"),
            (Some(Outcome::Status(499)), Some(10), 20, both, "good"),
            (Some(Outcome::Status(500)), Some(10), 20, both, "error"),
            (Some(Outcome::Status(503)), Some(800), 900, both, "error"),
            (Some(Outcome::Status(503)), Some(10), 20, fast, "good"),
            (Some(Outcome::Status(404)), Some(10), 20, right, "error"),
            (Some(Outcome::Status(200)), Some(29_999), 40_000, right, "good"),
            (Some(Outcome::Status(200)), Some(30_000), 40_000, right, "slow"),
            (Some(Outcome::Success), none, 20, both, "good"),
            (Some(Outcome::Success), none, 400, both, "slow"),
            (Some(Outcome::Failure), none, 20, fast, "error"),
            (Some(Outcome::Failure), Some(10), 20, both, "error"),
            (None, none, 399, both, "cancelled"),
            (None, none, 400, both, "slow"),
            (None, Some(10), 399, both, "cancelled"),
            (None, Some(10), 400, both, "error"),
            (None, Some(500), 600, both, "slow"),
        ];
        for (outcome, head, elapsed, good, expected) in cases {
            let ended =
                Ended { outcome, head: head.map(Duration::from_millis), elapsed: Duration::from_millis(elapsed) };
            let judgement = format!("{:?}", ended.judge(&good)).to_lowercase();
            assert_eq!(judgement, expected, "{ended:?} by {good:?}");
        }
    }
}
