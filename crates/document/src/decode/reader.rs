//! Reads the parts of a tree, and notes whatever is wrong without ever stopping.

use std::collections::BTreeSet;

use daybreak_model::limits::NAME_BYTES_MAX;
use daybreak_model::{Key, Millis, Percentage, Scalar, ScalarRef};
use jiff::civil::Date;

use crate::diagnostic::{Place, Problem};
use crate::fields::Noun;
use crate::path::{Path, Step};
use crate::source::Span;
use crate::suggest;
use crate::tree::{Entry, Node, Number, Tree, is_ambiguous, lacks_space, shorten};

pub(crate) const DATE: &str = "write year, month and day, as in `2026-12-24`";

/// Where the decoder stands, and what it has found.
pub(crate) struct Reader<'p> {
    pub(crate) source: usize,
    pub(crate) path: Path,
    pub(crate) problems: &'p mut Vec<Problem>,
    pub(crate) notes: &'p mut Notes,
}

/// What the decoder keeps in mind over all documents that are read together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// The fields that could not be read, and in whose place something else stands.
    pub(crate) stand_ins: BTreeSet<Path>,
    /// The bytes that the regular expressions have taken so far.
    pub(crate) patterns: usize,
}

/// A map whose fields are those of a noun.
pub(crate) struct Fields<'n> {
    noun: &'static Noun,
    entries: &'n [Entry],
    pub(crate) head: Span,
    /// The fields that were probably meant where an unknown one was written.
    meant: Vec<&'static str>,
    /// Whether nothing was dropped from it that may have held fields.
    is_whole: bool,
}

