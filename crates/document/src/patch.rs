//! Changes parts of one resource: JSON merge patch (RFC 7396), with rules addressed by their names.
//!
//! Fields that the patch names are replaced, maps are merged, and `null` takes a field back to its default.
//! `rules` as a map of names reaches into the list: `{"rules": {"eu-pro": {"percentage": "50%"}}}` changes that
//! field of that rule, `null` removes the rule, and a name that is new must bring a whole rule, which is appended.
//! `rules` as a list replaces all of them, as RFC 7396 has it.

use daybreak_model::{Key, Kind, Resources};
use jiff::civil::Date;
use serde_json::{Map, Value};

use crate::decode;
use crate::diagnostic::{Diagnostic, Place, Problem, Severity, locate};
use crate::diff::by_name;
use crate::encode::encode_resource;
use crate::fields;
use crate::path::Path;
use crate::source::{Source, Span};
use crate::suggest;
use crate::tree::{self, Entry, Node, Tree};

/// A patch that was read, and not yet applied to anything.
#[derive(Clone, Debug)]
pub struct Patch {
    source: Source,
    written: Option<Node>,
    problems: Vec<Problem>,
}

impl Patch {
    /// Reads a patch.
    #[must_use]
    pub fn read(source: Source) -> Self {
        let mut problems = Vec::new();
        let written = parse(&source, &mut problems);
        Self { source, written, problems }
    }

    /// Applies it to one resource, and checks the outcome against all others: what then is there, and what is worth
    /// knowing of it. With `today`, also that the flag has expired.
    ///
    /// # Errors
    /// When there is no such resource, or the patch or its outcome is wrong: everything that is, with its place in
    /// the patch.
    pub fn apply(
        &self,
        kind: Kind,
        key: &Key,
        current: &Resources,
        today: Option<Date>,
    ) -> Result<(Resources, Vec<Diagnostic>), Vec<Diagnostic>> {
        let sources = std::slice::from_ref(&self.source);
        let Some(Value::Object(target)) = encode_resource(current, kind, key.as_str()) else {
            let problem =
                Problem::error("unknown_reference", Path::default(), format!("there is no {kind} `{key}` to patch"));
            let known = current.keys(kind);
            let count = known.len();
            let help = suggest::choose(key.as_str(), kind.noun(), known.into_iter().map(Key::as_str), count, 0);
            return Err(locate(vec![problem.help(help)], sources, &[]));
        };
        let mut problems = self.problems.clone();
        let own = crate::check::at(kind, key);
        if let Some(written) = &self.written {
            unknown_nulls(kind, written, &own, &mut problems);
            no_rules(written, &own, &mut problems);
        }
        let Some(written) = self.written.as_ref().filter(|_| !has_error(&problems)) else {
            return Err(locate(problems, sources, &[]));
        };
        let merged = apply(target, written);
        let trees = [(0, aligned(written.clone(), &merged).under(key.as_str()).under(kind.section()))];
        let (resources, found) = decode::replace_form(kind, key, &Value::Object(merged), current, today);
        problems.extend(found);
        let is_refused = has_error(&problems);
        let diagnostics = locate(problems, sources, &trees);
        if is_refused { Err(diagnostics) } else { Ok((resources, diagnostics)) }
    }
}

/// Reads a patch, and applies it: see [`Patch::apply`].
///
/// # Errors
/// Those of [`Patch::apply`].
pub fn patch(
    kind: Kind,
    key: &Key,
    current: &Resources,
    patch: &Source,
) -> Result<(Resources, Vec<Diagnostic>), Vec<Diagnostic>> {
    Patch::read(patch.clone()).apply(kind, key, current, None)
}

