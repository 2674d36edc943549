//! What the fault's guard has against a start: budgets of customers and of people, and what nobody could watch.

use std::collections::BTreeSet;

use daybreak_model::limits::RUN_DURATION_MAX;
use daybreak_model::{DrawBy, Guard, GuardPolicy, Key, Millis, RunId, Slo};

use super::checks::{JUST_STARTED, refusal};
use super::{Facts, PRODUCTION, Refusal, RefusalCode, Warning, WarningCode};
use crate::budget::{Lack, RATE_OVER, State, Status};
use crate::evidence::resilience::{Plan, treated_needed};
use crate::people::PeopleState;
use crate::readable::exact_percent;
use crate::span::after;

/// What is known of what a fault's guard names.
#[derive(Clone, Debug)]
pub struct GuardFacts<'a> {
    /// The SLO; none where there is none of that key.
    pub slo: Option<&'a Slo>,
    /// Where its budget stands.
    pub budget: Option<&'a Status>,
    /// The share of that budget that is set aside for active runs, from 0 up.
    pub reserved: f64,
    /// Whether the source of the SLO's indicator has brought something lately.
    pub fresh: bool,
    /// How the on-call stands; none where the guard names none, or there is none of that key.
    pub people: Option<&'a PeopleState>,
    /// Whether a live client counts outcomes for the SLO as it is now.
    pub arms_reported: bool,
    /// Whether a shadow run on the point has run its course.
    pub shadow_done: bool,
    /// Why the last shadow run on the point does not count, in words; none where there was none.
    pub shadow_lacks: Option<&'a str>,
    /// The services that are roots of the SLO's requests: those with a live client that counts outcomes for it.
    pub roots: BTreeSet<&'a str>,
    /// The active runs that count the same requests, and strike.
    pub sharing: Vec<RunId>,
    /// Requests per second that could be eligible; none where that is not known.
    pub eligible_per_second: Option<f64>,
}

pub(super) fn refusals(facts: &Facts<'_>) -> Vec<Refusal> {
    let policy = match &facts.fault.guard {
        Guard::Policy(policy) => policy,
        Guard::None if facts.environment == PRODUCTION => return vec![required()],
        Guard::None => return Vec::new(),
    };
    let Some(guard) = &facts.guard else {
        let sentence = "nothing is known of what its guard names, and what is not known is not fine";
        return vec![refusal(RefusalCode::InsufficientData, sentence, "ask again")];
    };
    let mut all = people(facts, policy, guard);
    all.extend(telemetry(facts, policy, guard));
    all.extend(budget(facts, policy, guard));
    all.extend(shadow_first(facts, guard));
    all
}

fn required() -> Refusal {
    let sentence = format!("the fault says `guard: none`, which `{PRODUCTION}` does not allow");
    refusal(RefusalCode::GuardRequired, sentence, "give the fault a guard")
}

/// Budgets of people: refusals of theirs may be waived.
fn people(facts: &Facts<'_>, policy: &GuardPolicy, guard: &GuardFacts<'_>) -> Vec<Refusal> {
    let Some(on_call) = &policy.on_call else { return Vec::new() };
    let Some(people) = guard.people else {
        let clears = format!("define the on-call `{on_call}`");
        return vec![refusal(RefusalCode::PeopleBudget, unknown_on_call(on_call), clears)];
    };
    let ends_at = after(facts.now, facts.start.duration(facts.fault).min(RUN_DURATION_MAX));
    let reasons = people.refuses_start(ends_at).into_iter();
    let refused = reasons.map(|reason| Refusal {
        clears_at: reason.clears_at,
        waivable: true,
        ..refusal(RefusalCode::PeopleBudget, reason.sentence, reason.clears)
    });
    refused.collect()
}

/// What is said of an on-call that is not there.
#[must_use]
pub fn unknown_on_call(on_call: &Key) -> String {
    format!("the on-call `{on_call}` or its hours are not there, so nobody knows how it fares")
}

