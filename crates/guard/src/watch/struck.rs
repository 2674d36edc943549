//! Of how many struck requests the outcome is known for sure.
//!
//! A struck request that turns out bad may take as long as the SLO lets a request take. Those that are well by now would
//! make a run look resilient in its first seconds; so while it goes on, harm is shared out among those alone that were
//! struck before so long.

use std::collections::VecDeque;

use daybreak_model::wire::{OPEN_MAX, deadline};
use jiff::{SignedDuration, Timestamp};

use crate::evidence::resilience::HarmBounds;
use crate::run::Run;
use crate::span::signed;

/// Two notes are at least this far apart.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// How many had been struck by when. The first is the last one whose outcomes are all known, once there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Struck(VecDeque<(Timestamp, u64)>);

impl Struck {
    pub(super) fn note(&mut self, run: &Run, struck: u64, now: Timestamp) {
        if self.0.back().is_none_or(|(at, _)| now.duration_since(*at) >= STEP) {
            self.0.push_back((now, struck));
        }
        while self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= known_after(run)) {
            self.0.pop_front();
        }
    }

    /// Bounds of harm as they are while a run goes on: where `struck` requests were struck by now.
    pub(super) fn while_it_goes_on(&self, run: &Run, bounds: HarmBounds, struck: u64, now: Timestamp) -> HarmBounds {
        let known = self.known(run, now).max(1);
        HarmBounds { upper: (bounds.upper * count(struck) / count(known)).clamp(-1.0, 1.0), ..bounds }
    }

    /// How many more there must be of which the outcome is known, where harm of these bounds is to be ruled out.
    pub(super) fn wanting(&self, run: &Run, bounds: HarmBounds, struck: u64, now: Timestamp) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, rounded up")]
        let needed = (bounds.upper * count(struck) / run.tolerated().ratio()).ceil() as u64;
        needed.saturating_sub(self.known(run, now))
    }

    fn known(&self, run: &Run, now: Timestamp) -> u64 {
        let first = self.0.front().filter(|(at, _)| now.duration_since(*at) >= known_after(run));
        first.map_or(0, |(_, struck)| *struck)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
fn count(of: u64) -> f64 {
    of as f64
}

/// How long a request may take until it is bad.
fn known_after(run: &Run) -> SignedDuration {
    signed(run.guard.as_ref().map_or(OPEN_MAX, |guard| deadline(&guard.slo.sli.good)))
}
