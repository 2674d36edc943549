//! What must hold within one calendar and one SLO.

use daybreak_model::{Hours, Millis, OnCall, Percentage, Slo, TimeSpan, Window};
use jiff::civil::Time;

use crate::diagnostic::Problem;
use crate::path::Path;

const MINUTE: Millis = Millis::from_secs(60);
const DAY: Millis = Millis::from_secs(86_400);
/// The budget that may burn within an hour before people are paged: 2 % of the window's (SRE workbook, chapter 5).
const FAST_BURN_SHARE: f64 = 0.02;

pub(super) fn check_hours(hours: &Hours, path: &Path, problems: &mut Vec<Problem>) {
    let mut sorted = hours.times.clone();
    sorted.sort_unstable();
    // Midnight at the end of the day comes after every time.
    let meets = |before: &TimeSpan, after: &TimeSpan| before.to.is_none_or(|end| end >= after.from);
    // Spans that meet, with what they are together.
    let mut groups: Vec<(TimeSpan, Vec<TimeSpan>)> = Vec::new();
    for span in &sorted {
        match groups.last_mut() {
            Some((joined, spans)) if meets(joined, span) => {
                joined.to = joined.to.zip(span.to).map(|(first, second): (Time, Time)| first.max(second));
                spans.push(*span);
            }
            _ => groups.push((*span, vec![*span])),
        }
    }
    for (joined, spans) in groups.iter().filter(|(_, spans)| spans.len() > 1) {
        let names: Vec<String> = spans.iter().map(|span| format!("`{span}`")).collect();
        let message = format!("{} overlap or touch", names.join(" and "));
        problems.push(
            Problem::error("overlapping_times", path.then("times"), message)
                .help(format!("write one span: `\"{joined}\"`")),
        );
    }
    if groups.len() == sorted.len() && sorted != hours.times {
        let ordered: Vec<String> = sorted.iter().map(|span| format!("\"{span}\"")).collect();
        let help = format!("write `[{}]`", ordered.join(", "));
        problems.push(
            Problem::error("unsorted_times", path.then("times"), "these spans are not in the day's order").help(help),
        );
    }
    let last = hours.holidays.iter().map(|range| range.last).max();
    match (last, hours.holidays_until) {
        (Some(last), None) => {
            let message = "nobody knows for how long these holidays are complete";
            let help = format!("write the last day that was looked up, as in `holidays_until: {}-12-31`", last.year());
            problems.push(Problem::error("missing_field", path.then("holidays_until"), message).help(help));
        }
        (Some(last), Some(until)) if until < last => {
            let message = format!("there are holidays after it, up to {last}");
            let help = format!("write `holidays_until: {last}` or later");
            problems.push(Problem::error("out_of_range", path.then("holidays_until"), message).help(help));
        }
        _ => {}
    }
}

pub(super) fn check_slo(slo: &Slo, path: &Path, problems: &mut Vec<Problem>) {
    let window = window(slo.window, path.then("window"), problems);
    let objective = path.then("objective");
    if slo.objective == Percentage::FULL {
        let message = "an objective of 100% leaves no error budget: nothing could ever be tried";
        problems.push(Problem::error("out_of_range", objective, message).help("write less, as in `99.9%`"));
    } else if slo.objective == Percentage::ZERO {
        let message = "an objective of 0% promises nothing";
        problems.push(Problem::error("out_of_range", objective, message).help("write more, as in `99.9%`"));
    } else if let Some(window) = window {
        burn_alert(slo.objective, window, objective, problems);
    }
    if let Some(queries) = &slo.sli.prometheus {
        let source = path.then("sli").then("prometheus");
        query(&queries.good, source.then("good"), problems);
        query(&queries.total, source.then("total"), problems);
    }
}

/// Functions of PromQL that turn a counter into what is none.
const RATES: [&str; 6] = ["rate", "irate", "increase", "delta", "idelta", "deriv"];

/// Notes a query that gives no counter.
fn query(query: &str, path: Path, problems: &mut Vec<Problem>) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let calls = query.match_indices('(').filter_map(|(at, _)| {
        let before = query.get(..at)?.trim_end();
        before.rsplit(|c| !is_name(c)).next()
    });
    if let Some(rate) = calls.into_iter().find(|call| RATES.contains(call)) {
        let message = format!("`{rate}` gives no counter, and what it gives is counted wrong");
        let help = "select the counter itself, as in `http_requests_total{job=\"shop\"}`";
        problems.push(Problem::warning("no_counter", path, message).help(help));
    }
}

pub(super) fn check_on_call(on_call: &OnCall, path: &Path, problems: &mut Vec<Problem>) {
    let within = on_call.require_source.unwrap_or(DAY);
    if within < MINUTE || within.get() > 182 * DAY.get() {
        let message = format!("a source is required within 1m to 182d, not {within}");
        let help = "write how long it may be silent, as in `require_source: 15m`";
        problems.push(Problem::error("out_of_range", path.then("require_source"), message).help(help));
    }
}

/// The length of a window; `None` where it is out of range.
fn window(window: Window, path: Path, problems: &mut Vec<Problem>) -> Option<Millis> {
    match window {
        Window::Rolling(window)
            if window.get() % DAY.get() != 0 || window == Millis::ZERO || window.get() > 366 * DAY.get() =>
        {
            let message = format!("a window has from 1 to 366 whole days, not {window}");
            let problem = Problem::error("out_of_range", path, message);
            problems.push(problem.help("write days, as in `28d`, or `month`"));
            None
        }
        Window::Rolling(window) => Some(window),
        Window::Month => Some(Millis::new(30 * DAY.get())),
    }
}

/// Notes an objective of which the alert for a fast burn could never fire.
fn burn_alert(objective: Percentage, window: Millis, path: Path, problems: &mut Vec<Problem>) {
    let hours = window.to_duration().as_secs_f64() / 3600.0;
    let factor = FAST_BURN_SHARE * hours;
    let budget = 1.0 - objective.ratio();
    if factor * budget >= 1.0 {
        let message = format!(
            "the burn alert could never fire: it needs {:.0}% of requests to fail ({factor:.1} times the budget of {:.3}%)",
            factor * budget * 100.0,
            budget * 100.0
        );
        let least = (1.0 - 1.0 / factor) * 100.0;
        let help = format!("write an objective above {:.1}%, or a shorter window", (least * 10.0).ceil() / 10.0);
        problems.push(Problem::error("alert_never_fires", path, message).help(help));
    }
}
