//! What one resource says of another must be there; and what others refer to must not go.

use std::collections::BTreeSet;

use daybreak_model::{Flag, Key, Kind, Reference, Resources, Serve};

use super::at;
use crate::diagnostic::Problem;
use crate::path::Path;
use crate::suggest;

pub(super) fn check(resources: &Resources, absent: &BTreeSet<(Kind, Key)>, problems: &mut Vec<Problem>) {
    for reference in resources.references() {
        let Reference { from, kind, key } = &reference;
        if resources.contains(*kind, key.as_str()) || absent.contains(&(*kind, key.clone())) {
            continue;
        }
        let known = resources.keys(*kind);
        let known = known.into_iter().chain(absent.iter().filter(|(absent, _)| absent == kind).map(|(_, key)| key));
        let others = known.filter(|known| from.as_ref().is_none_or(|(of, from)| (of, from) != (kind, *known)));
        let help = suggest::choose(key.as_str(), kind.noun(), others.map(Key::as_str));
        for path in places(resources, from.as_ref(), *kind, key) {
            let message = match kind {
                Kind::Hours => format!("there are no hours `{key}`"),
                _ => format!("there is no {kind} `{key}`"),
            };
            problems.push(Problem::error("unknown_reference", path, message).help(help.clone()).about(key.as_str()));
        }
    }
    for (key, flag) in &resources.flags {
        for (named, variant) in &flag.prerequisites {
            if let Some(named_flag) = resources.flags.get(named) {
                prerequisite(&at(Kind::Flag, key).then("prerequisites"), named, named_flag, variant, problems);
            }
        }
    }
}

fn prerequisite(path: &Path, named: &Key, flag: &Flag, variant: &Key, problems: &mut Vec<Problem>) {
    let path = path.then(named.as_str());
    if !flag.variants.contains_key(variant) {
        let known = flag.variants.keys().map(Key::as_str);
        let problem = Problem::error("unknown_variant", path, format!("the flag `{named}` has no variant `{variant}`"));
        problems.push(problem.help(suggest::choose(variant.as_str(), "variant", known)));
        return;
    }
    let serves = |serve: &Serve| match serve {
        Serve::Serve(name) => name == variant,
        Serve::Rollout(shares) => shares.get(variant).is_some_and(|share| share.thousandths() > 0),
    };
    if flag.default != *variant && !flag.rules.iter().any(|rule| serves(&rule.serve)) {
        let message = format!("`{named}` never serves `{variant}`: this flag would always be off");
        problems.push(Problem::warning("never_served", path, message).help("name a variant that it serves"));
    }
}

/// Where a resource names another: every place, in its fields.
pub(crate) fn places(resources: &Resources, from: Option<&(Kind, Key)>, kind: Kind, key: &Key) -> Vec<Path> {
    let Some((source_kind, source)) = from else { return vec![Path::default().then("protect")] };
    let path = at(*source_kind, source);
    match (source_kind, kind) {
        (Kind::Flag, Kind::Flag) => vec![path.then("prerequisites").then(key.as_str())],
        (Kind::Flag, _) => resources.flags.get(source).map_or_else(Vec::new, |flag| rules_with(flag, &path, key)),
        (Kind::Fault, Kind::Slo) => vec![path.then("guard").then("slo")],
        (Kind::Fault, Kind::OnCall) => vec![path.then("guard").then("on_call")],
        (Kind::Fault | Kind::OnCall, Kind::Hours) => vec![path.then("hours")],
        _ => vec![path.then("when")],
    }
}

fn rules_with(flag: &Flag, path: &Path, segment: &Key) -> Vec<Path> {
    let names = |rule: &daybreak_model::Rule| rule.when.as_ref().is_some_and(|when| when.segments().contains(segment));
    let rules = flag.rules.iter().enumerate().filter(|(_, rule)| names(rule));
    rules.map(|(index, _)| path.then("rules").then(index).then("when")).collect()
}

/// What refers to a resource, so that it cannot be deleted: empty where nothing does.
///
/// Each is written as a path, as in `flags.new-checkout.rules[0].when`.
#[must_use]
pub fn referrers(resources: &Resources, kind: Kind, key: &Key) -> Vec<String> {
    let references = resources.references();
    let to_it = references.iter().filter(|reference| reference.kind == kind && reference.key == *key);
    let others = to_it.filter(|reference| reference.from.as_ref().is_none_or(|from| *from != (kind, key.clone())));
    others
        .flat_map(|reference| places(resources, reference.from.as_ref(), kind, key))
        .map(|path| path.to_string())
        .collect()
}
