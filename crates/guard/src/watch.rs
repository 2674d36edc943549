//! Watching over an active run: what its counts, its budget and its people say, and whether that ends it.
//!
//! [`Watch::look`] is called at each tick, and when clients have reported. Whatever comes first ends the run, in the order of what is worst: harm is
//! looked for before a lack of data is.

mod sight;
mod struck;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use daybreak_model::{Cause, Ended, Percentage, StopWhen, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::admission::RefusalCode;
use crate::clients::LOST_CLIENTS_MAX;
use crate::evidence::{Arms, Because, Evidence, Finding, GuardedMetric, Outcomes, Stage, harm, ratio, resilience};
use crate::readable::e_value;
use crate::run::{Event, Guarded, Run};

pub use sight::{BudgetSight, PeopleSight, Sight};
use struck::Struck;

/// So long after its start the reports of a run may still be on their way.
pub const SETTLING: SignedDuration = SignedDuration::from_secs(15);
/// Without a report for so long, a run is blind.
pub const SILENT_AFTER: SignedDuration = SignedDuration::from_secs(5);
/// A run is blind where a client has counted something of it, goes on reporting, and for so long does not say what.
pub const MISSING_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// With fewer eligible requests in its first minute, a run's traffic says nothing by falling.
pub const FIRST_MINUTE_MIN: u64 = 100;
/// Moments of a timeline.
const TIMELINE_MAX: i64 = 60;
/// How often it is noted how many requests there were.
const SEEN_EVERY: SignedDuration = SignedDuration::from_millis(500);
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// What is remembered of a run from look to look.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    evidence: Evidence,
    /// Struck requests by when they were seen, since when outcomes may still be unknown.
    struck: Struck,
    /// Eligible requests by when they were seen, over the last minute.
    seen: VecDeque<(Timestamp, u64)>,
    first_minute: Option<u64>,
    timeline: Vec<Moment>,
}

/// What was seen at one moment; cumulative over the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The ramp stage.
    pub stage: u32,
    /// Eligible and drawn.
    pub treated: Outcomes,
    /// Eligible and not drawn.
    pub control: Outcomes,
    /// The greatest e-value of harm so far, as its natural logarithm.
    pub harm_ln_e: f64,
    /// The upper bound of harm, as a share of struck requests; none while nothing is struck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub harm_upper: Option<f64>,
}

impl Watch {
    /// Takes a look. The event that ends the run, if there is one.
    pub fn look(&mut self, run: &Run, sight: &Sight) -> Option<Event> {
        let (arms, requests) = (sight.arms(), sight.requests());
        // Where nobody reports, what is open counts as bad everywhere: that is no evidence of harm.
        let blind = blind(run, sight).or_else(|| half_blind(sight));
        if let Some((cause, reason)) = blind.filter(|_| run.guard.is_some()) {
            return Some(Event::Guard { cause, reason });
        }
        let shown = self.evidence.look(arms);
        self.note(run, arms, requests, sight.now);
        let guarded = run.guard.as_ref()?;
        let by_evidence = || shown.map(|cause| self.shown(run, cause));
        let by_spend = || spent(run, guarded, requests);
        let by_budget = || burning(guarded, sight);
        let by_people = || paged(run, guarded, sight);
        let by_traffic = || self.dwindled(requests);
        let aborts: [&dyn Fn() -> Option<(Cause, String)>; 5] =
            [&by_evidence, &by_spend, &by_budget, &by_people, &by_traffic];
        let abort = aborts.into_iter().find_map(|abort| abort());
        let (cause, reason) = match abort {
            Some(abort) => abort,
            None => return self.shows_resilience(run, guarded, sight).then_some(Event::Resilient),
        };
        Some(Event::Guard { cause, reason })
    }

