//! A document as a tree whose every part knows where it was written.

mod json;
mod scalar;
mod yaml;

pub(crate) use scalar::{is_ambiguous, is_plain_text};
pub(crate) use yaml::lacks_space;

use daybreak_model::limits::{DOCUMENT_PARTS_MAX, DOCUMENT_TEXT_BYTES_MAX, FIELD_PARTS, LISTED_BYTES_MAX};

use crate::diagnostic::{Place, Problem};
use crate::path::{Path, Step};
use crate::source::Span;

/// How deep a document may nest: a condition of the greatest depth, written with a list at each level.
const NESTING_MAX: usize = 100;

/// Reads a text: a tree for each document in it, and everything that is wrong with it.
///
/// A broken text gives no tree, so that nobody takes half a document for a whole one.
pub(crate) fn parse(source: usize, text: &str, problems: &mut Vec<Problem>) -> Vec<Node> {
    match json::parse(source, text, problems) {
        Some(tree) => vec![tree],
        None => yaml::parse(source, text, problems),
    }
}

/// Counts what a text holds: more than is taken is not kept, so that nothing is held of it but its bytes.
#[derive(Debug, Default)]
struct Parts {
    values: usize,
    text_bytes: usize,
}

impl Parts {
    /// Counts more values.
    fn add(&mut self, values: usize) {
        self.values = self.values.saturating_add(values);
    }

    /// Counts the text of a key or a value.
    fn add_text(&mut self, bytes: usize, in_list: bool) {
        if !in_list || bytes > LISTED_BYTES_MAX {
            self.text_bytes = self.text_bytes.saturating_add(bytes);
        }
    }

    /// Whether it is more than is taken.
    const fn are_too_many(&self) -> bool {
        self.values > DOCUMENT_PARTS_MAX || self.text_bytes > DOCUMENT_TEXT_BYTES_MAX
    }

    /// That a text holds more than is taken.
    fn problem(&self, source: usize, span: Span) -> Problem {
        let message = match self.text_bytes > DOCUMENT_TEXT_BYTES_MAX {
            true => format!(
                "the texts of this document have more than {DOCUMENT_TEXT_BYTES_MAX} bytes together; values of lists up to \
                 {LISTED_BYTES_MAX} bytes do not count"
            ),
            false => format!(
                "this document holds more than {DOCUMENT_PARTS_MAX} values, of which each field counts as {}",
                FIELD_PARTS + 1
            ),
        };
        let help =
            "split it into several; a long list into several segments, which `any: [{segment: a}, {segment: b}]` joins";
        Problem::error("too_large", Path::default(), message).help(help).at(Place { source, span })
    }
}

fn duplicate(source: usize, path: Path, name: &str, span: Span, first: Span) -> Problem {
    Problem::error("duplicate_key", path, format!("`{}` is written twice in one map", shorten(name)))
        .help("remove one of the two, or give it another name")
        .at(Place { source, span })
        .related(Place { source, span: first }, "first written here")
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// What to point at when the whole value is meant: a scalar itself, the key or the first line of the rest.
    pub(crate) head: Span,
    pub(crate) tree: Tree,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Boolean(bool),
    Number(Number),
    /// A text; `plain` when it was written without quotes.
    Text {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order written; each key once, but for the sections of a document.
    Map(Vec<Entry>),
    /// Something that was already reported: whoever meets it says nothing more.
    Reported,
}

/// A number as it was written: what was written as an integer stays one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) span: Span,
    pub(crate) value: Node,
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "integers beyond ±2⁵³ are refused when they are read")]
    pub(crate) const fn to_f64(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Float(float) => float,
        }
    }

    pub(crate) fn to_json(self) -> serde_json::Value {
        match self {
            Self::Integer(integer) => integer.into(),
            Self::Float(float) => float.into(),
        }
    }
}

impl Node {
    /// A tree of a value that was not written anywhere.
    pub(crate) fn from_json(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        let tree = match value {
            Value::Null => Tree::Null,
            Value::Bool(value) => Tree::Boolean(*value),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Tree::Number(Number::Integer(integer)),
                (None, Some(float)) => Tree::Number(Number::Float(float)),
                (None, None) => Tree::Reported,
            },
            Value::String(text) => Tree::Text { text: text.clone(), plain: false },
            Value::Array(items) => Tree::List(items.iter().map(Self::from_json).collect()),
            Value::Object(members) => {
                let entry = |(key, value): (&String, &Value)| Entry {
                    key: key.clone(),
                    span: Span::default(),
                    value: Self::from_json(value),
                };
                Tree::Map(members.iter().map(entry).collect())
            }
        };
        Self { head: Span::default(), tree }
    }

    /// The same value as JSON; what was reported is null.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.tree {
            Tree::Null | Tree::Reported => serde_json::Value::Null,
            Tree::Boolean(value) => (*value).into(),
            Tree::Number(number) => number.to_json(),
            Tree::Text { text, .. } => text.as_str().into(),
            Tree::List(items) => items.iter().map(Self::to_json).collect(),
            Tree::Map(entries) => serde_json::Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// A map of this one key.
    pub(crate) fn under(self, key: &str) -> Self {
        let head = self.head;
        Self { head, tree: Tree::Map(vec![Entry { key: key.to_owned(), span: head, value: self }]) }
    }

    /// What it is, with its article, for messages.
    pub(crate) fn what(&self) -> String {
        match &self.tree {
            Tree::Null => "nothing".into(),
            Tree::Boolean(value) => format!("the boolean `{value}`"),
            Tree::Number(Number::Integer(value)) => format!("the number `{value}`"),
            Tree::Number(Number::Float(value)) => format!("the number `{value:?}`"),
            Tree::Text { text, .. } => format!("the text `{}`", shorten(text)),
            Tree::List(_) => "a list".into(),
            Tree::Map(_) => "a map".into(),
            Tree::Reported => "a faulty value".into(),
        }
    }

    /// The entry of this key, where it is a map.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.tree {
            Tree::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// How many of the steps lead to something that was written, and that thing.
    pub(crate) fn follow(&self, steps: &[Step]) -> (usize, &Self) {
        let mut node = self;
        for (depth, step) in steps.iter().enumerate() {
            let next = match (step, &node.tree) {
                (Step::Field(name), _) => node.entry(name).map(|entry| &entry.value),
                (Step::Item(index), Tree::List(items)) => items.get(*index),
                (Step::Item(_), _) => None,
            };
            let Some(next) = next else { return (depth, node) };
            node = next;
        }
        (steps.len(), node)
    }

    /// Where a segment of this name is named: as the value of `segment`, or as an item of this list.
    pub(crate) fn find_name(&self, name: &str) -> Option<Span> {
        let is_name = |node: &Self| matches!(&node.tree, Tree::Text { text, .. } if text == name);
        match &self.tree {
            Tree::List(items) => items.iter().find_map(|item| match is_name(item) {
                true => Some(item.head),
                false => item.find_name(name),
            }),
            Tree::Map(entries) => {
                entries.iter().find_map(|entry| match entry.key == "segment" && is_name(&entry.value) {
                    true => Some(entry.value.head),
                    false => entry.value.find_name(name),
                })
            }
            _ => None,
        }
    }
}

/// At most 60 characters of a text.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
