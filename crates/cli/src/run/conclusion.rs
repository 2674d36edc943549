//! What a run showed, in the end: for people, and as an exit status.

use std::process::ExitCode;

use daybreak_server::readable::{Bounds, Evidence, Latency, Seen, percent, short};

use super::live::whole;
use crate::check::counted;
use crate::style::printable;

/// What the exit status of `daybreak run` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Resilient, or a shadow run that ran its course and counted both arms.
    Resilient = 0,
    /// Harmful.
    Harmful = 1,
    /// Neither is shown.
    Inconclusive = 2,
    /// Refused, aborted for another cause than harm, or without a verdict that was seen.
    Failed = 3,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// The status of a run that has its verdict.
pub(super) fn status(run: &Seen) -> Status {
    let counted = |evidence: Evidence| evidence.treated.requests > 0 && evidence.control.requests > 0;
    let aborted = run.ended.as_deref().is_none_or(|ended| ended.starts_with("aborted"));
    match run.verdict.as_deref() {
        Some("harmful") => Status::Harmful,
        None => Status::Failed,
        Some(_) if aborted => Status::Failed,
        Some(_) if run.shadow && run.ended.as_deref() == Some("completed") && counted(run.evidence()) => {
            Status::Resilient
        }
        Some("resilient") => Status::Resilient,
        Some(_) => Status::Inconclusive,
    }
}

/// The verdict, why, and what it rests on; `report` is where there is more.
pub(super) fn describe(run: &Seen, report: &str) -> String {
    let evidence = run.evidence();
    let verdict = run.verdict.as_deref().unwrap_or("no verdict");
    let mut text = format!("{verdict}: {}\n", printable(&evidence.sentence));
    let mut add = |name: &str, what: &str| text += &format!("  {name:<8} {what}\n");
    if let Some(hypothesis) = &run.hypothesis {
        add("believed", &format!("\"{}\"", printable(hypothesis)));
    }
    add("ended", &ended(run));
    add("treated", &format!("{}{}", evidence.treated.describe(), quantiles(evidence.latency.treated)));
    add("control", &format!("{}{}", evidence.control.describe(), quantiles(evidence.latency.control)));
    if !run.shadow {
        let struck = &evidence.treated;
        let clients = counted(usize::try_from(evidence.reached).unwrap_or(usize::MAX), "client");
        add("struck", &format!("{} of {} treated; {clients} reached", struck.struck, struck.requests));
    }
    if let Some(harm) = evidence.harm {
        let (lower, upper) = (percent(harm.lower), percent(harm.upper));
        add(
            "harm",
            &format!(
                "{lower} to {upper} of struck requests, {} tolerated; e-value {}",
                run.tolerated,
                evidence.e_value()
            ),
        );
    }
    if let Some(spent) = evidence.spent.filter(|_| !run.shadow) {
        add("budget", &format!("{} bad of {} that it could spend", spent.bad, short(spent.max)));
    }
    if let Some(needed) = evidence.treated_needed.filter(|_| run.shadow) {
        add("needed", &format!("{needed} treated requests, about, take a run to its verdict"));
    }
    add("report", report);
    text
}

/// How it ended, when, and why.
fn ended(run: &Seen) -> String {
    let mut text = run.ended.clone().unwrap_or_else(|| "not yet".to_owned());
    if let Some(at) = run.ended_at {
        text += &format!(" after {}", whole(at.duration_since(run.started_at).unsigned_abs()));
    }
    if let Some(reason) = &run.end_reason {
        text += &format!(": {}", printable(reason));
    }
    text
}

