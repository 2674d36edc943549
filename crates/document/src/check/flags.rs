//! What must hold within one flag.

use std::collections::BTreeMap;

use daybreak_model::{Flag, Key, Percentage, Rule, Serve, Value, ValueType};
use jiff::civil::Date;

use super::Unread;
use crate::diagnostic::Problem;
use crate::path::Path;
use crate::suggest;

pub(super) fn check(flag: &Flag, path: &Path, unread: &Unread, today: Option<Date>, problems: &mut Vec<Problem>) {
    variant(flag, &flag.default, path.then("default"), problems);
    if let Some(off) = &flag.off {
        variant(flag, off, path.then("off"), problems);
    }
    let mut names: BTreeMap<&Key, usize> = BTreeMap::new();
    for (index, rule) in flag.rules.iter().enumerate() {
        let path = path.then("rules").then(index);
        if unread.contains(&path.then("name")) {
            // Nobody knows what it is called.
        } else if let Some(first) = names.get(&rule.name) {
            let message = format!("two rules are called `{}`: the {} and the {}", rule.name, nth(*first), nth(index));
            let problem = Problem::error("duplicate_rule", path.then("name"), message);
            problems.push(problem.help("give one another name: patches address rules by it"));
        } else {
            names.insert(&rule.name, index);
        }
        check_rule(flag, rule, &path, problems);
    }
    unreachable(flag, path, unread, problems);
    if !unread.within(path) {
        pointless_off(flag, path, problems);
    }
    if let (Some(expires), Some(today)) = (flag.expires, today)
        && expires <= today
    {
        let message = format!("this flag was to be removed from {expires} on");
        problems.push(Problem::warning("expired", path.then("expires"), message).help("remove it, or set a later day"));
    }
}

fn nth(index: usize) -> String {
    let number = index + 1;
    let ending = match (number % 10, number % 100) {
        (1, hundred) if hundred != 11 => "st",
        (2, hundred) if hundred != 12 => "nd",
        (3, hundred) if hundred != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Notes that a flag has no such variant.
fn variant(flag: &Flag, name: &Key, path: Path, problems: &mut Vec<Problem>) {
    if flag.variants.is_empty() || flag.variants.contains_key(name) {
        return;
    }
    let known = flag.variants.keys().map(Key::as_str);
    let help = suggest::choose(name.as_str(), "variant", known, flag.variants.len(), problems.len());
    problems.push(Problem::error("unknown_variant", path, format!("this flag has no variant `{name}`")).help(help));
}

fn check_rule(flag: &Flag, rule: &Rule, path: &Path, problems: &mut Vec<Problem>) {
    match &rule.serve {
        Serve::Serve(name) => {
            variant(flag, name, path.then("serve"), problems);
            if rule.by.is_some() && rule.percentage.is_none() {
                let problem =
                    Problem::warning("no_effect", path.then("by"), "`by` changes nothing here: nothing is drawn");
                problems.push(problem.help("leave it out, or write a `percentage` or a `rollout`"));
            }
        }
        Serve::Rollout(shares) => rollout(flag, shares, &path.then("rollout"), problems),
    }
}

fn rollout(flag: &Flag, shares: &BTreeMap<Key, Percentage>, path: &Path, problems: &mut Vec<Problem>) {
    for name in shares.keys() {
        variant(flag, name, path.then(name.as_str()), problems);
    }
    let sum: u64 = shares.values().map(|share| u64::from(share.thousandths())).sum();
    let whole = u64::from(Percentage::FULL.thousandths());
    if sum != whole {
        let (difference, way) = if sum < whole { (whole - sum, "add") } else { (sum - whole, "take away") };
        let message = format!("these shares sum to {}, not to 100%", percent(sum));
        problems
            .push(Problem::error("rollout_sum", path.clone(), message).help(format!("{way} {}", percent(difference))));
    }
    let split = shares.values().filter(|share| **share != Percentage::ZERO).count();
    if split > 2 {
        let message = "growing one share of three or more moves some people between the others";
        let help = "to grow one variant without moving anyone, give it a rule of its own with a `percentage`";
        problems.push(Problem::note("not_monotone", path.clone(), message).help(help));
    }
}

fn percent(thousandths: u64) -> String {
    let (whole, fraction) = (thousandths / 1000, thousandths % 1000);
    match fraction {
        0 => format!("{whole}%"),
        _ => format!("{whole}.{}%", format!("{fraction:03}").trim_end_matches('0')),
    }
}

/// Warns of rules after one that takes everybody.
fn unreachable(flag: &Flag, path: &Path, unread: &Unread, problems: &mut Vec<Problem>) {
    let takes_all = |rule: &Rule| rule.when.is_none() && rule.percentage.is_none_or(|share| share == Percentage::FULL);
    let Some(last) = flag.rules.iter().position(takes_all) else { return };
    let is_named = !unread.contains(&path.then("rules").then(last).then("name"));
    if last + 1 < flag.rules.len() && is_named {
        let message = format!("no one comes this far: the rule `{}` above takes everybody", flag.rules[last].name);
        let path = path.then("rules").then(last + 1).then("name");
        problems.push(Problem::warning("unreachable_rule", path, message).help("move it up, or remove it"));
    }
}

/// Warns where disabling a flag would change nothing: it serves `off` anyway.
fn pointless_off(flag: &Flag, path: &Path, problems: &mut Vec<Problem>) {
    let off = flag.off.as_ref().unwrap_or(&flag.default);
    let serves_off = |rule: &Rule| match &rule.serve {
        Serve::Serve(name) => name == off,
        Serve::Rollout(shares) => {
            !shares.is_empty() && shares.iter().all(|(name, share)| name == off || *share == Percentage::ZERO)
        }
    };
    // A flag that waits for its first rule is the most usual of all; of another type than boolean, where it says so.
    let waits = match flag.value_type() {
        ValueType::Boolean => flag.variants.get(off) == Some(&Value::Boolean(false)),
        _ => flag.off.is_some(),
    };
    let is_usual = waits && flag.rules.is_empty();
    if flag.default != *off || !flag.rules.iter().all(serves_off) || is_usual {
        return;
    }
    let (message, help) = match &flag.off {
        None => (
            format!("disabling this flag would change nothing: without `off` it goes on serving `{off}`"),
            "write `off:` and the variant to serve when disabled",
        ),
        Some(_) => (
            format!("disabling this flag would change nothing: it serves `{off}` anyway"),
            "write another variant, or one that nobody is served otherwise, as `off`",
        ),
    };
    problems.push(Problem::warning("pointless_off", path.then("off"), message).help(help));
}
