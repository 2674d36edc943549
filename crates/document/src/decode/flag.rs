//! Reads flags, their variants and rules, and segments.

use std::collections::BTreeMap;

use daybreak_model::limits::{RULES_MAX, VARIANTS_MAX};
use daybreak_model::{Condition, Flag, Key, Percentage, Rule, Scalar, Segment, Serve, Value};

use super::json;
use super::reader::{Fields, Reader};
use crate::diagnostic::{Place, Problem};
use crate::fields::{FLAG, RULE, SEGMENT};
use crate::suggest;
use crate::tree::{Entry, Node, Number, Tree};

impl Reader<'_> {
    /// A flag. What is wrong in it is noted and stands in by a placeholder, so that the rest can be checked too.
    pub(crate) fn flag(&mut self, key: &Key, node: &Node) -> Option<Flag> {
        let fields = &self.fields(node, &FLAG)?;
        let variants = match fields.has("variants") {
            true => self.field(fields, "variants", Self::variants).unwrap_or_else(|| {
                self.stand_in("variants");
                BTreeMap::new()
            }),
            false => on_and_off(),
        };
        let off = self.field(fields, "off", Self::variant_name).or_else(|| false_variant(&variants));
        Some(Flag {
            description: self.field(fields, "description", Self::text),
            owner: self.field(fields, "owner", Self::text),
            tags: self.field(fields, "tags", Self::tags).unwrap_or_default(),
            metadata: self.field(fields, "metadata", Self::metadata).unwrap_or_default(),
            client: self.field(fields, "client", Self::boolean).unwrap_or(false),
            enabled: self.field(fields, "enabled", Self::boolean).unwrap_or(true),
            expires: self.field(fields, "expires", Self::date),
            default: self.field(fields, "default", Self::variant_name).unwrap_or_else(|| {
                self.stand_in("default");
                key.clone()
            }),
            rules: self.field(fields, "rules", |reader, node| reader.rules(key, node)).unwrap_or_default(),
            prerequisites: self.field(fields, "prerequisites", Self::prerequisites).unwrap_or_default(),
            salt: self.field(fields, "salt", Self::salt),
            variants,
            off,
        })
    }

    pub(crate) fn segment(&mut self, node: &Node) -> Option<Segment> {
        let fields = &self.fields(node, &SEGMENT)?;
        Some(Segment {
            description: self.field(fields, "description", Self::text),
            owner: self.field(fields, "owner", Self::text),
            when: self.field(fields, "when", Self::condition).unwrap_or_else(nothing),
        })
    }

    pub(crate) fn tags(&mut self, node: &Node) -> Option<Vec<String>> {
        self.list(node, "write a list, as in `[checkout, payments]`", Self::words)
    }

    pub(crate) fn metadata(&mut self, node: &Node) -> Option<BTreeMap<String, Scalar>> {
        let mut metadata = BTreeMap::new();
        self.entries(node, "write names and plain values, as in `{ ticket: SHOP-7 }`", |reader, entry| {
            if entry.key.starts_with('$') {
                let help = format!("write another name, such as `{}`", entry.key.trim_start_matches('$'));
                reader.error("reserved_name", entry.span, "names that begin with `$` are reserved", help);
            } else if let Some(scalar) = reader.scalar(&entry.value) {
                metadata.insert(entry.key.clone(), scalar);
            }
        })?;
        Some(metadata)
    }

    fn prerequisites(&mut self, node: &Node) -> Option<BTreeMap<Key, Key>> {
        let mut prerequisites = BTreeMap::new();
        self.entries(node, "write flags and their variants, as in `{ new-cart: on }`", |reader, entry| {
            let flag = reader.check_key(&entry.key, entry.span);
            if let (Some(flag), Some(variant)) = (flag, reader.variant_name(&entry.value)) {
                prerequisites.insert(flag, variant);
            }
        })?;
        Some(prerequisites)
    }

    fn variants(&mut self, node: &Node) -> Option<BTreeMap<Key, Value>> {
        let help = "write names and values, as in `{ list: 1, grid: 3 }`";
        let Tree::Map(entries) = &node.tree else { return self.wrong(node, "a map of variants", help) };
        if entries.is_empty() {
            self.error("empty_value", node.head, "a flag needs at least one variant", help);
            return None;
        }
        if entries.len() > VARIANTS_MAX {
            let message = format!("a flag has at most {VARIANTS_MAX} variants, this one {}", entries.len());
            let help = "put what differs between them into the application, or into several flags";
            self.error("too_many", node.head, message, help);
            return None;
        }
        self.warn_of_switches(node, entries);
        let wanted = prevailing(entries.iter().map(|entry| &entry.value));
        let float = entries.iter().any(|entry| matches!(entry.value.tree, Tree::Number(Number::Float(_))));
        let mut variants = BTreeMap::new();
        for entry in entries {
            self.within(entry.key.as_str(), |reader| {
                let value = reader.variant(&entry.value, wanted, float).unwrap_or_else(|| {
                    reader.notes.stand_ins.insert(reader.path.clone());
                    stand_in(wanted, float)
                });
                // Under the name that was told to be written, others may speak of it.
                let name = reader.check_key(&entry.key, entry.span).or_else(|| suggest::as_key(&entry.key));
                variants.extend(name.map(|name| (name, value)));
            });
        }
        Some(variants)
    }

    /// Warns of texts that are probably meant as booleans.
    fn warn_of_switches(&mut self, node: &Node, entries: &[Entry]) {
        if entries.iter().all(|entry| matches!(&entry.value.tree, Tree::Text { text, plain: true } if is_switch(text)))
        {
            let message = "these variants are texts, not booleans";
            let help = "for booleans write `true` and `false`; for texts quote them";
            let place = Place { source: self.source, span: node.head };
            self.problems.push(Problem::warning("text_switch", self.path.clone(), message).help(help).at(place));
        }
    }

    fn variant(&mut self, node: &Node, wanted: Option<&'static str>, float: bool) -> Option<Value> {
        if let (Some(found), Some(wanted)) = (type_of(node), wanted)
            && found != wanted
        {
            let help = match (&node.tree, wanted) {
                (Tree::Text { text, plain: true }, "boolean") if is_switch(text) => {
                    "for booleans write `true` and `false`".to_owned()
                }
                (Tree::Boolean(_) | Tree::Number(_), "string") => "quote it".to_owned(),
                (Tree::Text { plain: false, .. }, "number" | "boolean") => "write it without quotes".to_owned(),
                _ => format!("write a {wanted}, or make them all of type {found}"),
            };
            let message = format!("this variant is a {found}, the others are of type {wanted}");
            self.error("variant_type", node.head, message, help);
            return None;
        }
        Some(match &node.tree {
            Tree::Boolean(value) => Value::Boolean(*value),
            Tree::Number(number) if float => Value::Float(number.to_f64()),
            Tree::Number(Number::Integer(value)) => Value::Integer(*value),
            Tree::Number(Number::Float(value)) => Value::Float(*value),
            Tree::Text { text, .. } => Value::String(text.as_str().into()),
            Tree::Map(_) => match json::read(self, node)? {
                serde_json::Value::Object(map) => Value::Object(map),
                _ => return None,
            },
            Tree::List(_) => {
                return self.wrong(
                    node,
                    "a boolean, a string, a number or an object",
                    "put the list into an object, as in `{ items: […] }`",
                );
            }
            Tree::Null | Tree::Reported => {
                return self.wrong(node, "a boolean, a string, a number or an object", "write a value");
            }
        })
    }

    fn rules(&mut self, flag: &Key, node: &Node) -> Option<Vec<Rule>> {
        if let Tree::List(items) = &node.tree
            && items.len() > RULES_MAX
        {
            let message = format!("a flag has at most {RULES_MAX} rules, this one {}", items.len());
            let help = "put those whom several rules select into one list, or into a segment";
            self.error("too_many", node.head, message, help);
            return None;
        }
        self.list(node, "write each rule after a dash, in their order", |reader, item| Some(reader.rule(flag, item)))
    }

    /// A rule; always one, so that the places of those after it hold.
    fn rule(&mut self, flag: &Key, node: &Node) -> Rule {
        let Some(fields) = &self.fields(node, &RULE) else {
            self.stand_in("name");
            let (name, serve) = (flag.clone(), Serve::Serve(flag.clone()));
            return Rule { name, description: None, when: Some(nothing()), percentage: None, by: None, serve };
        };
        Rule {
            name: self.field(fields, "name", Self::key).unwrap_or_else(|| {
                self.stand_in("name");
                flag.clone()
            }),
            description: self.field(fields, "description", Self::text),
            when: self.field(fields, "when", Self::condition).or(fields.has("when").then(nothing)),
            percentage: self
                .field(fields, "percentage", Self::percentage)
                .or(fields.has("percentage").then_some(Percentage::ZERO)),
            by: self.field(fields, "by", Self::attribute_field),
            serve: self.serve(fields).unwrap_or_else(|| {
                self.stand_in("serve");
                Serve::Serve(flag.clone())
            }),
        }
    }

    /// The name of an attribute as the value of a field.
    pub(crate) fn attribute_field(&mut self, node: &Node) -> Option<Box<str>> {
        let text = self.words(node)?;
        self.attribute_name(&text, node.head)
    }

    fn serve(&mut self, fields: &Fields<'_>) -> Option<Serve> {
        let serve = self.field(fields, "serve", Self::variant_name);
        let rollout = self.field(fields, "rollout", Self::rollout);
        match (fields.was_meant("serve"), fields.was_meant("rollout")) {
            (true, true) => {
                let help = "keep `serve` for one variant, or `rollout` for shares of several";
                let span = fields.span("rollout").unwrap_or(fields.head);
                self.within("rollout", |reader| {
                    reader.error("conflict", span, "a rule has either `serve` or `rollout`, not both", help);
                });
            }
            (false, false) => {
                let help = "write `serve:` and a variant, or `rollout:` and the shares of several";
                self.within("serve", |reader| {
                    reader.error("missing_field", fields.head, "a rule needs `serve` or `rollout`", help);
                });
            }
            _ => {}
        }
        serve.map(Serve::Serve).or(rollout.map(Serve::Rollout))
    }

    fn rollout(&mut self, node: &Node) -> Option<BTreeMap<Key, Percentage>> {
        let mut shares = BTreeMap::new();
        let help = "write variants and their shares, as in `{ grid: 30%, list: 70% }`";
        self.entries(node, help, |reader, entry| {
            let share = reader.percentage(&entry.value);
            if let (Some(variant), Some(share)) = (reader.check_key(&entry.key, entry.span), share) {
                shares.insert(variant, share);
            }
        })?;
        Some(shares)
    }
}

