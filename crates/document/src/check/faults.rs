//! What must hold within one fault.

use daybreak_model::limits::{EFFECT_DURATION_MAX, RUN_DURATION_MAX, RUN_DURATION_MAX_DEFAULT};
use daybreak_model::{Distribution, Effect, Fault, Guard, Latency, Millis, Percentage};

use crate::diagnostic::Problem;
use crate::path::Path;

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
    let mut above = |name: &'static str, field: &'static str, length: Millis| {
        if length > max {
            let message = format!("this is longer than `max`, which is {max}: every such sample would be cut");
            problems.push(
                Problem::error("out_of_range", path.then(name).then(field), message).help("lower it, or raise `max`"),
            );
        }
    };
    match latency.distribution {
        Distribution::Fixed(fixed) if fixed > max => {
            let message = format!("this is longer than `max`, which is {max}");
            problems
                .push(Problem::error("out_of_range", path.then("fixed"), message).help("lower it, or leave `max` out"));
        }
        Distribution::Fixed(_) => {}
        Distribution::Uniform { from, to } => {
            if to >= from {
                above("uniform", "to", to);
            } else {
                let message = format!("`to` ({to}) is shorter than `from` ({from})");
                problems.push(
                    Problem::error("out_of_range", path.then("uniform").then("to"), message)
                        .help("write the shorter one as `from`"),
                );
            }
        }
        Distribution::Normal { mean, .. } => above("normal", "mean", mean),
        Distribution::Exponential { mean } => above("exponential", "mean", mean),
        Distribution::Lognormal { median, sigma } => {
            above("lognormal", "median", median);
            positive(sigma, 10.0, path.then("lognormal").then("sigma"), problems);
        }
        Distribution::Pareto { min, shape } => {
            above("pareto", "min", min);
            positive(shape, 100.0, path.then("pareto").then("shape"), problems);
        }
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
