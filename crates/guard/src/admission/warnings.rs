//! What stands against nothing, and the one who starts should know.

use super::{Facts, Warning, WarningCode, guard};

pub(super) fn warnings(facts: &Facts<'_>) -> Vec<Warning> {
    let point = &facts.point;
    let forbidding = point.clients.saturating_sub(point.permitting);
    let unmeasured = facts.shares.iter().filter(|share| !share.measured).count();
    let candidates = [
        (
            point.clients > 0 && point.passes == 0,
            WarningCode::NoTraffic,
            "no request has passed the fault point yet; the run may strike nothing".to_owned(),
        ),
        (
            unmeasured > 0,
            WarningCode::BlastRadiusUnmeasured,
            match unmeasured {
                1 => "in one place it is not known how many requests pass the point; all were assumed to".to_owned(),
                _ => format!(
                    "in {unmeasured} places it is not known how many requests pass the point; all were assumed to"
                ),
            },
        ),
        (
            forbidding > 0 && point.permitting > 0,
            WarningCode::FaultsForbidden,
            format!("{forbidding} of {} live clients that know the point forbid faults there", point.clients),
        ),
        (
            point.unscoped > 0,
            WarningCode::Unscoped,
            format!(
                "{} of {} passes happened outside of a request; those are never struck",
                point.unscoped, point.passes
            ),
        ),
    ];
    let stands = candidates.into_iter().filter(|(stands, ..)| *stands);
    let stands = stands.map(|(_, code, sentence)| Warning { code, sentence });
    let of_guard = [guard::cannot_conclude(facts), needs_context(facts), shares_outcomes(facts), first_bad_ends(facts)];
    stands.chain(of_guard.into_iter().flatten()).collect()
}

/// A point behind the root sees no more of a request than its own scope was given.
fn needs_context(facts: &Facts<'_>) -> Option<Warning> {
    let roots = &facts.guard.as_ref()?.roots;
    let behind: Vec<&str> =
        facts.point.services.keys().map(String::as_str).filter(|service| !roots.contains(*service)).collect();
    let protected: Vec<_> = facts.protect.iter().map(|key| format!("`{key}`")).collect();
    let asks = [
        facts.fault.when.as_ref().map(|_| "the fault's `when`".to_owned()),
        (!protected.is_empty()).then(|| format!("the protected segments ({})", protected.join(", "))),
    ];
    let asks: Vec<_> = asks.into_iter().flatten().collect();
    let code = WarningCode::NeedsContext;
    (!(behind.is_empty() || asks.is_empty() || roots.is_empty())).then(|| Warning {
        code,
        sentence: format!(
            "in {} the point lies behind the root, and {} are looked at there again: a scope there that is given no context is \
             never struck",
            behind.join(", "),
            asks.join(" and ")
        ),
    })
}

/// What one run breaks counts against the other, too.
fn shares_outcomes(facts: &Facts<'_>) -> Option<Warning> {
    let guard = facts.guard.as_ref().filter(|guard| !guard.sharing.is_empty())?;
    let operation = guard.slo.map(|slo| slo.sli.operation.as_str()).unwrap_or_default();
    let runs: Vec<_> = guard.sharing.iter().map(ToString::to_string).collect();
    Some(Warning {
        code: WarningCode::SharesOutcomes,
        sentence: format!(
            "run {} counts the same requests of `{operation}`: each counts what the other breaks as bad, so either may spend the \
             other's budget and end it, and both take longer to a verdict",
            runs.join(", ")
        ),
    })
}

/// Of so little budget nothing is left after one bad request, whoever caused it.
fn first_bad_ends(facts: &Facts<'_>) -> Option<Warning> {
    let daybreak_model::Guard::Policy(policy) = &facts.fault.guard else { return None };
    let status = facts.guard.as_ref()?.budget.filter(|status| status.total > 0 && !facts.start.shadow)?;
    let spend = policy.max_spend.ratio() * status.allowed;
    (spend <= 1.0).then(|| Warning {
        code: WarningCode::FirstBadEnds,
        sentence: format!(
            "{} of the error budget of `{}` are {spend:.2} bad requests: the first treated request that is bad ends the run, \
             whatever made it bad",
            policy.max_spend, policy.slo
        ),
    })
}
