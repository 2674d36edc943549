//! Applies files to what a server holds: a three-way merge, field by field.
//!
//! `base` is what was applied last, `file` is what is to be applied, `current` is what the server holds, with
//! what operators changed since. What the file changed against the base wins; everything else stays as it is.
//! It happens on the document form, which leaves defaults out: so writing out a default is no change. Where two of the
//! three are the same, as of most resources, the third is taken as it is, and no form is made.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use daybreak_model::{Key, Kind, Resources};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::decode;
use crate::diagnostic::Diagnostic;
use crate::diff::{by_name, index};
use crate::encode::encode_resource;

/// A merge.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// What the server is to hold.
    pub resources: Resources,
    /// Where the file and an operator disagreed, and the file won.
    pub notes: Vec<Overridden>,
}

/// Something that an operator had changed, and that the file changed too: the file won.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overridden {
    /// What kind of resource.
    pub kind: Kind,
    /// Which one.
    pub key: Key,
    /// Which of its fields: `enabled`, `rules.eu-pro.percentage`; `None` is the whole resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the operator had made of it, in document form; `None`: removed, or back to its default.
    pub was: Option<Value>,
    /// What the file says.
    pub now: Option<Value>,
}

/// Merges three ways.
///
/// # Errors
/// When the outcome is not valid, as where the file drops a variant that an operator's rule serves: then
/// what is wrong with it, and nothing is to be changed.
pub fn merge(base: &Resources, file: &Resources, current: &Resources) -> Result<Merged, Vec<Diagnostic>> {
    let mut notes = Vec::new();
    let mut document = Map::new();
    let (settled, open) = settle(base, file, current);
    for (kind, keys) in &open {
        let mut section = Map::new();
        for key in keys {
            let form = |resources: &Resources| encode_resource(resources, *kind, key.as_str());
            let mut merge = Merge { kind: *kind, key, notes: &mut notes };
            if let Some(merged) = merge.resource(form(base), form(file), form(current)) {
                section.insert(key.to_string(), merged);
            }
        }
        document.insert(kind.section().to_owned(), Value::Object(section));
    }
    let stays = |key: &&Key| file.protect.contains(*key) || !base.protect.contains(*key);
    let arrives = |key: &&Key| !base.protect.contains(*key);
    let protect = current.protect.iter().filter(stays).chain(file.protect.iter().filter(arrives));
    let mut protect: Vec<&str> = protect.map(Key::as_str).collect();
    protect.sort_unstable();
    protect.dedup();
    document.insert("protect".to_owned(), protect.into());
    let resources = decode::decode_form_over(&Value::Object(document), &settled)?;
    Ok(Merged { resources, notes })
}

/// The resources that need no merge, and the keys of those that do.
fn settle<'r>(
    base: &'r Resources,
    file: &'r Resources,
    current: &'r Resources,
) -> (Resources, Vec<(Kind, Vec<&'r Key>)>) {
    let mut settled = Resources::default();
    macro_rules! settle {
        ($kind:ident, $field:ident) => {{
            let taken = |key: &Key| settle_one(base.$field.get(key), file.$field.get(key), current.$field.get(key));
            let mut open = Vec::new();
            for key in keys(Kind::$kind, file, current) {
                match taken(key) {
                    Some(taken) => settled.$field.extend(taken.map(|resource| (key.clone(), resource.clone()))),
                    None => open.push(key),
                }
            }
            (Kind::$kind, open)
        }};
    }
    let open = vec![
        settle!(Flag, flags),
        settle!(Segment, segments),
        settle!(Fault, faults),
        settle!(Hours, hours),
        settle!(Slo, slos),
        settle!(OnCall, on_call),
    ];
    (settled, open)
}

/// The keys of a kind that the file or the server has, in order.
fn keys<'r>(kind: Kind, file: &'r Resources, current: &'r Resources) -> Vec<&'r Key> {
    let mut keys = [file.keys(kind), current.keys(kind)].concat();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What becomes of a resource, where that is seen at a glance.
fn settle_one<'r, T: PartialEq>(
    base: Option<&'r T>,
    file: Option<&'r T>,
    current: Option<&'r T>,
) -> Option<Option<&'r T>> {
    if file == current || file == base {
        return Some(current);
    }
    (current == base).then_some(file)
}

struct Merge<'m> {
    kind: Kind,
    key: &'m Key,
    notes: &'m mut Vec<Overridden>,
}

