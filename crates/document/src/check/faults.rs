//! What must hold within one fault.

use daybreak_model::limits::{EFFECT_DURATION_MAX, RUN_DURATION_MAX, RUN_DURATION_MAX_DEFAULT};
use daybreak_model::{Distribution, Effect, Fault, Guard, Latency, Millis, Percentage};

use crate::diagnostic::Problem;
use crate::path::Path;
use crate::tree::shorten;

/// The middlewares' own points: without a bound they would strike everything that comes in or goes out.
const BROAD_POINTS: [&str; 2] = ["http.server", "http.client"];

pub(super) fn check(fault: &Fault, path: &Path, problems: &mut Vec<Problem>) {
    let is_broad = BROAD_POINTS.contains(&fault.point.as_str());
    if is_broad && fault.operation.is_none() && fault.host.is_none() {
        let message =
            format!("a fault on `{}` needs an `operation` or a `host`: without it, it strikes everything", fault.point);
        let help = "write `operation: \"POST /checkout\"` or `host: pay.example`";
        problems.push(Problem::error("too_broad", path.then("point"), message).help(help));
    }
    if fault.percentage == Percentage::ZERO {
        let message = "a fault at 0% strikes nobody";
        problems.push(Problem::warning("no_effect", path.then("percentage"), message).help("write the share to treat"));
    }
    if let Some(host) = &fault.host
        && let Some(help) = no_host(host)
    {
        let message = format!("`{}` is no host", shorten(host));
        problems.push(Problem::error("invalid_host", path.then("host"), message).help(help));
    }
    ramp(fault, &path.then("ramp"), problems);
    max_duration(fault.max_duration, path.then("max_duration"), problems);
    effect(&fault.effect, &path.then("effect"), problems);
    if let Guard::Policy(policy) = &fault.guard {
        let path = path.then("guard");
        for (name, value) in [("max_spend", policy.max_spend), ("harm", policy.harm)] {
            if value == Percentage::ZERO {
                let message = format!("with `{name}` at 0% no run can ever start or conclude");
                problems.push(
                    Problem::error("out_of_range", path.then(name), message)
                        .help(format!("write more than 0%, as in `{name}: 1%`")),
                );
            }
        }
    }
}

fn ramp(fault: &Fault, path: &Path, problems: &mut Vec<Problem>) {
    let Some(last) = fault.ramp.steps().last() else { return };
    if last.percentage >= fault.percentage {
        let message =
            format!("the ramp leads to {}, which is not below the fault's {}", last.percentage, fault.percentage);
        let help = "leave the last step out: after the ramp, `percentage` holds";
        problems.push(Problem::error("out_of_range", path.clone(), message).help(help));
    }
    let length = fault.ramp.length();
    if length >= fault.max_duration {
        let message = format!("the ramp takes {length}, and a run lasts {} at most", fault.max_duration);
        let help = "shorten its steps, or raise `max_duration`";
        problems.push(Problem::warning("endless_ramp", path.clone(), message).help(help));
    }
    if !fault.by.is_request() {
        let message = "a ramped fault that draws by an attribute can be shown to be harmful, but never to be resilient";
        let help = "leave `ramp` out, or draw by request";
        problems.push(Problem::warning("inconclusive", path.clone(), message).help(help));
    }
}

/// What to write instead of a text that is no name of a host, perhaps with a port.
fn no_host(text: &str) -> Option<String> {
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default().trim();
    match host {
        _ if host == text && !host.contains(char::is_whitespace) => None,
        _ if host.is_empty() || host.contains(char::is_whitespace) => {
            Some("write the name alone, as in `pay.example`".to_owned())
        }
        _ => Some(format!("write the name alone: `{host}`")),
    }
}

fn max_duration(length: Millis, path: Path, problems: &mut Vec<Problem>) {
    if length == Millis::ZERO {
        problems.push(
            Problem::error("out_of_range", path, "a run of no length is none").help("write a length, as in `30m`"),
        );
    } else if length > RUN_DURATION_MAX {
        let message = format!("a run lasts at most {RUN_DURATION_MAX}, this one {length}");
        problems
            .push(Problem::error("out_of_range", path, message).help(format!("write `{RUN_DURATION_MAX}` or less")));
    } else if length > RUN_DURATION_MAX_DEFAULT {
        let message =
            format!("a server takes runs of at most {RUN_DURATION_MAX_DEFAULT}, unless started with `--max-run`");
        problems.push(
            Problem::warning("long_run", path, message).help(format!("write `{RUN_DURATION_MAX_DEFAULT}` or less")),
        );
    }
}