/// What cannot be seen cannot be guarded; that is never waived.
fn telemetry(facts: &Facts<'_>, policy: &GuardPolicy, guard: &GuardFacts<'_>) -> Vec<Refusal> {
    let slo = &policy.slo;
    let Some(status) = guard.budget.filter(|_| guard.slo.is_some()) else {
        let sentence = format!("the SLO `{slo}` is not there, so nothing says what users feel");
        return vec![refusal(RefusalCode::InsufficientData, sentence, format!("define the SLO `{slo}`"))];
    };
    let mut all = Vec::new();
    if !guard.arms_reported {
        all.push(no_arms(facts, guard));
    }
    if !guard.fresh {
        let sentence = format!("the source of the SLO `{slo}` has brought nothing that can be read lately");
        all.push(refusal(RefusalCode::InsufficientData, sentence, "look at GET /api/v1/slos/{key}/status"));
    } else if status.state == State::InsufficientData {
        all.push(refusal(RefusalCode::InsufficientData, too_few(slo, status), "wait for traffic, or send some"));
    }
    all
}

/// How many requests an SLO lacks, and for how long at the rate of now.
fn too_few(slo: &Key, status: &Status) -> String {
    let lacking = status.lacking();
    let windows: Vec<_> =
        lacking.iter().map(|lack| format!("{} of {} in {}", lack.requests, lack.needed, lack.window)).collect();
    let rate = status.rate();
    let wait = |lack: &Lack| {
        let seconds = rate.map(|rate| lack.missing() / rate)?;
        // What comes in is gone again before it is enough.
        (seconds <= lack.seconds).then_some(seconds)
    };
    let waits: Option<Vec<f64>> = lacking.iter().map(wait).collect();
    let when = match waits {
        Some(waits) => {
            let longest = waits.into_iter().fold(0.0, f64::max);
            format!("that takes about {} more at the rate of the last {RATE_OVER}", minutes(longest))
        }
        None if rate.is_none() => format!("none came within the last {RATE_OVER}"),
        None => format!("the rate of the last {RATE_OVER} is too low for that"),
    };
    format!("the SLO `{slo}` has too few requests to tell whether its budget burns: {}; {when}", windows.join(", "))
}

/// A time to come, in whole minutes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn minutes(seconds: f64) -> Millis {
    Millis::from_secs(((seconds / 60.0).ceil() as u64).clamp(1, 1_000_000) * 60)
}

fn no_arms(facts: &Facts<'_>, guard: &GuardFacts<'_>) -> Refusal {
    let operation = guard.slo.map(|slo| slo.sli.operation.as_str()).unwrap_or_default();
    let hearing = facts.hearing_until();
    let (sentence, clears) = match hearing {
        Some(_) => (
            format!(
                "no client has told this server yet what its requests of `{operation}` come to; it has just started"
            ),
            JUST_STARTED,
        ),
        None => (
            format!(
                "no live client counts what its requests of `{operation}` come to, so the arms could not be told apart"
            ),
            "open a scope around the root's requests: the SDK's middleware does",
        ),
    };
    Refusal { clears_at: hearing, ..refusal(RefusalCode::NoArms, sentence, clears) }
}

fn budget(facts: &Facts<'_>, policy: &GuardPolicy, guard: &GuardFacts<'_>) -> Vec<Refusal> {
    let (slo, Some(status)) = (&policy.slo, guard.budget) else { return Vec::new() };
    let mut all = Vec::new();
    if status.is_burning() {
        let firing = status.alerts.iter().filter(|alert| alert.firing);
        let rates: Vec<_> = firing
            .map(|alert| {
                let rate = alert.long.rate.unwrap_or_default();
                format!(
                    "{rate:.1} times as fast as it lasts over {}, where {:.1} is too fast",
                    alert.long.window, alert.factor
                )
            })
            .collect();
        let sentence = format!("the error budget of `{slo}` is burning: {}", rates.join("; "));
        all.push(refusal(RefusalCode::Burning, sentence, "mend what burns it; then wait until it does no more"));
    }
    let own = if facts.start.shadow { 0.0 } else { policy.max_spend.ratio() };
    let (Some(now), Some(left)) = (status.remaining, status.remaining_after(guard.reserved + own)) else { return all };
    // What is below a hundred-thousandth is rounding.
    if status.state != State::InsufficientData && left + 1e-5 < policy.min_budget.ratio() {
        all.push(low(slo, now, guard.reserved, own, policy));
    }
    all
}

