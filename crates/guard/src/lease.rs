//! Leases: whether a client may inject, and what.
//!
//! The server grants only while its guard and its store are known to work: a guard that is stuck, or a store
//! without quorum, lets every lease lapse.

use daybreak_model::limits::{FAULTS_IN_FLIGHT_MAX, GUARD_TICK_AGE_MAX};
use daybreak_model::wire::{Enveloped, Report, RunGrant};
use jiff::Timestamp;

use crate::run::Run;
use crate::span::signed;

/// What the server knows about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions<'a> {
    /// The server's environment.
    pub environment: &'a str,
    /// When the guard last finished a tick.
    pub guard_ticked_at: Option<Timestamp>,
    /// When the store last confirmed that this server leads: the moment before it was asked.
    pub leader_confirmed_at: Option<Timestamp>,
    /// Whether everything is halted.
    pub halted: bool,
}

/// Why the server grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// Everything is halted.
    Halted,
    /// The guard has not ticked within [`GUARD_TICK_AGE_MAX`].
    GuardStale,
    /// The store has not confirmed the leadership within [`GUARD_TICK_AGE_MAX`].
    LeadershipStale,
    /// The client has seen another environment.
    OtherEnvironment,
    /// The client does not inject: its process forbids it.
    FaultsForbidden,
    /// The client says goodbye.
    Goodbye,
}

/// Whether the server may grant anything at all to the client that sent this report.
///
/// # Errors
/// The first reason why not: the reply then has a lease of zero, and lists no run.
pub fn may_grant(conditions: &Conditions<'_>, report: &Report, now: Timestamp) -> Result<(), Withheld> {
    // A clock that was put back does not make an old tick fresh.
    let fresh = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at).abs() <= signed(GUARD_TICK_AGE_MAX));
    let other_environment = report.environment.as_deref().is_some_and(|seen| seen != conditions.environment);
    let reasons = [
        (conditions.halted, Withheld::Halted),
        (!fresh(conditions.guard_ticked_at), Withheld::GuardStale),
        (!fresh(conditions.leader_confirmed_at), Withheld::LeadershipStale),
        (other_environment, Withheld::OtherEnvironment),
        (!report.faults.allowed, Withheld::FaultsForbidden),
        (report.goodbye, Withheld::Goodbye),
    ];
    reasons.into_iter().find(|(stands, _)| *stands).map_or(Ok(()), |(_, withheld)| Err(withheld))
}

/// What the reply to a report lists: each run that is active and whose time is not up, with its specification
/// unless the client has it. Nothing where [`may_grant`] says no; and no run that the client has without saying how much it
/// has counted of it, since nobody would know what does not come.
#[must_use]
pub fn grants<'r>(
    conditions: &Conditions<'_>,
    runs: impl IntoIterator<Item = &'r Run>,
    report: &Report,
    now: Timestamp,
) -> Vec<RunGrant> {
    if may_grant(conditions, report, now).is_err() {
        return Vec::new();
    }
    let has = |run: &Run| report.runs.contains(&run.id);
    let active = runs.into_iter().filter(|run| run.is_active() && now < run.ends_at);
    let told = active.filter(|run| !has(run) || report.counted.contains_key(&run.id));
    told.filter_map(|run| grant(run, has(run))).collect()
}

/// A run whose specification has no JSON form is granted to nobody.
fn grant(run: &Run, known: bool) -> Option<RunGrant> {
    let spec = if known { None } else { Some(Enveloped::new(run.revision, &run.spec).ok()?) };
    Some(RunGrant {
        id: run.id,
        stage: run.stage,
        percentage: run.percentage_of(run.stage),
        cap: FAULTS_IN_FLIGHT_MAX,
        ends_at: run.ends_at,
        spec,
    })
}

#[cfg(test)]
mod tests;
