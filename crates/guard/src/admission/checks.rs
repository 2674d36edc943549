//! The reasons, one by one.

use daybreak_model::limits::COOL_DOWN;
use daybreak_model::{Percentage, RunId};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Facts, Refusal, RefusalCode, guard, hours_key, sticky};
use crate::blast_radius::{OVERRIDE_MAX, REQUESTS_MIN, Share};
use crate::hours::{self, Misfit};
use crate::readable::exact_percent;
use crate::span::after;

/// What to do where clients have only just begun to report.
pub(super) const JUST_STARTED: &str = "wait some seconds: clients are just beginning to report";

pub(super) fn refusals(facts: &Facts<'_>) -> Vec<Refusal> {
    let single =
        [halted(facts), disabled(facts), percentage(facts), sticky::insufficient_data(facts), no_clients(facts)];
    let mut all: Vec<_> = single.into_iter().flatten().collect();
    all.extend(guard::refusals(facts));
    all.extend(duration(facts));
    let of_hours = hours(facts);
    // What stands against a start by its hours is waived with them.
    let waives_hours = facts.start.overrides() && of_hours.iter().any(|refusal| refusal.waivable);
    all.extend(of_hours);
    all.extend([blast_radius(facts), point_busy(facts), cooling_down(facts, waives_hours)].into_iter().flatten());
    all.sort_by_key(|refusal| refusal.code);
    all
}

pub(super) fn refusal(code: RefusalCode, sentence: impl Into<String>, clears: impl Into<String>) -> Refusal {
    Refusal { code, sentence: sentence.into(), clears: clears.into(), clears_at: None, waivable: false }
}

fn halted(facts: &Facts<'_>) -> Option<Refusal> {
    let sentence = match facts.halted? {
        "" => "everything is halted".to_owned(),
        reason => format!("everything is halted: {reason}"),
    };
    Some(refusal(RefusalCode::Halted, sentence, "lift the halt: DELETE /api/v1/halt"))
}

fn disabled(facts: &Facts<'_>) -> Option<Refusal> {
    let clears = "enable it: `enabled: true`";
    (!facts.fault.enabled).then(|| refusal(RefusalCode::FaultDisabled, "the fault is disabled", clears))
}

fn percentage(facts: &Facts<'_>) -> Option<Refusal> {
    let (asked, allowed) = (facts.start.percentage(facts.fault), facts.fault.percentage);
    if asked == Percentage::ZERO {
        let (sentence, clears) = ("a run that treats 0% does nothing", "ask for a percentage, as in `1%`");
        return Some(refusal(RefusalCode::NoPercentage, sentence, clears));
    }
    (asked > allowed).then(|| {
        refusal(
            RefusalCode::PercentageRaised,
            format!("{asked} was asked for, the fault has {allowed}; a start may lower it, never raise it"),
            format!("ask for {allowed} or less, or change the fault"),
        )
    })
}

fn duration(facts: &Facts<'_>) -> Vec<Refusal> {
    let (asked, allowed) = (facts.start.duration(facts.fault), facts.fault.max_duration);
    let mut refusals = Vec::new();
    if asked.get() == 0 {
        let (sentence, clears) = ("a run of no duration does nothing", "ask for a duration, as in `10m`");
        refusals.push(refusal(RefusalCode::NoDuration, sentence, clears));
    }
    if asked > allowed {
        refusals.push(refusal(
            RefusalCode::DurationRaised,
            format!("{asked} was asked for, the fault lasts {allowed} at most; a start may lower it, never raise it"),
            format!("ask for {allowed} or less, or change the fault's `max_duration`"),
        ));
    }
    if asked > facts.max_run {
        let max_run = facts.max_run;
        refusals.push(refusal(
            RefusalCode::TooLong,
            format!("the run would last {asked}, this server allows {max_run}"),
            format!("ask for {max_run} or less, or start the server with a longer `--max-run`"),
        ));
    }
    refusals
}

fn hours(facts: &Facts<'_>) -> Vec<Refusal> {
    let key = hours_key(facts);
    let Some(hours) = facts.hours else {
        let sentence = format!("the hours `{key}` are not there, so nothing says that it is open");
        return vec![refusal(RefusalCode::OutsideHours, sentence, format!("define the hours `{key}`"))];
    };
    let local = |at: Timestamp| {
        let zone = TimeZone::get(&hours.time_zone).unwrap_or(TimeZone::UTC);
        at.to_zoned(zone).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
    };
    let duration = facts.start.duration(facts.fault);
    let describe = |misfit| match misfit {
        Misfit::Closed { opens_at } => Refusal {
            clears_at: opens_at,
            waivable: true,
            ..refusal(
                RefusalCode::OutsideHours,
                format!("the hours `{key}` are closed: it is {} there", local(facts.now)),
                opens_at.map_or_else(
                    || format!("they do not open within {} days; look at the calendar", hours::SEARCH_DAYS),
                    |opens_at| format!("they open on {}", local(opens_at)),
                ),
            )
        },
        Misfit::TooShort { closes_at, fits_at } => Refusal {
            clears_at: fits_at,
            waivable: true,
            ..refusal(
                RefusalCode::DoesNotFit,
                format!("the run would last {duration}, but the hours `{key}` close on {}", local(closes_at)),
                fits_at.map_or_else(
                    || "ask for a shorter run".to_owned(),
                    |fits_at| format!("ask for a shorter run, or start it from {} on", local(fits_at)),
                ),
            )
        },
        Misfit::CalendarEnds { known_until } => refusal(
            RefusalCode::CalendarEnds,
            format!("the holidays of the hours `{key}` are known until {} only", local(known_until)),
            "add the holidays that follow, and move `holidays_until`",
        ),
    };
    let misfits = hours::fits(hours, facts.now, duration).err().unwrap_or_default();
    misfits.into_iter().map(describe).collect()
}