fn effect(effect: &Effect, path: &Path, problems: &mut Vec<Problem>) {
    if effect.error.is_some() && effect.abort {
        let message = "a strike either answers with an error or breaks the connection, not both";
        problems.push(Problem::error("conflict", path.then("abort"), message).help("keep `error` or `abort`"));
    }
    if *effect == Effect::default() {
        let help = "write at least one of `latency`, `hang`, `data`, `error`, `abort`";
        problems.push(Problem::error("empty_effect", path.clone(), "this effect does nothing").help(help));
    }
    if let Some(hang) = effect.hang {
        bounded(hang.max, "a hang", path.then("hang").then("max"), problems);
    }
    if let Some(latency) = effect.latency {
        check_latency(latency, &path.then("latency"), problems);
    }
}

/// Notes a wait of no length, or a longer one than is ever injected.
fn bounded(length: Millis, what: &str, path: Path, problems: &mut Vec<Problem>) {
    if length > EFFECT_DURATION_MAX {
        let message = format!("{what} lasts at most {EFFECT_DURATION_MAX}, this one {length}");
        problems
            .push(Problem::error("out_of_range", path, message).help(format!("write `{EFFECT_DURATION_MAX}` or less")));
    } else if length == Millis::ZERO {
        let message = format!("{what} of no length does nothing");
        problems.push(Problem::error("out_of_range", path, message).help("write a length, as in `300ms`"));
    }
}

fn check_latency(latency: Latency, path: &Path, problems: &mut Vec<Problem>) {
    let max = latency.max;
    bounded(max, "a latency", path.then("max"), problems);
    // The length that says most of a distribution: neither nothing, nor more than is ever waited.
    let length = |name: &'static str, field: &'static str, length: Millis| {
        let (message, help) = match length {
            Millis::ZERO => ("a latency of no length does nothing".to_owned(), "write a length, as in `300ms`"),
            _ if length > max => (
                format!("this is longer than `max`, which is {max}: every such sample would be cut"),
                "lower it, or raise `max`",
            ),
            _ => return None,
        };
        Some(Problem::error("out_of_range", path.then(name).then(field), message).help(help))
    };
    problems.extend(match latency.distribution {
        Distribution::Fixed(fixed) if fixed > max => {
            let message = format!("this is longer than `max`, which is {max}");
            Some(Problem::error("out_of_range", path.then("fixed"), message).help("lower it, or leave `max` out"))
        }
        // Where `max` is nothing as well, that was said.
        Distribution::Fixed(_) if max == Millis::ZERO => None,
        Distribution::Fixed(Millis::ZERO) => {
            let message = "a latency of no length does nothing";
            Some(Problem::error("out_of_range", path.then("fixed"), message).help("write a length, as in `300ms`"))
        }
        Distribution::Fixed(_) => None,
        Distribution::Uniform { from, to } if to < from => {
            let message = format!("`to` ({to}) is shorter than `from` ({from})");
            let problem = Problem::error("out_of_range", path.then("uniform").then("to"), message);
            Some(problem.help("write the shorter one as `from`"))
        }
        Distribution::Uniform { to, .. } => length("uniform", "to", to),
        // Half of a bell curve around nothing is above it.
        Distribution::Normal { mean: Millis::ZERO, sd } if sd != Millis::ZERO => None,
        Distribution::Normal { mean, .. } => length("normal", "mean", mean),
        Distribution::Exponential { mean } => length("exponential", "mean", mean),
        Distribution::Lognormal { median, .. } => length("lognormal", "median", median),
        Distribution::Pareto { min, .. } => length("pareto", "min", min),
    });
    match latency.distribution {
        Distribution::Lognormal { sigma, .. } => positive(sigma, 10.0, path.then("lognormal").then("sigma"), problems),
        Distribution::Pareto { shape, .. } => positive(shape, 100.0, path.then("pareto").then("shape"), problems),
        _ => {}
    }
}

fn positive(number: f64, most: f64, path: Path, problems: &mut Vec<Problem>) {
    if !(number > 0.0 && number <= most) {
        let message = format!("{number} is not above 0 and at most {most}");
        problems.push(
            Problem::error("out_of_range", path, message).help(format!("write a number above 0 and at most {most}")),
        );
    }
}
