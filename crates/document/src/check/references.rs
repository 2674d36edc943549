//! What one resource says of another must be there; and what others refer to must not go.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use daybreak_model::{Condition, Flag, Guard, Key, Kind, Resources, Serve};

use super::{Unread, at};
use crate::diagnostic::Problem;
use crate::path::Path;
use crate::suggest;

pub(super) fn check(resources: &Resources, unread: &Unread, problems: &mut Vec<Problem>) {
    let known: [OnceCell<Vec<&Key>>; Kind::ALL.len()] = Default::default();
    visit(resources, &mut |Named { from, kind, key, place }| {
        if resources.contains(kind, key.as_str()) || unread.resources.contains(&(kind, key.clone())) {
            return;
        }
        let message = match kind {
            Kind::Hours => format!("there are no hours `{key}`"),
            _ => format!("there is no {kind} `{key}`"),
        };
        let known = known[kind as usize].get_or_init(|| {
            let absent = unread.resources.iter().filter(|(absent, _)| *absent == kind).map(|(_, key)| key);
            resources.keys(kind).into_iter().chain(absent).collect()
        });
        let others = known.iter().filter(|known| from != Some((kind, **known))).map(|key| key.as_str());
        let help = suggest::choose(key.as_str(), kind.noun(), others, known.len(), problems.len());
        problems.push(Problem::error("unknown_reference", place(), message).help(help).about(key.as_str()));
    });
    arms(resources, unread, problems);
    for (key, flag) in &resources.flags {
        for (named, variant) in &flag.prerequisites {
            if let Some(named_flag) = resources.flags.get(named) {
                let path = at(Kind::Flag, key).then("prerequisites").then(named.as_str());
                prerequisite(path, named, named_flag, variant, unread, problems);
            }
        }
    }
}

fn prerequisite(path: Path, named: &Key, flag: &Flag, variant: &Key, unread: &Unread, problems: &mut Vec<Problem>) {
    if !flag.variants.contains_key(variant) {
        // What could not be read may hold it.
        if flag.variants.is_empty() {
            return;
        }
        let known = flag.variants.keys().map(Key::as_str);
        let help = suggest::choose(variant.as_str(), "variant", known, flag.variants.len(), problems.len());
        let message = format!("the flag `{named}` has no variant `{variant}`");
        problems.push(Problem::error("unknown_variant", path, message).help(help));
        return;
    }
    let serves = |serve: &Serve| match serve {
        Serve::Serve(name) => name == variant,
        Serve::Rollout(shares) => shares.get(variant).is_some_and(|share| share.thousandths() > 0),
    };
    let is_served = flag.default == *variant || flag.rules.iter().any(|rule| serves(&rule.serve));
    if !is_served && !unread.within(&at(Kind::Flag, named)) {
        let message = format!("`{named}` never serves `{variant}`: this flag would always be off");
        problems.push(Problem::warning("never_served", path, message).help("name a variant that it serves"));
    }
}

/// The arms of a guarded run are requests that clients report: Prometheus knows of no arm.
fn arms(resources: &Resources, unread: &Unread, problems: &mut Vec<Problem>) {
    for (key, fault) in &resources.faults {
        let Guard::Policy(policy) = &fault.guard else { continue };
        let slo = resources.slos.get(&policy.slo);
        if slo.is_some_and(|slo| !slo.sli.has_arms()) && !unread.within(&at(Kind::Slo, &policy.slo)) {
            let path = at(Kind::Fault, key).then("guard").then("slo");
            let message =
                format!("the SLO `{}` counts in Prometheus alone, which cannot tell a run's arms apart", policy.slo);
            let help = format!(
                "add `operation` and `good` to the `sli` of `{}`; its budget stays with Prometheus",
                policy.slo
            );
            problems.push(Problem::error("slo_without_arms", path, message).help(help));
        }
    }
}

/// One naming of a resource by another.
struct Named<'r, 'p> {
    /// Who names it; `None` is the `protect` list.
    from: Option<(Kind, &'r Key)>,
    kind: Kind,
    key: &'r Key,
    place: &'p dyn Fn() -> Path,
}

/// Calls `visit` for every naming of one resource by another: of each place, every name once.
fn visit(resources: &Resources, visit: &mut dyn FnMut(Named<'_, '_>)) {
    for segment in &resources.protect {
        visit(Named { from: None, kind: Kind::Segment, key: segment, place: &|| Path::default().then("protect") });
    }
    let mut segments = |from: (Kind, &Key), when: &Condition, place: &dyn Fn() -> Path| {
        for key in &BTreeSet::from_iter(when.segments()) {
            visit(Named { from: Some(from), kind: Kind::Segment, key, place });
        }
    };
    for (key, flag) in &resources.flags {
        for (index, rule) in flag.rules.iter().enumerate() {
            let place = || at(Kind::Flag, key).then("rules").then(index).then("when");
            rule.when.iter().for_each(|when| segments((Kind::Flag, key), when, &place));
        }
    }
    for (key, segment) in &resources.segments {
        segments((Kind::Segment, key), &segment.when, &|| at(Kind::Segment, key).then("when"));
    }
    for (key, fault) in &resources.faults {
        let place = || at(Kind::Fault, key).then("when");
        fault.when.iter().for_each(|when| segments((Kind::Fault, key), when, &place));
    }
    for (key, flag) in &resources.flags {
        for named in flag.prerequisites.keys() {
            let place = || at(Kind::Flag, key).then("prerequisites").then(named.as_str());
            visit(Named { from: Some((Kind::Flag, key)), kind: Kind::Flag, key: named, place: &place });
        }
    }
    for (key, fault) in &resources.faults {
        let from = Some((Kind::Fault, key));
        visit(Named { from, kind: Kind::Hours, key: &fault.hours, place: &|| at(Kind::Fault, key).then("hours") });
        if let Guard::Policy(policy) = &fault.guard {
            let guard = || at(Kind::Fault, key).then("guard");
            visit(Named { from, kind: Kind::Slo, key: &policy.slo, place: &|| guard().then("slo") });
            if let Some(on_call) = &policy.on_call {
                visit(Named { from, kind: Kind::OnCall, key: on_call, place: &|| guard().then("on_call") });
            }
        }
    }
    for (key, on_call) in &resources.on_call {
        let (from, place) = (Some((Kind::OnCall, key)), || at(Kind::OnCall, key).then("hours"));
        visit(Named { from, kind: Kind::Hours, key: &on_call.hours, place: &place });
    }
}

/// What refers to a resource, so that it cannot be deleted: empty where nothing does.
///
/// Each is written as a path, as in `flags.new-checkout.rules[0].when`.
#[must_use]
pub fn referrers(resources: &Resources, kind: Kind, key: &Key) -> Vec<String> {
    let mut found = Vec::new();
    visit(resources, &mut |named| {
        if (named.kind, named.key) == (kind, key) && named.from != Some((kind, key)) {
            found.push((named.place)().to_string());
        }
    });
    found
}