fn no_clients(facts: &Facts<'_>) -> Option<Refusal> {
    let (point, known) = (&facts.fault.point, facts.point.clients);
    let hearing = facts.hearing_until().filter(|_| known == 0);
    let (sentence, clears) = match (facts.point.permitting, known) {
        (1.., _) => return None,
        (_, 0) if hearing.is_some() => (
            format!(
                "no client that knows the fault point `{point}` has reported to this server yet, which has just started"
            ),
            JUST_STARTED.to_owned(),
        ),
        (_, 0) => match &facts.near_point {
            Some(near) => (
                format!("no live client knows the fault point `{point}`; did you mean `{near}`?"),
                "mend the fault's `point`, or start the application that has it".to_owned(),
            ),
            None => (
                format!("no live client knows the fault point `{point}`"),
                "start the application that has it; GET /api/v1/fault-points shows what is known".to_owned(),
            ),
        },
        _ => (
            format!("{known} live clients know the fault point `{point}`, and all of them forbid faults there"),
            "permit faults in the application (`DAYBREAK_FAULTS`, the client's allow-list)".to_owned(),
        ),
    };
    Some(Refusal { clears_at: hearing, ..refusal(RefusalCode::NoClients, sentence, clears) })
}

fn blast_radius(facts: &Facts<'_>) -> Option<Refusal> {
    let limit = facts.max_blast_radius;
    let exceeding = || facts.shares.iter().filter(|share| share.exceeds(limit));
    let worst = exceeding().max_by(|a, b| a.total().total_cmp(&b.total()))?;
    let sentences: Vec<_> = exceeding().map(describe_share).collect();
    let highest = (limit.ratio() - worst.used).max(0.0) / worst.q;
    let clears = match worst.q {
        q if q > 0.0 && highest > 0.0 => {
            format!("ask for {} or less", exact_percent(floor_thousandths(100.0 * highest) / 100.0))
        }
        _ => "wait until the other runs have ended".to_owned(),
    };
    Some(Refusal {
        waivable: !worst.exceeds(OVERRIDE_MAX),
        ..refusal(
            RefusalCode::BlastRadius,
            format!("runs may touch {limit} of a service's requests; {}", sentences.join("; ")),
            clears,
        )
    })
}

fn floor_thousandths(value: f64) -> f64 {
    (value * 1_000.0 + 1e-6).floor() / 1_000.0
}

fn describe_share(share: &Share) -> String {
    let how = if share.measured {
        format!("up to {} of them pass the point", exact_percent(share.q))
    } else {
        format!("all of them might pass the point: sticky, or under {REQUESTS_MIN} requests in 15 minutes")
    };
    format!(
        "{} {}: {} asked for, {} used by other runs ({how})",
        share.place.service,
        share.place.operation,
        exact_percent(share.asked),
        exact_percent(share.used)
    )
}

fn point_busy(facts: &Facts<'_>) -> Option<Refusal> {
    let clears_at = facts.busy.iter().map(|(_, ends_at)| *ends_at).max()?;
    let runs: Vec<_> = facts.busy.iter().map(|(run, _): &(RunId, _)| run.to_string()).collect();
    Some(Refusal {
        clears_at: Some(clears_at),
        waivable: true,
        ..refusal(
            RefusalCode::PointBusy,
            format!("the fault point `{}` is taken by run {}", facts.fault.point, runs.join(", ")),
            "stop that run, or wait for its end",
        )
    })
}

fn cooling_down(facts: &Facts<'_>, waives_hours: bool) -> Option<Refusal> {
    let ended = facts.last_ended_at?;
    // Nobody looks while it is closed, so that does not count; unless the hours are waived.
    let counted = facts.hours.filter(|_| !waives_hours);
    let until = counted.map_or(Some(after(ended, COOL_DOWN)), |hours| hours::open_for(hours, ended, COOL_DOWN));
    let inside = counted.map_or_else(String::new, |_| format!(", counted inside the hours `{}`", hours_key(facts)));
    until.is_none_or(|until| facts.now < until).then(|| Refusal {
        clears_at: until,
        ..refusal(
            RefusalCode::CoolingDown,
            format!("a run on the fault point `{}` ended less than {COOL_DOWN} ago{inside}", facts.fault.point),
            "wait: systems need time to recover, and people to look",
        )
    })
}
