//! YAML texts → trees, by the events of a parser.
//!
//! Anchors, aliases and tags are refused rather than bounded: a merge writes single fields of a document, which
//! has no meaning for a value that stands in two places; JSON has none of them; and what several rules share is
//! a segment. So nothing can be expanded a billion times either.

use std::collections::HashMap;

use daybreak_model::limits::FIELD_PARTS;
use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError, StructureStyle};

use super::scalar::{self, Ambiguous};
use super::{Entry, NESTING_MAX, Node, Parts, Tree, duplicate};
use crate::diagnostic::{Place, Problem};
use crate::path::Path;
use crate::source::Span;

/// Reads a text that may hold several YAML documents: one tree for each.
pub(super) fn parse(source: usize, text: &str, problems: &mut Vec<Problem>) -> Vec<Node> {
    if let Some(problem) = other_version(source, text) {
        problems.push(problem);
        return Vec::new();
    }
    let mut options = Options::default();
    options.emit_unresolved_aliases = true;
    let mut builder =
        Builder { source, open: Vec::new(), done: Vec::new(), problems, too_deep: false, parts: Parts::default() };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, marks)) => {
                let span = Span::new(byte(&marks.start), byte(&marks.end));
                builder.count(&event);
                if builder.parts.are_too_many() {
                    let problem = builder.parts.problem(source, span);
                    builder.problems.push(problem);
                    return Vec::new();
                }
                builder.take(&event, span);
            }
            Err(error) => {
                // What nests too deeply for the parser as well was told.
                if !builder.too_deep {
                    builder.problems.push(syntax(source, text, &error));
                }
                return Vec::new();
            }
        }
    }
    builder.done
}

fn byte(marker: &Marker) -> usize {
    marker.byte_offset().unwrap_or_else(|| marker.index())
}

/// A text that says it is of another version of YAML than is read here.
fn other_version(source: usize, text: &str) -> Option<Problem> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_start_matches('\u{feff}').trim_end();
        if let Some(version) = content.strip_prefix("%YAML")
            && version.trim() != "1.2"
        {
            let place = Place { source, span: Span::new(start, start + content.len()) };
            let message = format!("documents are read as YAML 1.2, not as `{}`", super::shorten(version.trim()));
            let problem = Problem::error("syntax", Path::default(), message);
            return Some(problem.help("leave this line out").at(place));
        }
        // Directives stand before everything else.
        if !content.is_empty() && !content.starts_with(['%', '#']) {
            return None;
        }
        start += line.len();
    }
    None
}

fn syntax(source: usize, text: &str, error: &ScanError) -> Problem {
    let mut start = byte(error.marker()).min(text.len());
    let message = error.info();
    let line_start = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let help = match text.get(start..) {
        _ if message.contains("tab") => {
            // The parser points behind it.
            start = line.find('\t').map_or(start, |at| line_start + at);
            "indent with spaces, not with tabs"
        }
        Some(rest) if rest.starts_with(['@', '`', '%', '*', '&', '!']) => {
            "quote a text that begins with this character"
        }
        _ if message.contains("mapping values are not allowed") && line.matches(": ").count() > 1 => {
            "quote a text that contains `: `"
        }
        _ if lacks_space(line) || lacks_space(line_before(text, line_start)) => {
            "write a space after the colon, as in `default: off`"
        }
        _ => "check the indentation, quotes and brackets here and just above",
    };
    let place = Place { source, span: Span::new(start, start) };
    // Brackets within brackets are too much for the parser before they are counted here.
    if message.contains("recursion limit") {
        let message = format!("this nests more than {NESTING_MAX} levels deep");
        return Problem::error("too_deep", Path::default(), message).help("flatten it").at(place);
    }
    Problem::error("syntax", Path::default(), message).help(help).at(place)
}

fn line_before(text: &str, line_start: usize) -> &str {
    text.get(..line_start).and_then(|before| before.lines().next_back()).unwrap_or_default()
}

/// Whether a line looks like a field whose colon is not followed by a space: `default:off`.
pub(crate) fn lacks_space(line: &str) -> bool {
    let field = line.trim_start().trim_start_matches("- ");
    let Some((name, rest)) = field.split_once(':') else { return false };
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// A collection whose end has not come yet.
enum Open {
    List { head: Span, items: Vec<Node> },
    Map { head: Span, entries: Vec<Entry>, known: HashMap<String, Span>, key: Option<Key> },
}

/// A key that waits for its value.
struct Key {
    /// `None`: it was reported, and its value is dropped.
    name: Option<String>,
    span: Span,
    /// Whether readers disagree on what it is: then nobody knows what its value is for.
    is_ambiguous: bool,
}

struct Builder<'p> {
    source: usize,
    open: Vec<Open>,
    done: Vec<Node>,
    problems: &'p mut Vec<Problem>,
    too_deep: bool,
    parts: Parts,
}