    /// What the run shows so far.
    #[must_use]
    pub fn finding(&self, run: &Run, sight: &Sight) -> Finding {
        let mut finding = self.evidence.finding(sight.arms(), run.tolerated());
        let (struck, bounds) = (finding.treated.outcomes.struck, finding.harm);
        if !sight.over {
            finding.harm = bounds.map(|bounds| self.struck.while_it_goes_on(run, bounds, struck, sight.now));
        }
        let is_known = finding.harm.is_none_or(|harm| harm.upper <= run.tolerated().ratio());
        let because = match (finding.verdict, bounds) {
            // Nothing was struck, so what looks like harm is the instrument's, as in `shown`.
            (Verdict::Harmful, _) if run.spec.shadow => Because::InstrumentationBroken,
            (Verdict::Resilient, bounds) => match (unseen(run, sight), bounds) {
                (Some(unseen), _) => unseen,
                (None, Some(bounds)) if !is_known => {
                    Because::TooFewRequests { treated: self.struck.wanting(run, bounds, struck, sight.now) }
                }
                _ => return finding,
            },
            _ => return finding,
        };
        Finding { verdict: Verdict::Inconclusive, because, ..finding }
    }

    /// What was seen over time; the first first.
    #[must_use]
    pub fn timeline(&self) -> &[Moment] {
        &self.timeline
    }

    /// Takes a last look, at what counts after the run's end.
    pub fn look_last(&mut self, run: &Run, sight: &Sight) {
        let _ = self.evidence.look(sight.arms());
        self.timeline.push(self.moment(run, sight.arms(), sight.now));
    }

    fn note(&mut self, run: &Run, arms: &Arms, requests: &Arms, now: Timestamp) {
        self.struck.note(run, arms.treated().struck, now);
        let eligible = requests.treated().requests.saturating_add(requests.control().requests);
        if self.seen.back().is_none_or(|(at, _)| now.duration_since(*at) >= SEEN_EVERY) {
            self.seen.push_back((now, eligible));
        }
        while self.seen.front().is_some_and(|(at, _)| now.duration_since(*at) > MINUTE) {
            self.seen.pop_front();
        }
        let age = now.duration_since(run.started_at);
        if self.first_minute.is_none() && age >= MINUTE {
            self.first_minute = Some(eligible);
        }
        let length = run.ends_at.duration_since(run.started_at).as_secs();
        let step = SignedDuration::from_secs((length / TIMELINE_MAX).max(1));
        let due = self.timeline.last().is_none_or(|last| now.duration_since(last.at) >= step);
        if due {
            let moment = self.moment(run, arms, now);
            self.timeline.push(moment);
        }
    }

    fn moment(&self, run: &Run, arms: &Arms, now: Timestamp) -> Moment {
        let bounds = resilience::harm(arms, resilience::ALPHA);
        let known = |bounds| self.struck.while_it_goes_on(run, bounds, arms.treated().struck, now);
        let bounds = if run.is_active() { bounds.map(known) } else { bounds };
        Moment {
            at: now,
            stage: run.stage,
            treated: arms.treated(),
            control: arms.control(),
            harm_ln_e: self.evidence.harm().ln(),
            harm_upper: bounds.map(|bounds| bounds.upper),
        }
    }

    /// What the evidence has shown, in words. A shadow run strikes nothing, so that harm in it is the instrument's.
    fn shown(&self, run: &Run, cause: Cause) -> (Cause, String) {
        match cause {
            Cause::Harm if run.spec.shadow => (
                Cause::InstrumentationBroken,
                "the treated arm of this shadow run does worse, though nothing is struck: the arms are not alike"
                    .to_owned(),
            ),
            Cause::Harm => (
                cause,
                format!(
                    "treated requests do worse: the e-value of harm is {}, where {:.0} ends a run",
                    e_value(self.evidence.harm().ln()),
                    harm::THRESHOLD
                ),
            ),
            _ => (
                cause,
                format!(
                    "the arms do not come out as drawn: the e-value of their sizes is {}, where {:.0} ends a run",
                    e_value(self.evidence.ratio().ln()),
                    ratio::THRESHOLD
                ),
            ),
        }
    }

    /// Eligible traffic over the last minute, against the first one.
    fn dwindled(&self, requests: &Arms) -> Option<(Cause, String)> {
        let first = self.first_minute.filter(|first| *first >= FIRST_MINUTE_MIN)?;
        let (began, before) = *self.seen.front()?;
        let (ended, _) = *self.seen.back()?;
        let eligible = requests.treated().requests.saturating_add(requests.control().requests);
        let last = eligible.saturating_sub(before);
        let whole = ended.duration_since(began) >= MINUTE - SignedDuration::from_secs(2);
        (whole && last.saturating_mul(2) < first).then(|| {
            let sentence = format!(
                "{last} requests were eligible in the last minute, {first} in the first one: either reports are missing, or users"
            );
            (Cause::StaleReports, sentence)
        })
    }