impl Fields<'_> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == name)
    }

    /// Whether it was written, or misspelt.
    pub(crate) fn was_meant(&self, name: &str) -> bool {
        self.has(name) || self.meant.contains(&name) || !self.is_whole
    }

    /// Where a field was written.
    pub(crate) fn span(&self, name: &str) -> Option<Span> {
        self.entries.iter().find(|entry| entry.key == name).map(|entry| entry.span)
    }

    /// Whether nothing at all was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Reader<'_> {
    /// Does something one step further in.
    pub(crate) fn within<T>(&mut self, step: impl Into<Step>, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = work(self);
        self.path.pop();
        result
    }

    /// Notes that something stands in for a field that could not be read; the checks say nothing of it.
    pub(crate) fn stand_in(&mut self, field: &str) {
        let path = self.path.then(field);
        self.notes.stand_ins.insert(path);
    }

    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = Place { source: self.source, span };
        self.problems.push(Problem::error(code, self.path.clone(), message).help(help).at(place));
    }

    /// Notes that the value is not of the wanted kind; nothing where the value was reported before.
    pub(crate) fn wrong<T>(&mut self, node: &Node, wanted: &str, help: impl Into<String>) -> Option<T> {
        if node.tree != Tree::Reported {
            let message = format!("{wanted} is expected here, not {}", node.what());
            self.error("wrong_type", node.head, message, help);
        }
        None
    }

    /// Opens a map with known fields: notes unknown and missing ones, and fields without a value.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, noun: &'static Noun) -> Option<Fields<'n>> {
        let Tree::Map(entries) = &node.tree else {
            let names: Vec<&str> = noun.names().take(3).collect();
            let help = match &node.tree {
                Tree::Text { text, plain: true } if lacks_space(text) => {
                    "write a space after the colon, as in `default: off`".to_owned()
                }
                _ => format!("write a map with fields such as `{}`", names.join("`, `")),
            };
            return self.wrong(node, noun.name, help);
        };
        let written: BTreeSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let mut meant: Vec<&str> = Vec::new();
        let mut is_whole = true;
        for entry in entries.iter().filter(|entry| noun.field(&entry.key).is_none()) {
            // What a key of which readers disagree would bring, as `<<` may, nobody knows.
            if entry.value.tree == Tree::Reported && is_ambiguous(&entry.key) {
                is_whole = false;
                continue;
            }
            let near = match suggest::is_affordable(&entry.key, noun.fields.len(), self.problems.len()) {
                true => suggest::nearest(&entry.key, noun.names().filter(|name| !written.contains(name))),
                false => None,
            };
            let help = match near {
                Some(near) => format!("write `{near}`"),
                None => format!("its fields are `{}`", noun.names().collect::<Vec<_>>().join("`, `")),
            };
            let message = format!("{} has no field `{}`", noun.name, shorten(&entry.key));
            let place = Place { source: self.source, span: entry.span };
            let mut problem =
                Problem::error("unknown_field", self.path.then(entry.key.as_str()), message).help(help).at(place);
            problem.meant = near.map(|near| self.path.then(near));
            self.problems.push(problem);
            meant.extend(near);
        }
        for field in noun.fields.iter().filter(|field| is_whole && !written.contains(field.name)) {
            // A misspelt field is one fault, not also a missing one.
            if let Some(help) = field.required
                && !meant.contains(&field.name)
            {
                let message = format!("{} needs `{}`", noun.name, field.name);
                self.within(field.name, |reader| reader.error("missing_field", node.head, message, help));
            }
        }
        Some(Fields { noun, entries, head: node.head, meant, is_whole })
    }

    /// Reads a field that was written; `None` where it was not, or is wrong.
    pub(crate) fn field<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'n Node) -> Option<T>,
    ) -> Option<T> {
        debug_assert!(fields.noun.field(name).is_some(), "{name} is a field of {}", fields.noun.name);
        let entry = fields.entries.iter().find(|entry| entry.key == name)?;
        self.value(fields.noun, name, entry, read)
    }

    fn value<'n, T>(
        &mut self,
        noun: &Noun,
        name: &'static str,
        entry: &'n Entry,
        read: impl FnOnce(&mut Self, &'n Node) -> Option<T>,
    ) -> Option<T> {
        self.within(name, |reader| match &entry.value.tree {
            Tree::Null => {
                let required = noun.field(name).and_then(|field| field.required);
                let help = required.unwrap_or("write one, or leave the field out");
                reader.error("empty_value", entry.span, format!("`{name}` has no value"), help);
                None
            }
            _ => read(reader, &entry.value),
        })
    }

    pub(crate) fn text(&mut self, node: &Node) -> Option<String> {
        match &node.tree {
            Tree::Text { text, .. } => Some(text.clone()),
            Tree::Boolean(_) | Tree::Number(_) => self.wrong(node, "a text", "quote it"),
            _ => self.wrong(node, "a text", "write a text"),
        }
    }

    /// A text of a form of its own: one that is something else is no better in quotes.
    pub(crate) fn formed<'n>(&mut self, node: &'n Node, what: &str, help: &str) -> Option<&'n str> {
        match &node.tree {
            Tree::Text { text, .. } => Some(text),
            _ => self.wrong(node, what, help),
        }
    }

    /// A text that says something, and is not too long to be hashed with every answer.
    pub(crate) fn salt(&mut self, node: &Node) -> Option<String> {
        let text = self.words(node)?;
        if text.len() > NAME_BYTES_MAX {
            let message = format!("a salt has at most {NAME_BYTES_MAX} bytes, this one {}", text.len());
            self.error("too_large", node.head, message, "write a shorter one");
            return None;
        }
        Some(text)
    }

    /// A text that says something.
    pub(crate) fn words(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if text.trim().is_empty() {
            self.error(
                "empty_value",
                node.head,
                "an empty text says nothing",
                "write something, or leave the field out",
            );
            return None;
        }
        Some(text)
    }

    pub(crate) fn key(&mut self, node: &Node) -> Option<Key> {
        let Tree::Text { text, .. } = &node.tree else {
            let help = match &node.tree {
                Tree::Boolean(_) | Tree::Number(_) => "quote it",
                _ => "write a name",
            };
            return self.wrong(node, "a name", help);
        };
        self.check_key(text, node.head)
    }

    /// The name of a variant: that of a boolean flag is not its value.
    pub(crate) fn variant_name(&mut self, node: &Node) -> Option<Key> {
        let help = match &node.tree {
            Tree::Boolean(true) => "a name is a text; for the variant `on` write `on`",
            Tree::Boolean(false) => "a name is a text; for the variant `off` write `off`",
            _ => return self.key(node),
        };
        self.wrong(node, "a name", help)
    }

    /// Checks that a text has the form of a key.
    pub(crate) fn check_key(&mut self, text: &str, span: Span) -> Option<Key> {
        match Key::new(text) {
            Ok(key) => Some(key),
            Err(error) => {
                let code = if text.starts_with('$') { "reserved_name" } else { "invalid_key" };
                let help = match suggest::key_for(text) {
                    Some(key) => format!("write `{key}`"),
                    None => "write letters and digits, with `-`, `_` or `.` between them".into(),
                };
                self.error(code, span, error.to_string(), help);
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        match &node.tree {
            Tree::Boolean(value) => Some(*value),
            Tree::Text { text, .. } => {
                let help = match text.to_ascii_lowercase().as_str() {
                    "on" | "yes" | "y" | "true" => "write `true`",
                    "off" | "no" | "n" | "false" => "write `false`",
                    _ => "write `true` or `false`",
                };
                self.wrong(node, "a boolean", help)
            }
            _ => self.wrong(node, "a boolean", "write `true` or `false`"),
        }
    }

    pub(crate) fn percentage(&mut self, node: &Node) -> Option<Percentage> {
        let help = "write a number and its sign, from `0%` to `100%`, with at most three decimals";
        self.parsed(node, "a percentage", help, "invalid_percentage")
    }

    pub(crate) fn duration(&mut self, node: &Node) -> Option<Millis> {
        self.parsed(node, "a duration", "write a number and its unit, as in `300ms` or `10m`", "invalid_duration")
    }

    /// A text, or a number that lacks its sign or unit, which its parser says best.
    pub(crate) fn parsed<T>(&mut self, node: &Node, what: &str, help: &str, code: &'static str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text = match &node.tree {
            Tree::Text { text, .. } => text.clone(),
            Tree::Number(Number::Integer(number)) => number.to_string(),
            Tree::Number(Number::Float(number)) => number.to_string(),
            _ => return self.wrong(node, what, help),
        };
        self.parse(&text, node.head, help, code)
    }

    /// Parses a text by one of the model's parsers, whose errors say mostly what to write.
    pub(crate) fn parse<T>(&mut self, text: &str, span: Span, help: &str, code: &'static str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let error = error.to_string();
                let (message, advice) = match error.split_once("; write ") {
                    Some((message, advice)) => (message.to_owned(), format!("write {advice}")),
                    None => (error, help.to_owned()),
                };
                self.error(code, span, message, advice);
                None
            }
        }
    }

    pub(crate) fn date(&mut self, node: &Node) -> Option<Date> {
        let text = self.formed(node, "a date", DATE)?;
        self.date_of(text, node.head)
    }

    pub(crate) fn date_of(&mut self, text: &str, span: Span) -> Option<Date> {
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = text.split('-').collect();
        let formed = matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2));
        if !formed {
            let message = format!("`{}` is no date", shorten(text));
            self.error("invalid_date", span, message, DATE);
            return None;
        }
        let date = text.parse().ok();
        if date.is_none() {
            let message = format!("there is no day `{text}`");
            self.error("invalid_date", span, message, "write a day that the calendar has");
        }
        date
    }

    pub(crate) fn number(&mut self, node: &Node) -> Option<f64> {
        match &node.tree {
            Tree::Number(number) => Some(number.to_f64()),
            Tree::Text { text, plain: false } if text.parse::<f64>().is_ok() => {
                self.wrong(node, "a number", "write it without quotes")
            }
            _ => self.wrong(node, "a number", "write a number, without a unit"),
        }
    }

    pub(crate) fn integer(&mut self, node: &Node, min: u32, max: u32) -> Option<u32> {
        let Tree::Number(Number::Integer(number)) = node.tree else {
            return self.wrong(node, "a whole number", format!("write {}, without quotes", whole(min, max)));
        };
        match u32::try_from(number) {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                let wanted = whole(min, max);
                let message = match number > i64::from(max) && max == u32::MAX {
                    true => format!("{number} is more than {max}, the most that can be counted to"),
                    false => format!("{number} is not {wanted}"),
                };
                self.error("out_of_range", node.head, message, format!("write {wanted}"));
                None
            }
        }
    }

    pub(crate) fn scalar(&mut self, node: &Node) -> Option<Scalar> {
        self.scalar_ref(node).map(Into::into)
    }

    pub(crate) fn scalar_ref<'n>(&mut self, node: &'n Node) -> Option<ScalarRef<'n>> {
        match &node.tree {
            Tree::Boolean(value) => Some(ScalarRef::Boolean(*value)),
            Tree::Number(number) => Some(ScalarRef::Number(number.to_f64())),
            Tree::Text { text, .. } => Some(ScalarRef::Text(text)),
            _ => self.wrong(node, "a text, a number or a boolean", "write one plain value"),
        }
    }

    /// Every item that can be read.
    pub(crate) fn list<T>(
        &mut self,
        node: &Node,
        help: &str,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Tree::List(items) = &node.tree else { return self.wrong(node, "a list", help) };
        let read = |(index, item): (usize, &Node)| self.within(index, |reader| read(reader, item));
        Some(items.iter().enumerate().filter_map(read).collect())
    }

    /// Calls `read` for each entry of a map, with the path of the entry.
    pub(crate) fn entries(&mut self, node: &Node, help: &str, mut read: impl FnMut(&mut Self, &Entry)) -> Option<()> {
        let Tree::Map(entries) = &node.tree else { return self.wrong(node, "a map", help) };
        for entry in entries {
            self.within(entry.key.as_str(), |reader| read(reader, entry));
        }
        Some(())
    }
}

/// The whole numbers of a range, in words.
fn whole(min: u32, max: u32) -> String {
    match max {
        u32::MAX => format!("a whole number, {min} or more"),
        _ => format!("a whole number from {min} to {max}"),
    }
}
