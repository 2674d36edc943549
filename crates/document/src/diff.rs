//! What differs between two sets of resources, field by field.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use daybreak_model::{Flag, Key, Kind, Resources, Serve};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Problem, locate};
use crate::told::tell_resource;

/// How one resource differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What kind it is.
    pub kind: Kind,
    /// Its key.
    pub key: Key,
    /// What happened to it.
    pub change: Change,
}

/// What happened to a resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// These of its fields changed.
    Changed(Vec<FieldChange>),
}

/// How one field differs, in document form; a field that is absent has its default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// The field: `enabled`, `rules.eu-pro.percentage`; `rules` is their order, and `protect` whether the
    /// segment is protected.
    pub field: String,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What leads from one set of resources to another, in the order of documents.
#[must_use]
pub fn diff(before: &Resources, after: &Resources) -> Vec<Difference> {
    let mut differences = Vec::new();
    for kind in Kind::ALL {
        let mut keys = [before.keys(kind), after.keys(kind)].concat();
        if kind == Kind::Segment {
            keys.extend(before.protect.iter().chain(&after.protect));
        }
        keys.sort_unstable();
        keys.dedup();
        let found = keys.into_iter().filter_map(|key| Some((key, change(before, after, kind, key)?)));
        differences.extend(found.map(|(key, change)| Difference { kind, key: key.clone(), change }));
    }
    differences
}

fn change(before: &Resources, after: &Resources, kind: Kind, key: &Key) -> Option<Change> {
    let form = |resources: &Resources| tell_resource(resources, kind, key).map(|told| told.form);
    let mut fields = match (form(before), form(after)) {
        (None, Some(_)) => return Some(Change::Added),
        (Some(_), None) => return Some(Change::Removed),
        (Some(Value::Object(before)), Some(Value::Object(after))) => fields(&before, &after),
        _ => Vec::new(),
    };
    let (was, is) = (before.protect.contains(key), after.protect.contains(key));
    if kind == Kind::Segment && was != is {
        fields.push(FieldChange { field: "protect".into(), before: Some(was.into()), after: Some(is.into()) });
    }
    (!fields.is_empty()).then_some(Change::Changed(fields))
}

/// The fields of one map that differ; rules by their names.
fn fields(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let added = after.keys().filter(|name| !before.contains_key(*name));
    let names: Vec<&String> = before.keys().chain(added).collect();
    let mut changes = Vec::new();
    for name in names {
        match (before.get(name), after.get(name)) {
            (was, is) if was == is => {}
            (was, is) if name == "rules" => rules(was, is, &mut changes),
            (was, is) => changes.push(FieldChange { field: name.clone(), before: was.cloned(), after: is.cloned() }),
        }
    }
    changes
}

fn rules(before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    let (before, after) = (by_name(before), by_name(after));
    let (was, is) = (index(&before), index(&after));
    let names = before.iter().chain(after.iter().filter(|(name, _)| !was.contains_key(name.as_str())));
    for (name, _) in names {
        match (was.get(name.as_str()).copied(), is.get(name.as_str()).copied()) {
            (Some(Value::Object(was)), Some(Value::Object(is))) => {
                let prefixed =
                    |change: FieldChange| FieldChange { field: format!("rules.{name}.{}", change.field), ..change };
                changes.extend(fields(was, is).into_iter().map(prefixed));
            }
            (before, after) => {
                let (before, after) = (before.cloned(), after.cloned());
                changes.push(FieldChange { field: format!("rules.{name}"), before, after });
            }
        }
    }
    let order = |rules: &[(String, Value)], others: &HashMap<&str, &Value>| -> Vec<String> {
        rules.iter().map(|(name, _)| name.clone()).filter(|name| others.contains_key(name.as_str())).collect()
    };
    let (was, is) = (order(&before, &is), order(&after, &was));
    if was != is {
        changes.push(FieldChange { field: "rules".into(), before: Some(was.into()), after: Some(is.into()) });
    }
}

/// Rules by their names; of several of one name, the first.
pub(crate) fn index(rules: &[(String, Value)]) -> HashMap<&str, &Value> {
    rules.iter().rev().map(|(name, rule)| (name.as_str(), rule)).collect()
}

/// Rules in document form, with their names.
pub(crate) fn by_name(rules: Option<&Value>) -> Vec<(String, Value)> {
    let rules = rules.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = |rule: &Value| Some((rule.get("name")?.as_str()?.to_owned(), rule.clone()));
    rules.iter().filter_map(named).collect()
}

/// Warns of flags that seem to be renamed: their buckets are drawn with their key, so that everyone is drawn anew.
#[must_use]
pub fn renames(before: &Resources, after: &Resources) -> Vec<Diagnostic> {
    let removed = before.flags.iter().filter(|(key, _)| !after.flags.contains_key(*key));
    let is_new = |(key, _): &(&Key, &Arc<Flag>)| !before.flags.contains_key(*key);
    let mut problems = Vec::new();
    for (old, flag) in removed.filter(|(_, flag)| flag.salt.is_none() && draws(flag)) {
        for (new, _) in after.flags.iter().filter(is_new).filter(|(_, other)| *other == flag) {
            let message = format!("`{old}` became `{new}`: everyone is drawn anew");
            let path = crate::check::at(Kind::Flag, new);
            problems.push(
                Problem::warning("renamed", path, message)
                    .help(format!("write `salt: {old}` to keep everyone where they are")),
            );
        }
    }
    locate(problems, &[], &[])
}

/// Whether any of its answers is drawn.
fn draws(flag: &Flag) -> bool {
    flag.rules.iter().any(|rule| rule.percentage.is_some() || matches!(rule.serve, Serve::Rollout(_)))
}

impl fmt::Display for Difference {
    /// As `apply --dry-run` writes it: `+ flag a`, `- flag b`, `~ flag c` and below it each field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, key, change } = self;
        match change {
            Change::Added => write!(f, "+ {kind} {key}"),
            Change::Removed => write!(f, "- {kind} {key}"),
            Change::Changed(fields) => {
                write!(f, "~ {kind} {key}")?;
                fields.iter().try_for_each(|field| write!(f, "\n    {field}"))
            }
        }
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| match value {
            None => "(default)".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let is_rule = self.field.starts_with("rules.") && self.field.matches('.').count() == 1;
        match (&self.before, &self.after) {
            (None, Some(_)) if is_rule => write!(f, "{}: added", self.field),
            (Some(_), None) if is_rule => write!(f, "{}: removed", self.field),
            (before, after) => write!(f, "{}: {} → {}", self.field, text(before), text(after)),
        }
    }
}
