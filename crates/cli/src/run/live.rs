//! How a run goes, while it does: a block that is redrawn, or a line now and then.

use std::time::Duration;

use daybreak_model::Millis;
use daybreak_server::readable::{Arm, Evidence, Seen, percent, short};

use crate::check::counted;

/// How long after a run's end its last requests are counted.
pub(super) const DRAIN: Duration = Duration::from_secs(30);
/// Cells of a bar.
const BAR: usize = 30;

/// How far a run is, by the clock of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Since it started.
    pub(super) running: Duration,
    /// Since its end was seen.
    pub(super) ended: Option<Duration>,
}

/// The block, line by line.
pub(super) fn block(run: &Seen, progress: Progress) -> Vec<String> {
    let evidence = run.evidence();
    let mut lines = vec![head(run, progress)];
    let length = length(run);
    match progress.ended {
        None => lines.push(format!(
            "  time     {}  {}",
            bar(ratio(progress.running, length)),
            time(progress.running, length)
        )),
        Some(since) => lines.push(format!(
            "  drain    {}  {}; {} until its last requests are through",
            bar(ratio(since, DRAIN)),
            run.ended.as_deref().unwrap_or("ended"),
            whole(DRAIN.saturating_sub(since))
        )),
    }
    lines.push(format!("  verdict  {}", verdict(&evidence)));
    lines.push(format!("  treated  {}; {} struck", evidence.treated.describe(), evidence.treated.struck));
    lines.push(format!("  control  {}", evidence.control.describe()));
    if let Some(spent) = evidence.spent {
        lines.push(format!("  budget   {} bad of {} that it may spend", spent.bad, short(spent.max)));
    }
    lines.push(format!("  harm     e-value {} of 100; {}", evidence.e_value(), harm(run, &evidence)));
    lines.extend(run.warnings.iter().map(|warning| format!("  warning  {}", warning.sentence)));
    lines
}

/// The same on one line, for a log.
pub(super) fn line(run: &Seen, progress: Progress) -> String {
    let evidence = run.evidence();
    let time = match progress.ended {
        None => time(progress.running, length(run)),
        Some(_) => format!("{}, counting its last requests", run.ended.as_deref().unwrap_or("ended")),
    };
    let mut line = format!("{time}: {}; {}", run.percentage_now(), arms(&evidence));
    if let Some(spent) = evidence.spent {
        line += &format!("; spent {} of {}", spent.bad, short(spent.max));
    }
    line += &format!("; e-value {}; {}", evidence.e_value(), harm(run, &evidence));
    line += &match (evidence.verdict.as_str(), evidence.still_needed().filter(|_| !run.shadow)) {
        ("harmful", _) => "; harm is shown".to_owned(),
        ("resilient", _) => "; so far resilient".to_owned(),
        (_, Some(needed)) => format!("; about {needed} more treated for a verdict"),
        _ => String::new(),
    };
    line
}

/// What it is, and the stage of its ramp.
fn head(run: &Seen, progress: Progress) -> String {
    let what = if run.shadow { ", a shadow run" } else { "" };
    let mut head = format!("{} at {}{what}: {}", run.fault, run.point, run.percentage_now());
    // Once it has ended nobody has it any more.
    if progress.ended.is_none() {
        head += &format!(" by {}", counted(run.clients, "client"));
    }
    if let Some(stage) = run.ramp.get(run.stage) {
        let next = run.ramp.get(run.stage + 1).map_or(&run.percentage, |next| &next.percentage);
        let until = stage.until.strftime("%H:%M:%S");
        head += &format!("; stage {} of {}, {next} from {until} UTC", run.stage + 1, run.ramp.len() + 1);
    }
    head
}

/// How many treated requests there are of those that a verdict takes.
fn verdict(evidence: &Evidence) -> String {
    let treated = evidence.treated.requests;
    match evidence.treated_needed {
        _ if evidence.is_harmful() => format!("{}  harm is shown", bar(1.0)),
        Some(0) => format!("{}  enough treated requests", bar(1.0)),
        Some(more) => {
            let all = treated.saturating_add(more);
            #[expect(clippy::cast_precision_loss, reason = "a bar")]
            let done = treated as f64 / all as f64;
            format!("{}  {treated} of about {all} treated requests", bar(done))
        }
        None if treated == 0 => format!("{}  nothing is treated yet", bar(0.0)),
        None => format!("{}  too many are bad for one to be in reach", bar(0.0)),
    }
}