impl Merge<'_> {
    fn note(&mut self, field: Option<String>, was: Option<&Value>, now: Option<&Value>) {
        let (kind, key) = (self.kind, self.key.clone());
        self.notes.push(Overridden { kind, key, field, was: was.cloned(), now: now.cloned() });
    }

    /// One resource, of which each side may have none.
    fn resource(&mut self, base: Option<Value>, file: Option<Value>, current: Option<Value>) -> Option<Value> {
        match (base, file, current) {
            (Some(Value::Object(base)), Some(Value::Object(file)), Some(Value::Object(current))) => {
                Some(Value::Object(self.fields("", &base, &file, &current)))
            }
            // Both have it, and no file had it before: what the file writes wins, and all else stays. What can be served
            // is one with the default, which every file writes.
            (None, Some(Value::Object(file)), Some(Value::Object(mut current))) => {
                // Rules of the one could serve what the other does not have.
                if !same_variants(&file, &current) {
                    current.shift_remove("rules");
                }
                for name in SERVED.into_iter().filter(|name| !file.contains_key(*name)) {
                    current.shift_remove(name);
                }
                Some(Value::Object(self.fields("", &Map::new(), &file, &current)))
            }
            (base, file, current) => self.whole(None, base.as_ref(), file, current),
        }
    }

    /// Something that is taken as a whole: the file's where the file changed it, else the server's.
    fn whole(
        &mut self,
        field: Option<String>,
        base: Option<&Value>,
        file: Option<Value>,
        current: Option<Value>,
    ) -> Option<Value> {
        if file.as_ref() == base {
            return current;
        }
        if current.as_ref() != base && current != file {
            self.note(field, current.as_ref(), file.as_ref());
        }
        file
    }

    /// Each field by itself; `prefix` is empty, or `rules.NAME.`.
    fn fields(
        &mut self,
        prefix: &str,
        base: &Map<String, Value>,
        file: &Map<String, Value>,
        current: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut names: Vec<&String> = current.keys().collect();
        names.extend(file.keys().filter(|name| !current.contains_key(*name)));
        let mut merged = Map::new();
        for name in names {
            // What a rule serves is one thing, written in one of two ways.
            if !prefix.is_empty() && SERVES.contains(&name.as_str()) {
                continue;
            }
            let side = |side: &Map<String, Value>| side.get(name).cloned();
            let value = match name.as_str() {
                "rules" => self.rules(base.get(name), side(file).as_ref(), side(current).as_ref()),
                _ => self.whole(Some(format!("{prefix}{name}")), base.get(name), side(file), side(current)),
            };
            merged.extend(value.map(|value| (name.clone(), value)));
        }
        if !prefix.is_empty() {
            let served =
                self.whole(Some(format!("{prefix}serve")), serves(base).as_ref(), serves(file), serves(current));
            if let Some(Value::Object(served)) = served {
                merged.extend(served);
            }
        }
        merged
    }

    fn rules(&mut self, base: Option<&Value>, file: Option<&Value>, current: Option<&Value>) -> Option<Value> {
        let [base, file, current] = [base, file, current].map(by_name);
        let indices = [&base, &file, &current].map(|rules| index(rules));
        let mut merged: Vec<(&str, Value)> = Vec::new();
        for name in order(&base, &file, &current) {
            let [base, file, current] = [0, 1, 2].map(|side: usize| indices[side].get(name).copied().cloned());
            let rule = match (base, file, current) {
                (Some(Value::Object(base)), Some(Value::Object(file)), Some(Value::Object(current))) => {
                    Some(Value::Object(self.fields(&format!("rules.{name}."), &base, &file, &current)))
                }
                (base, file, current) => self.whole(Some(format!("rules.{name}")), base.as_ref(), file, current),
            };
            merged.extend(rule.map(|rule| (name, rule)));
        }
        let rules: Vec<Value> = merged.into_iter().map(|(_, rule)| rule).collect();
        (!rules.is_empty()).then_some(Value::Array(rules))
    }
}

/// The fields of a flag that are one with its default.
const SERVED: [&str; 2] = ["variants", "off"];
const SERVES: [&str; 2] = ["serve", "rollout"];

/// Whether both flags have variants of the same names, or neither writes any.
fn same_variants(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let names = |flag: &Map<String, Value>| -> Option<BTreeSet<String>> {
        Some(flag.get("variants")?.as_object()?.keys().cloned().collect())
    };
    names(one) == names(other)
}

/// What a rule serves, and nothing else of it.
fn serves(rule: &Map<String, Value>) -> Option<Value> {
    let served: Map<String, Value> =
        SERVES.iter().filter_map(|name| Some(((*name).to_owned(), rule.get(*name)?.clone()))).collect();
    (!served.is_empty()).then_some(Value::Object(served))
}

type Rules = [(String, Value)];

/// The names of all rules of the file and the server: in the file's order where the file changed it, else in the
/// server's; each of the other's after the one that it follows there.
fn order<'r>(base: &'r Rules, file: &'r Rules, current: &'r Rules) -> Vec<&'r str> {
    let common = |rules: &'r Rules, others: &Rules| -> Vec<&'r str> {
        let others = index(others);
        rules.iter().map(|(name, _)| name.as_str()).filter(|name| others.contains_key(name)).collect()
    };
    let is_reordered = common(base, file) != common(file, base);
    let (first, second) = if is_reordered { (file, current) } else { (current, file) };
    let known = index(first);
    let mut followers: HashMap<Option<&str>, Vec<&str>> = HashMap::new();
    let mut last = None;
    for (name, _) in second {
        match known.contains_key(name.as_str()) {
            true => last = Some(name.as_str()),
            false => followers.entry(last).or_default().push(name),
        }
    }
    let anchors = std::iter::once(None).chain(first.iter().map(|(name, _)| Some(name.as_str())));
    anchors.flat_map(|anchor| anchor.into_iter().chain(followers.remove(&anchor).unwrap_or_default())).collect()
}

impl fmt::Display for Overridden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, key, field, was, now } = self;
        let text = |value: &Option<Value>| match (value, field) {
            (None, None) => "removed".to_owned(),
            (None, Some(_)) => "(default)".to_owned(),
            (Some(Value::String(text)), _) => text.clone(),
            (Some(other), _) => other.to_string(),
        };
        match field {
            Some(field) => write!(f, "{kind} {key}: the file's {field} wins: {} → {}", text(was), text(now)),
            None => write!(f, "{kind} {key}: the file wins: {} → {}", text(was), text(now)),
        }
    }
}