fn has_error(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

fn parse(patch: &Source, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut trees = tree::parse(0, &patch.text, problems);
    let tree = trees.pop().filter(|tree| trees.is_empty() && matches!(tree.tree, Tree::Map(_)));
    if tree.is_none() && problems.is_empty() {
        let place = Place { source: 0, span: Span::default() };
        let problem = Problem::error("wrong_type", Path::default(), "a patch is one map of fields");
        problems.push(problem.help("write the fields to change, as in `{\"enabled\": false}`").at(place));
    }
    tree
}

/// Notes fields that the patch takes away though no such resource has them: the outcome would not show it.
fn unknown_nulls(kind: Kind, written: &Node, own: &Path, problems: &mut Vec<Problem>) {
    let noun = fields::of(kind);
    let Tree::Map(entries) = &written.tree else { return };
    for entry in entries.iter().filter(|entry| entry.value.tree == Tree::Null && noun.field(&entry.key).is_none()) {
        let message = format!("{} has no field `{}`", noun.name, tree::shorten(&entry.key));
        let help = suggest::choose(&entry.key, "field", noun.names(), noun.fields.len(), problems.len());
        let place = Place { source: 0, span: entry.span };
        problems.push(Problem::error("unknown_field", own.then(entry.key.as_str()), message).help(help).at(place));
    }
}

/// Notes what is written as a rule, and is none: its place in the list could not be told.
fn no_rules(written: &Node, own: &Path, problems: &mut Vec<Problem>) {
    let Some(Tree::Map(rules)) = written.entry("rules").map(|entry| &entry.value.tree) else { return };
    for Entry { key, value, .. } in rules.iter().filter(|entry| !matches!(entry.value.tree, Tree::Map(_) | Tree::Null))
    {
        let message = format!("a rule's fields are expected here, not {}", value.what());
        let help = "write the fields to change, as in `{\"percentage\": \"50%\"}`, or null to remove the rule";
        let place = Place { source: 0, span: value.head };
        let path = own.then("rules").then(key.as_str());
        problems.push(Problem::error("wrong_type", path, message).help(help).at(place));
    }
}

/// The target with the patch applied.
fn apply(mut target: Map<String, Value>, patch: &Node) -> Map<String, Value> {
    let Tree::Map(entries) = &patch.tree else { return target };
    for Entry { key, value, .. } in entries {
        match &value.tree {
            Tree::Null => drop(target.shift_remove(key)),
            Tree::Map(_) if key == "rules" => {
                let rules = rules(by_name(target.get("rules")), value);
                target.insert(key.clone(), rules);
            }
            _ => {
                let merged = merge_patch(target.get(key), value);
                target.insert(key.clone(), merged);
            }
        }
    }
    target
}

/// RFC 7396, section 2.
fn merge_patch(target: Option<&Value>, patch: &Node) -> Value {
    let Tree::Map(entries) = &patch.tree else { return patch.to_json() };
    let mut merged = target.and_then(Value::as_object).cloned().unwrap_or_default();
    for Entry { key, value, .. } in entries {
        match value.tree {
            Tree::Null => drop(merged.shift_remove(key)),
            _ => {
                let value = merge_patch(merged.get(key), value);
                merged.insert(key.clone(), value);
            }
        }
    }
    Value::Object(merged)
}

fn rules(mut rules: Vec<(String, Value)>, patch: &Node) -> Value {
    let Tree::Map(entries) = &patch.tree else { return patch.to_json() };
    for Entry { key, value, .. } in entries {
        let at = rules.iter().position(|(name, _)| name == key);
        match (at, &value.tree) {
            (Some(at), Tree::Null) => drop(rules.remove(at)),
            // Removing what is not there is no fault: the outcome is the same.
            (None, Tree::Null) => {}
            (Some(at), _) => rules[at].1 = merge_patch(Some(&rules[at].1), value),
            (None, _) => {
                let mut rule = Map::from_iter([("name".to_owned(), key.as_str().into())]);
                rule.extend(merge_patch(None, value).as_object().cloned().unwrap_or_default());
                rules.push((key.clone(), Value::Object(rule)));
            }
        }
    }
    Value::Array(rules.into_iter().map(|(_, rule)| rule).collect())
}

/// The patch with its rules in the list that they became, so that places are found by index.
fn aligned(mut patch: Node, merged: &Map<String, Value>) -> Node {
    let Tree::Map(entries) = &mut patch.tree else { return patch };
    for entry in entries.iter_mut().filter(|entry| entry.key == "rules") {
        let Tree::Map(written) = &entry.value.tree else { continue };
        let untouched = Node { head: entry.span, tree: Tree::Null };
        let find = |name: &str| written.iter().find(|entry| entry.key == name).map(|entry| entry.value.clone());
        let rules =
            by_name(merged.get("rules")).into_iter().map(|(name, _)| find(&name).unwrap_or_else(|| untouched.clone()));
        entry.value.tree = Tree::List(rules.collect());
    }
    patch
}