impl Builder<'_> {
    /// Counts what an event adds to what the text holds.
    fn count(&mut self, event: &Event<'_>) {
        match event {
            Event::Scalar(text, ..) => {
                self.parts.add(if self.awaits_key() { FIELD_PARTS } else { 1 });
                self.parts.add_text(text.len(), matches!(self.open.last(), Some(Open::List { .. })));
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => self.parts.add(1),
            _ => {}
        }
    }

    fn take(&mut self, event: &Event<'_>, span: Span) {
        self.refuse_decoration(event, span);
        match event {
            Event::Scalar(text, style, ..) if self.awaits_key() => self.key(text, *style, span),
            Event::Scalar(text, style, ..) => {
                let tree = self.scalar(text, *style, span);
                self.add(Node { head: span, tree });
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let message = "aliases (`*name`) are not taken: a value stands where it is used";
                self.error("alias", span, message, "repeat the value; rules share a condition by a segment");
                self.add(Node { head: span, tree: Tree::Reported });
            }
            Event::SequenceStart(style, ..) => {
                let head = self.head(*style, span);
                self.begin(span, Open::List { head, items: Vec::new() });
            }
            Event::MappingStart(style, ..) => {
                let head = self.head(*style, span);
                self.begin(span, Open::Map { head, entries: Vec::new(), known: HashMap::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => {}
        }
    }

    fn path(&self) -> Path {
        let mut path = Path::default();
        for open in &self.open {
            match open {
                Open::List { items, .. } => path.push(items.len()),
                Open::Map { key: Some(Key { name: Some(name), .. }), .. } => path.push(name.as_str()),
                Open::Map { .. } => {}
            }
        }
        path
    }

    fn error(&mut self, code: &'static str, span: Span, message: &str, help: &str) {
        let place = Place { source: self.source, span };
        self.problems.push(Problem::error(code, self.path(), message).help(help).at(place));
    }

    fn refuse_decoration(&mut self, event: &Event<'_>, span: Span) {
        if event.tag().is_some() {
            self.error(
                "tag",
                span,
                "tags (`!name`) are not taken",
                "leave it out; a text that begins with `!` is quoted",
            );
        }
        if event.anchor_id().is_some_and(|anchor| anchor > 0) {
            let message = "anchors (`&name`) are not taken: a value stands where it is used";
            self.error("alias", span, message, "leave it out; rules share a condition by a segment");
        }
    }

    /// Of a collection within a map, the key is what to point at; of another in brackets, its first bracket.
    fn head(&self, style: StructureStyle, span: Span) -> Span {
        match self.open.last() {
            Some(Open::Map { key: Some(key), .. }) => key.span,
            _ if style == StructureStyle::Flow => Span::new(span.start, span.start + 1),
            _ => span,
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    /// A key is a text, whatever it looks like; but what some readers take for another text is refused.
    fn key(&mut self, text: &str, style: ScalarStyle, span: Span) {
        let tree = self.scalar(text, style, span);
        let is_ambiguous = tree == Tree::Reported;
        let mut name = Some(text.to_owned());
        if tree == Tree::Null {
            self.error(
                "wrong_type",
                span,
                "a key is a text, not nothing",
                "write a name before the colon, in quotes if need be",
            );
            name = None;
        }
        let Some(Open::Map { known, key, .. }) = self.open.last_mut() else { return };
        let first = name.as_ref().and_then(|name| known.get(name).copied());
        *key = Some(Key { name: name.clone(), span, is_ambiguous });
        match (name, first) {
            (Some(_), Some(first)) => self.duplicate(text, span, first),
            (Some(name), None) => {
                known.insert(name, span);
            }
            (None, _) => {}
        }
    }

    fn duplicate(&mut self, name: &str, span: Span, first: Span) {
        let problem = duplicate(self.source, self.path(), name, span, first);
        self.problems.push(problem);
        // A section that is written twice is read twice: what is wrong in the second is told as well.
        let is_section = self.open.len() == 1;
        if let Some(Open::Map { key: Some(key), .. }) = self.open.last_mut()
            && !is_section
        {
            key.name = None;
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Tree {
        let read = match style {
            ScalarStyle::Plain => scalar::plain(text),
            _ => Ok(Tree::Text { text: text.to_owned(), plain: false }),
        };
        read.unwrap_or_else(|Ambiguous { code, message, help }| {
            self.error(code, span, &message, &help);
            Tree::Reported
        })
    }

    fn begin(&mut self, span: Span, open: Open) {
        if self.open.len() >= NESTING_MAX && !self.too_deep {
            self.too_deep = true;
            let message = format!("this nests more than {NESTING_MAX} levels deep");
            self.error("too_deep", span, &message, "flatten it");
        }
        self.open.push(open);
    }

    fn end(&mut self) {
        let node = match self.open.pop() {
            // What lies too deep is dropped, so that nobody recurses into it.
            Some(Open::List { head, .. } | Open::Map { head, .. }) if self.open.len() >= NESTING_MAX => {
                Node { head, tree: Tree::Reported }
            }
            Some(Open::List { head, items }) => Node { head, tree: Tree::List(items) },
            Some(Open::Map { head, entries, .. }) => {
                // A map in a list is shown by its first key.
                let first = entries.first().map(|entry| entry.span).filter(|first| first.start == head.start);
                Node { head: first.unwrap_or(head), tree: Tree::Map(entries) }
            }
            None => return,
        };
        self.add(node);
    }

    /// Adds a finished value to what it stands in.
    fn add(&mut self, node: Node) {
        if self.awaits_key() {
            let (was_reported, span) = (node.tree == Tree::Reported, node.head);
            if !was_reported {
                self.error("wrong_type", span, &format!("a key is a text, not {}", node.what()), "write a plain name");
            }
            if let Some(Open::Map { key, .. }) = self.open.last_mut() {
                *key = Some(Key { name: None, span, is_ambiguous: false });
            }
            return;
        }
        match self.open.last_mut() {
            None => self.done.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => {
                if let Some(Key { name: Some(key), span, is_ambiguous }) = key.take() {
                    let value = if is_ambiguous { Node { head: node.head, tree: Tree::Reported } } else { node };
                    entries.push(Entry { key, span, value });
                }
            }
        }
    }
}
