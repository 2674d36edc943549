//! JSON texts → trees.
//!
//! JSON is all but a part of YAML; what differs matters here: it may hold characters that YAML wants escaped,
//! its keys may be of any length, and `1e-7` is a number without doubt. So what is JSON as a whole is read by
//! `serde_json`, level by level: its raw values are slices of the text, and so tell their places.

use std::collections::HashMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use daybreak_model::limits::{DOCUMENT_PARTS_MAX, FIELD_PARTS};

use super::scalar::{self, Ambiguous};
use super::{Entry, NESTING_MAX, Node, Parts, Tree, duplicate};
use crate::diagnostic::{Place, Problem};
use crate::path::Path;
use crate::source::Span;

/// Reads a text that is a JSON object; `None` where it is not, and may be YAML.
pub(super) fn parse(source: usize, text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let mut reader = Reader { source, text, path: Path::default(), parts: Parts::default(), full: false, problems };
    let node = reader.value(raw, None);
    // Nobody takes half a document for a whole one.
    Some(if reader.full { Node { tree: Tree::Reported, ..node } } else { node })
}

struct Reader<'t, 'p> {
    source: usize,
    text: &'t str,
    path: Path,
    parts: Parts,
    /// Whether it was told that there are too many of them.
    full: bool,
    problems: &'p mut Vec<Problem>,
}

/// The items of a list.
struct Items<'t>(Vec<&'t RawValue>);

/// The members of an object, repeated ones too.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Reader<'t, '_> {
    fn span(&self, raw: &RawValue) -> Span {
        // A raw value is a slice of the text.
        let start = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Span::new(start, start + raw.get().len())
    }

    fn problem(&mut self, code: &'static str, span: Span, message: String, help: &str) -> Tree {
        let place = Place { source: self.source, span };
        self.problems.push(Problem::error(code, self.path.clone(), message).help(help).at(place));
        Tree::Reported
    }

    /// A value; `key` is where its key stands.
    fn value(&mut self, raw: &'t RawValue, key: Option<Span>) -> Node {
        let span = self.span(raw);
        let bracket = key.unwrap_or(Span::new(span.start, span.start + 1));
        match raw.get().as_bytes().first() {
            Some(b'{' | b'[') if self.path.steps().len() >= NESTING_MAX => {
                let message = format!("this nests more than {NESTING_MAX} levels deep");
                Node { head: bracket, tree: self.problem("too_deep", bracket, message, "flatten it") }
            }
            Some(b'{') => Node { head: bracket, tree: self.map(raw, span) },
            Some(b'[') => Node { head: bracket, tree: self.list(raw, span) },
            Some(b'"') => {
                self.parts.add_text(raw.get().len(), key.is_none());
                Node {
                    head: span,
                    tree: if self.parts.are_too_many() { self.too_many(span) } else { self.string(raw, span) },
                }
            }
            _ => {
                let read = scalar::json(raw.get());
                let tree =
                    read.unwrap_or_else(|Ambiguous { code, message, help }| self.problem(code, span, message, &help));
                Node { head: span, tree }
            }
        }
    }

    fn string(&mut self, raw: &RawValue, span: Span) -> Tree {
        match serde_json::from_str(raw.get()) {
            Ok(text) => Tree::Text { text, plain: false },
            Err(error) => {
                self.problem("syntax", span, error.to_string(), "write the character itself, or both halves of it")
            }
        }
    }

    /// What could not be read: it has more parts than are taken, or is no JSON after all.
    fn unread(&mut self, span: Span, error: &serde_json::Error, help: &str) -> Tree {
        match error.to_string() {
            error if error.starts_with(TOO_MANY) => self.too_many(span),
            error => self.problem("syntax", span, error, help),
        }
    }

    /// Told once, however many lists and maps are left out by that.
    fn too_many(&mut self, span: Span) -> Tree {
        if !std::mem::replace(&mut self.full, true) {
            self.problems.push(self.parts.problem(self.source, Span::new(span.start, span.start + 1)));
        }
        Tree::Reported
    }

    fn list(&mut self, raw: &'t RawValue, span: Span) -> Tree {
        let Items(items) = match serde_json::from_str(raw.get()) {
            Ok(items) => items,
            Err(error) => return self.unread(span, &error, "correct this list"),
        };
        self.parts.add(items.len());
        if self.parts.are_too_many() {
            return self.too_many(span);
        }
        let mut nodes = Vec::with_capacity(items.len());
        for item in items {
            self.path.push(nodes.len());
            nodes.push(self.value(item, None));
            self.path.pop();
        }
        Tree::List(nodes)
    }

    fn map(&mut self, raw: &'t RawValue, span: Span) -> Tree {
        let Members(members) = match serde_json::from_str(raw.get()) {
            Ok(members) => members,
            Err(error) => return self.unread(span, &error, "correct this map"),
        };
        self.parts.add(members.len() * (1 + FIELD_PARTS));
        if self.parts.are_too_many() {
            return self.too_many(span);
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(members.len());
        let mut known: HashMap<String, Span> = HashMap::new();
        let mut end = span.start + 1;
        for (key, raw) in members {
            let value = self.span(raw);
            let key_span = self.key_between(end, value.start);
            end = value.end;
            self.parts.add_text(key.len(), false);
            self.path.push(key.as_str());
            match known.get(&key) {
                Some(first) => {
                    let problem = duplicate(self.source, self.path.clone(), &key, key_span, *first);
                    self.problems.push(problem);
                    // A section that is written twice is read twice: what is wrong in the second is told as well.
                    if self.path.steps().len() == 1 {
                        let value = self.value(raw, Some(key_span));
                        entries.push(Entry { key, span: key_span, value });
                    }
                }
                None => {
                    known.insert(key.clone(), key_span);
                    let value = self.value(raw, Some(key_span));
                    entries.push(Entry { key, span: key_span, value });
                }
            }
            self.path.pop();
        }
        Tree::Map(entries)
    }

    /// The key that stands between the end of what comes before it and its value: `, "key": `.
    fn key_between(&self, end: usize, value: usize) -> Span {
        let between = self.text.get(end..value).unwrap_or_default();
        match (between.find('"'), between.rfind('"')) {
            (Some(first), Some(last)) => Span::new(end + first, end + last + 1),
            _ => Span::new(end, end),
        }
    }
}

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Items<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                    stop_beyond(items.len())?;
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                    stop_beyond(members.len())?;
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// What an error begins with where there are more items or members than any document may hold.
const TOO_MANY: &str = "too many values";