fn low(slo: &Key, left: f64, reserved: f64, own: f64, policy: &GuardPolicy) -> Refusal {
    let sentence = format!(
        "{} of the error budget of `{slo}` are left; {} are set aside for active runs and {} for this one, and {} must be left \
         after that",
        exact_percent(left),
        exact_percent(reserved),
        exact_percent(own),
        policy.min_budget
    );
    let clears = if reserved > 0.0 {
        "wait until other runs end, or until bad requests leave the window"
    } else {
        "wait until bad requests leave the window"
    };
    Refusal { waivable: true, ..refusal(RefusalCode::BudgetLow, sentence, clears) }
}

/// A run that strikes nothing comes first: it shows that the arms can be told apart, and what they are like.
fn shadow_first(facts: &Facts<'_>, guard: &GuardFacts<'_>) -> Option<Refusal> {
    (!facts.start.shadow && !guard.shadow_done).then(|| {
        refusal(
            RefusalCode::ShadowFirst,
            match guard.shadow_lacks {
                Some(lacks) => format!("no shadow run on the fault point `{}` counts yet; {lacks}", facts.fault.point),
                None => format!("no shadow run on the fault point `{}` has run its course yet", facts.fault.point),
            },
            "start one: `{\"shadow\": true}`; it draws and counts, and strikes nothing",
        )
    })
}

/// Too little traffic for a verdict in that time.
pub(super) fn cannot_conclude(facts: &Facts<'_>) -> Option<Warning> {
    let (Guard::Policy(policy), Some(guard)) = (&facts.fault.guard, &facts.guard) else { return None };
    let status = guard.budget?;
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
    let base_rate = if status.total == 0 { 0.0 } else { status.bad as f64 / status.total as f64 };
    let rho = facts.start.percentage(facts.fault).ratio();
    if rho <= 0.0 || facts.start.shadow {
        return None;
    }
    let warning = |sentence| Some(Warning { code: WarningCode::CannotConclude, sentence });
    let sticky = matches!(facts.fault.by, DrawBy::Attribute(_));
    if sticky && is_ramped(facts) {
        let sentence = "a ramp moves keys from control to treated: the run may find harm, but cannot show resilience";
        return warning(sentence.to_owned());
    }
    let odds = if rho < 1.0 { rho / (1.0 - rho) } else { 0.0 };
    let needed = treated_needed(&Plan { base_rate, odds, struck_share: 1.0, harm: policy.harm.ratio() });
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
    let (units, treated) = match facts.keys.filter(|_| sticky) {
        Some(keys) => ("keys", keys.distinct as f64 * rho),
        None => ("requests", guard.eligible_per_second? * treated_seconds(facts)),
    };
    #[expect(clippy::cast_precision_loss, reason = "a forecast")]
    let enough = needed.is_some_and(|needed| treated >= needed as f64);
    if enough {
        return None;
    }
    let needs = needed.map_or_else(|| "more than there could be".to_owned(), |needed| format!("about {needed}"));
    warning(format!(
        "about {treated:.0} {units} would be treated, and to rule out harm of {} takes {needs}: the run may find harm, but will \
         hardly show resilience",
        policy.harm
    ))
}

fn is_ramped(facts: &Facts<'_>) -> bool {
    let asked = facts.start.percentage(facts.fault);
    facts.fault.ramp.steps().first().is_some_and(|step| step.percentage < asked)
}

/// The seconds of the run, each weighed by the share that it treats: a ramp treats less at first.
fn treated_seconds(facts: &Facts<'_>) -> f64 {
    let asked = facts.start.percentage(facts.fault);
    let mut left = facts.start.duration(facts.fault).to_duration().as_secs_f64();
    let mut sum = 0.0;
    for step in facts.fault.ramp.steps().iter().take_while(|step| step.percentage < asked) {
        let length = step.length.to_duration().as_secs_f64().min(left);
        sum += length * step.percentage.ratio();
        left -= length;
    }
    sum + left * asked.ratio()
}

#[cfg(test)]
mod tests;