fn quantiles(latency: Option<Latency>) -> String {
    let told = |latency: Latency| {
        let quantile = |name, sample, bounds: Option<Bounds>| {
            let bounds = bounds.map(|bounds| format!(" ({})", bounds.describe())).unwrap_or_default();
            format!("{name} {} ms{bounds}", short(sample))
        };
        [
            quantile("; p50", latency.p50_ms, latency.p50_bounds_ms),
            quantile(", p90", latency.p90_ms, latency.p90_bounds_ms),
            quantile(", p99", latency.p99_ms, latency.p99_bounds_ms),
        ]
        .concat()
    };
    latency.map(told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use daybreak_server::readable::Arm;
    use serde_json::json;

    use super::*;

    #[test]
    fn statuses() {
        let cases = [
            ("completed", Some("resilient"), false, Status::Resilient),
            ("stopped", Some("resilient"), false, Status::Resilient),
            ("completed", Some("inconclusive"), false, Status::Inconclusive),
            ("stopped", Some("inconclusive"), false, Status::Inconclusive),
            ("aborted: harm", Some("harmful"), false, Status::Harmful),
            ("stopped", Some("harmful"), false, Status::Harmful),
            ("aborted: paged", Some("inconclusive"), false, Status::Failed),
            ("aborted: halted", Some("resilient"), false, Status::Failed),
            ("aborted: instrumentation_broken", Some("inconclusive"), true, Status::Failed),
            ("completed", Some("inconclusive"), true, Status::Resilient),
            ("stopped", Some("inconclusive"), true, Status::Inconclusive),
            ("completed", None, false, Status::Failed),
        ];
        for (ended, verdict, shadow, expected) in cases {
            let (ended, verdict) = (Some(ended.to_owned()), verdict.map(str::to_owned));
            let counted = Arm { requests: 1, ..Arm::default() };
            let evidence = Some(Evidence { treated: counted, control: counted, ..Evidence::default() });
            let run = Seen { ended, verdict, shadow, evidence, ..Seen::default() };
            assert_eq!(status(&run), expected, "{run:?}");
            let nobody = Seen { evidence: Some(Evidence::default()), ..run };
            let rehearsed = shadow && expected == Status::Resilient;
            assert_eq!(status(&nobody), if rehearsed { Status::Inconclusive } else { expected }, "{nobody:?}");
        }
    }

    #[test]
    fn a_conclusion_for_people() {
        let run: Seen = serde_json::from_value(json!({
            "id": "00c0ffee00c0ffee", "verdict": "harmful", "ended": "aborted: harm", "tolerated": "1%",
            "end_reason": "treated requests do worse: the e-value of harm is 105, where 100 ends a run",
            "hypothesis": "the\u{1b}[2Jqueue takes over",
            "started_at": "2026-11-23T10:00:00Z", "ended_at": "2026-11-23T10:01:02Z",
            "evidence": {
                "sentence": "treated requests did worse than control", "reached": 4, "harm_ln_e": 4.654,
                "harm": { "lower": 0.2, "estimate": 0.5, "upper": 0.9 }, "treated_needed": 4_000,
                "spent": { "bad": 30, "max": 90.5 },
                "latency": { "treated": { "p50_ms": 310.2, "p90_ms": 400.0, "p99_ms": 912.0,
                    "p50_bounds_ms": { "lower": 262.143, "upper": 393.215 }, "p99_bounds_ms": { "lower": 327.679 } } },
                "treated": { "requests": 60, "struck": 60, "bad": 30, "rate": { "lower": 0.3, "upper": 0.8 } },
                "control": { "requests": 6_000, "bad": 0, "rate": { "lower": 0.0, "upper": 0.001 } },
            },
        }))
        .unwrap();
        let expected = "harmful: treated requests did worse than control
  believed \"the [2Jqueue takes over\"
  ended    aborted: harm after 1m2s: treated requests do worse: the e-value of harm is 105, where 100 ends a run
  treated  30 of 60 bad: 50% (30% to 80%); p50 310 ms (262 to 393), p90 400 ms, p99 912 ms (over 328)
  control  0 of 6000 bad: 0% (0% to 0.1%)
  struck   60 of 60 treated; 4 clients reached
  harm     20% to 90% of struck requests, 1% tolerated; e-value 105
  budget   30 bad of 90.5 that it could spend
  report   http://localhost:8080/api/v1/runs/00c0ffee00c0ffee/report
";
        let report = "http://localhost:8080/api/v1/runs/00c0ffee00c0ffee/report";
        assert_eq!(describe(&run, report), expected);
    }
}
