//! Admission: everything that stands against a start, at once.

mod checks;
mod guard;
mod refusal;
mod sticky;
mod warnings;

use std::collections::BTreeSet;

use daybreak_model::{Fault, Hours, Key, Millis, Percentage, RunId};
use jiff::{SignedDuration, Timestamp};

use crate::blast_radius::Share;
use crate::clients::{FaultPoint, KeysSeen};

pub use guard::{GuardFacts, unknown_on_call};
pub use refusal::{Refusal, RefusalCode, Warning, WarningCode};

/// The environment in which `guard: none` is refused.
pub const PRODUCTION: &str = "production";

/// So long after a server's start its clients may not have told yet what they know: they do with their first reports.
pub const HEARING: SignedDuration = SignedDuration::from_secs(30);

/// What admission needs to know. Control fills it from one state of the server.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The time of the start.
    pub now: Timestamp,
    /// The server's environment.
    pub environment: &'a str,
    /// The longest run that the server allows (`--max-run`).
    pub max_run: Millis,
    /// The share of a place's root requests that all runs together may touch (`--max-blast-radius`).
    pub max_blast_radius: Percentage,
    /// The fault.
    pub fault: &'a Fault,
    /// The calendar that the fault names; none where there is none, which refuses.
    pub hours: Option<&'a Hours>,
    /// The segments that no fault touches.
    pub protect: &'a BTreeSet<Key>,
    /// When clients could first report to this server.
    pub listening_since: Timestamp,
    /// What was asked for.
    pub start: Start<'a>,
    /// Why everything is halted, if it is; empty where nobody said why.
    pub halted: Option<&'a str>,
    /// What the live clients report of the fault's point:
    /// [`fault_point`](crate::clients::fault_point).
    pub point: FaultPoint,
    /// The point that live clients know whose name is nearest, where none knows this one.
    pub near_point: Option<Key>,
    /// What is known of the values of the attribute that the fault draws by; none where nobody counts them.
    pub keys: Option<KeysSeen>,
    /// What the run would touch, beside the active runs: [`shares`](crate::blast_radius::shares), for the
    /// percentage of [`Start::percentage`].
    pub shares: Vec<Share>,
    /// The active runs on the same point, and when they end at the latest.
    pub busy: Vec<(RunId, Timestamp)>,
    /// When the last run on the same point ended, if one did since the server started.
    pub last_ended_at: Option<Timestamp>,
    /// What is known of what its guard names; none where it has no guard.
    pub guard: Option<GuardFacts<'a>>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start<'a> {
    /// A percentage below the fault's.
    pub percentage: Option<Percentage>,
    /// A duration below the fault's.
    pub duration: Option<Millis>,
    /// Draw and count, strike nothing.
    pub shadow: bool,
    /// Why refusals that can be waived should be.
    pub override_reason: Option<&'a str>,
    /// Whether the one who asks may override: an admin.
    pub may_override: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// The percentage to run with.
    pub percentage: Percentage,
    /// How long to run.
    pub duration: Millis,
    /// What stands against it; it may start if there is nothing.
    pub refusals: Vec<Refusal>,
    /// What stood against it, and was waived.
    pub waived: Vec<Refusal>,
    /// What the one who asks should know.
    pub warnings: Vec<Warning>,
}

impl Start<'_> {
    /// The percentage to run with: what was asked for, else the fault's.
    #[must_use]
    pub fn percentage(&self, fault: &Fault) -> Percentage {
        self.percentage.unwrap_or(fault.percentage)
    }

    /// How long to run: what was asked for, else the fault's longest.
    #[must_use]
    pub fn duration(&self, fault: &Fault) -> Millis {
        self.duration.unwrap_or(fault.max_duration)
    }

    /// Whether refusals that can be waived are.
    fn overrides(&self) -> bool {
        self.may_override && self.override_reason.is_some_and(|reason| !reason.trim().is_empty())
    }
}

impl Facts<'_> {
    /// Until when clients may not have told yet what they know, where that is still to come.
    fn hearing_until(&self) -> Option<Timestamp> {
        let until = self.listening_since.checked_add(HEARING).ok()?;
        (self.now < until).then_some(until)
    }
}

impl Admission {
    /// Whether the run may start.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        self.refusals.is_empty()
    }

    /// The codes of what was waived: the run pins them.
    #[must_use]
    pub fn waived_codes(&self) -> Vec<RefusalCode> {
        self.waived.iter().map(|refusal| refusal.code).collect()
    }
}

/// Whether a fault may start.
#[must_use]
pub fn admit(facts: &Facts<'_>) -> Admission {
    let all = checks::refusals(facts);
    let overrides = facts.start.overrides();
    let (waived, refusals) = all.into_iter().partition(|refusal| overrides && refusal.waivable);
    Admission {
        percentage: facts.start.percentage(facts.fault),
        duration: facts.start.duration(facts.fault),
        refusals,
        waived,
        warnings: warnings::warnings(facts),
    }
}

/// The key of the calendar, for sentences.
fn hours_key<'a>(facts: &Facts<'a>) -> &'a Key {
    &facts.fault.hours
}

#[cfg(test)]
mod tests;