fn arms(evidence: &Evidence) -> String {
    let arm = |arm: Arm| format!("{} of {} bad", arm.bad, arm.requests);
    format!("treated {}, control {}", arm(evidence.treated), arm(evidence.control))
}

/// How much harm there may be: in percentage points of struck requests.
fn harm(run: &Seen, evidence: &Evidence) -> String {
    match evidence.harm {
        None if run.shadow => "nothing is to be struck".to_owned(),
        None => "nothing is struck yet".to_owned(),
        Some(harm) => {
            format!(
                "{} to {} of struck requests, {} tolerated",
                percent(harm.lower),
                percent(harm.upper),
                run.tolerated
            )
        }
    }
}

fn length(run: &Seen) -> Duration {
    run.ends_at.duration_since(run.started_at).unsigned_abs()
}

fn ratio(passed: Duration, of: Duration) -> f64 {
    if of.is_zero() { 1.0 } else { passed.as_secs_f64() / of.as_secs_f64() }
}

fn time(running: Duration, length: Duration) -> String {
    format!("{} of {}", whole(running.min(length)), whole(length))
}

/// To the second.
pub(super) fn whole(duration: Duration) -> Millis {
    Millis::from_secs(duration.as_secs())
}

/// A bar, full at 1.
fn bar(of: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to 30")]
    let full = (of.clamp(0.0, 1.0) * BAR as f64).floor() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn running() -> Seen {
        serde_json::from_value(json!({
            "fault": "slow", "point": "payment.gateway", "percentage": "2%", "stage": 0, "clients": 3, "tolerated": "1%",
            "ramp": [{ "percentage": "1%", "until": "2026-11-23T10:05:00Z" }],
            "started_at": "2026-11-23T10:00:00Z", "ends_at": "2026-11-23T10:10:00Z",
            "evidence": {
                "harm_ln_e": 0.182, "treated_needed": 600, "spent": { "bad": 3, "max": 20.0 },
                "harm": { "lower": -0.01, "estimate": 0.01, "upper": 0.041 },
                "treated": { "requests": 200, "struck": 198, "bad": 3, "rate": { "lower": 0.002, "upper": 0.062 } },
                "control": { "requests": 20_000, "bad": 12, "rate": { "lower": 0.000_2, "upper": 0.001_2 } },
            },
        }))
        .unwrap()
    }

    #[test]
    fn while_it_runs() {
        let progress = Progress { running: Duration::from_millis(150_900), ended: None };
        let expected = "slow at payment.gateway: 1% by 3 clients; stage 1 of 2, 2% from 10:05:00 UTC
  time     ███████░░░░░░░░░░░░░░░░░░░░░░░  2m30s of 10m
  verdict  ███████░░░░░░░░░░░░░░░░░░░░░░░  200 of about 800 treated requests
  treated  3 of 200 bad: 1.5% (0.2% to 6.2%); 198 struck
  control  12 of 20000 bad: 0.06% (0.02% to 0.12%)
  budget   3 bad of 20 that it may spend
  harm     e-value 1.2 of 100; -1% to 4.1% of struck requests, 1% tolerated";
        assert_eq!(block(&running(), progress).join("\n"), expected);
        let expected = "2m30s of 10m: 1%; treated 3 of 200 bad, control 12 of 20000 bad; spent 3 of 20; e-value 1.2; \
                        -1% to 4.1% of struck requests, 1% tolerated; about 600 more treated for a verdict";
        assert_eq!(line(&running(), progress), expected);
    }

    #[test]
    fn at_its_end_and_before_it_begins() {
        let ended = Seen { ended: Some("stopped".to_owned()), ..running() };
        let progress = Progress { running: Duration::from_secs(150), ended: Some(Duration::from_secs(12)) };
        let lines = block(&ended, progress);
        assert!(lines[1].ends_with("stopped; 18s until its last requests are through"));
        assert!(lines[0].starts_with("slow at payment.gateway: 1%;"), "no clients are told of: {}", lines[0]);
        let fresh = Seen { evidence: None, ..running() };
        let progress = Progress { running: Duration::ZERO, ended: None };
        let block = block(&fresh, progress).join("\n");
        assert!(block.contains("nothing is treated yet") && block.contains("nothing is struck yet"), "{block}");
    }
}