/// What stands for a condition that was reported.
fn nothing() -> Condition {
    Condition::All(Vec::new())
}

/// The variants of a boolean flag that names none.
pub(crate) fn on_and_off() -> BTreeMap<Key, Value> {
    let variant = |name: &str, value| Some((Key::new(name).ok()?, Value::Boolean(value)));
    [variant("on", true), variant("off", false)].into_iter().flatten().collect()
}

/// The variant that a boolean flag serves when disabled, unless said.
pub(crate) fn false_variant(variants: &BTreeMap<Key, Value>) -> Option<Key> {
    variants.iter().find(|(_, value)| **value == Value::Boolean(false)).map(|(name, _)| name.clone())
}

/// Whether a text is what many write for a boolean.
fn is_switch(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "on" | "off" | "yes" | "no")
}

fn type_of(node: &Node) -> Option<&'static str> {
    match node.tree {
        Tree::Boolean(_) => Some("boolean"),
        Tree::Number(_) => Some("number"),
        Tree::Text { .. } => Some("string"),
        Tree::Map(_) => Some("object"),
        Tree::Null | Tree::List(_) | Tree::Reported => None,
    }
}

/// The type of most of the values; of the first among equals.
fn prevailing<'n>(values: impl Iterator<Item = &'n Node>) -> Option<&'static str> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for found in values.filter_map(type_of) {
        match counts.iter_mut().find(|(known, _)| *known == found) {
            Some((_, count)) => *count += 1,
            None => counts.push((found, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(found, _)| found)
}

/// What stands for a variant that was reported, so that its flag keeps its type.
fn stand_in(wanted: Option<&str>, float: bool) -> Value {
    match wanted {
        Some("number") if float => Value::Float(0.0),
        Some("number") => Value::Integer(0),
        Some("string") => Value::String("".into()),
        Some("object") => Value::Object(serde_json::Map::new()),
        _ => Value::Boolean(true),
    }
}