fn stop_beyond<E: serde::de::Error>(count: usize) -> Result<(), E> {
    if count > DOCUMENT_PARTS_MAX { Err(E::custom(TOO_MANY)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Number;

    fn read(text: &str) -> (Node, Vec<&'static str>) {
        let mut problems = Vec::new();
        let node = parse(0, text, &mut problems).unwrap();
        (node, problems.iter().map(|problem| problem.code).collect())
    }

    #[test]
    fn values_are_those_of_json() {
        let texts = [
            r#"{"a": "\/\ud83d\ude00\u0000", "b": [1, 2.50, 1e-7, -7, true, null], "": {}}"#,
            "{\t\"a\"\t:\r\n\"\u{7f}\u{85}\u{feff}\u{2028}\" }",
            "{}",
        ];
        for text in texts {
            let (node, problems) = read(text);
            assert!(problems.is_empty(), "{text} {problems:?}");
            assert_eq!(node.to_json(), serde_json::from_str::<serde_json::Value>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn keys_and_values_know_their_places() {
        let text = r#"{ "ü" : {"b\"": [1, 23]} }"#;
        let (node, _) = read(text);
        let outer = node.entry("ü").unwrap();
        let inner = outer.value.entry("b\"").unwrap();
        let Tree::List(items) = &inner.value.tree else { panic!("a list") };
        assert_eq!(items[1].tree, Tree::Number(Number::Integer(23)));
        let written = [outer.span, inner.span, items[1].head].map(|span| &text[span.start..span.end]);
        assert_eq!(written, [r#""ü""#, r#""b\"""#, "23"]);
    }

    #[test]
    fn what_json_allows_and_nobody_wants() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let cases = [
            (r#"{"a": 1, "b": 2, "a": 3, "a": 4}"#, vec!["duplicate_key", "duplicate_key"]),
            (r#"{"a": 9007199254740993, "b": 1e300}"#, vec!["number_too_large", "number_too_large"]),
            (r#"{"a": "\ud83d"}"#, vec!["syntax"]),
            (&deep, vec!["too_deep"]),
        ];
        for (text, codes) in cases {
            assert_eq!(read(text).1, codes, "{}", &text[..text.len().min(60)]);
        }
        let mut problems = Vec::new();
        for text in ["{a: b}", r#"{"a": on}"#, "a: b", "[1]", r#"{"a": 1} {"b": 2}"#, r#"{"a": 1,}"#] {
            assert!(parse(0, text, &mut problems).is_none(), "{text}");
        }
    }
}