    fn shows_resilience(&self, run: &Run, guarded: &Guarded, sight: &Sight) -> bool {
        let wanted = guarded.policy.stop_when == Some(StopWhen::Resilient) && !run.spec.shadow;
        wanted && self.finding(run, sight).verdict == Verdict::Resilient
    }
}

/// Why not all of a run was seen, so that no resilience is read from what was.
fn unseen(run: &Run, sight: &Sight) -> Option<Because> {
    let ended = unseen_by_end(run);
    let lost = || (sight.lost >= LOST_CLIENTS_MAX).then_some(Because::ClientsLost);
    ended.or_else(lost).or_else(|| sight.incomplete.then_some(Because::ArmsMissing))
}

/// The same by what ended it: who went silent may have done so by the fault.
#[must_use]
pub fn unseen_by_end(run: &Run) -> Option<Because> {
    match run.end.as_ref()?.ended {
        Ended::Aborted(Cause::ClientsLost) => Some(Because::ClientsLost),
        Ended::Aborted(Cause::StaleReports) => Some(Because::StaleReports),
        _ => None,
    }
}

/// Treated requests that were bad, gross, against what the run may spend. A shadow run spends nothing.
fn spent(run: &Run, guarded: &Guarded, requests: &Arms) -> Option<(Cause, String)> {
    let bad = requests.treated().bad_in(&[GuardedMetric::Error, GuardedMetric::Slow]);
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
    let over = !run.spec.shadow && bad > 0 && bad as f64 >= guarded.spend_max;
    over.then(|| {
        let share = guarded.policy.max_spend;
        let sentence = format!(
            "{bad} treated requests were bad; {share} of the error budget of `{}` are {:.1}",
            guarded.policy.slo, guarded.spend_max
        );
        (Cause::BudgetSpent, sentence)
    })
}

fn burning(guarded: &Guarded, sight: &Sight) -> Option<(Cause, String)> {
    let (slo, budget) = (&guarded.policy.slo, sight.budget?);
    if budget.burns_fast || budget.burning {
        let over = if budget.burns_fast { "5 minutes" } else { "an hour" };
        return Some((Cause::Burning, format!("the error budget of `{slo}` burns too fast, over {over}")));
    }
    budget.stale.then(|| {
        let sentence = format!("the indicator of `{slo}` has brought nothing that can be read lately");
        (Cause::StaleReports, sentence)
    })
}

/// On any new page of the guard's on-call, and where its budget leaves no more room; unless that was waived.
fn paged(run: &Run, guarded: &Guarded, sight: &Sight) -> Option<(Cause, String)> {
    let on_call = guarded.policy.on_call.as_ref().filter(|_| !run.waives(RefusalCode::PeopleBudget))?;
    let sentence = match sight.people.pages {
        0 => sight.people.no_room.clone()?,
        _ => format!("`{on_call}` was paged while it ran"),
    };
    Some((Cause::Paged, sentence))
}

/// Without a report nobody knows what the run does.
fn blind(run: &Run, sight: &Sight) -> Option<(Cause, String)> {
    let silence = sight.now.duration_since(sight.last_report.unwrap_or(run.started_at));
    // A wall clock that was put back to before the start leaves no run unseen.
    let settled = sight.now < run.started_at || sight.now.duration_since(run.started_at) >= SETTLING;
    (settled && silence >= SILENT_AFTER).then(|| {
        let sentence = format!("no client that takes part has reported for {} s", silence.as_secs());
        (Cause::StaleReports, sentence)
    })
}

/// Nor does anybody where what was counted does not come, whatever else is reported.
fn half_blind(sight: &Sight) -> Option<(Cause, String)> {
    let waited = sight.now.duration_since(sight.missing_since?);
    (waited >= MISSING_AFTER).then(|| {
        let sentence = format!(
            "a client has counted requests of this run, and for {} s its reports have not said what became of them",
            waited.as_secs()
        );
        (Cause::StaleReports, sentence)
    })
}

/// What makes an arm of a run: a stage with its share, and the counts of both sides.
fn stage(percentage: Percentage, treated: Outcomes, control: Outcomes) -> Stage {
    Stage { percentage, treated, control }
}
