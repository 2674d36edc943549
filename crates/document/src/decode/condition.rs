//! Reads conditions: a map of attribute → test, all of which must hold, and what combines them.

use daybreak_model::Condition;
use daybreak_model::condition::AttributeTest;
use daybreak_model::limits::{DEPTH_MAX, NAME_BYTES_MAX};

use super::reader::Reader;
use crate::diagnostic::{Place, Problem};
use crate::source::Span;
use crate::tree::{Entry, Node, Tree, shorten};

const SEGMENT: &str = "segment";

/// What makes a name an attribute's, where it could be another word.
pub(crate) const ATTRIBUTE_PREFIX: &str = "context.";

impl Reader<'_> {
    /// A whole condition.
    pub(crate) fn condition(&mut self, node: &Node) -> Option<Condition> {
        let condition = self.part(node)?;
        if depth(&condition) > DEPTH_MAX {
            let message = format!("this condition nests more than {DEPTH_MAX} levels deep");
            self.error("too_deep", node.head, message, "give parts of it a name, as segments");
            return None;
        }
        Some(condition)
    }

    fn part(&mut self, node: &Node) -> Option<Condition> {
        let entries = match &node.tree {
            Tree::Map(entries) if entries.is_empty() => {
                let help = "write a test, as in `country: DE`; to select everyone, leave it out";
                self.error("empty_condition", node.head, "an empty condition selects nobody knows whom", help);
                return None;
            }
            Tree::Map(entries) => entries,
            Tree::List(_) => return self.wrong(node, "a condition", "write `all:` or `any:` before the list"),
            _ => return self.wrong(node, "a condition", "write a map of attribute and test, as in `{ country: DE }`"),
        };
        // What can be read goes on to be checked, though something beside it was reported.
        let mut parts = Vec::new();
        for entry in entries {
            let read = self.within(entry.key.as_str(), |reader| reader.combined_or_attribute(entry));
            parts.extend(read.into_iter().flatten());
        }
        match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ => Some(Condition::All(parts)),
        }
    }

    fn combined_or_attribute(&mut self, entry: &Entry) -> Option<Vec<Condition>> {
        let node = &entry.value;
        let combined = match entry.key.as_str() {
            "all" => Condition::All(self.parts(node)?),
            "any" => Condition::Any(self.parts(node)?),
            "not" => Condition::Not(Box::new(self.part(node)?)),
            "segment" => match &node.tree {
                Tree::List(_) => {
                    let help = "write `any: [ { segment: … }, { segment: … } ]`";
                    return self.wrong(node, "the name of one segment", help);
                }
                _ => Condition::Segment(self.key(node)?),
            },
            name => {
                if let Some(meant) = combinator(name, node) {
                    let message = format!("`{name}` combines nothing: it would be an attribute");
                    let help = format!("write {meant}; for an attribute of this name, `{ATTRIBUTE_PREFIX}{name}:`");
                    self.error("unknown_test", entry.span, message, help);
                    return None;
                }
                self.warn_of_near_segment(name, entry);
                return self.attribute(name, entry);
            }
        };
        Some(vec![combined])
    }

    /// Warns of an attribute that is probably a segment's misspelt name.
    fn warn_of_near_segment(&mut self, name: &str, entry: &Entry) {
        let Tree::Text { text, .. } = &entry.value.tree else { return };
        if name.len().abs_diff(SEGMENT.len()) > 2 || strsim::damerau_levenshtein(&name.to_lowercase(), SEGMENT) > 2 {
            return;
        }
        let message = format!("`{}` is taken for an attribute", shorten(name));
        let help = format!(
            "for the segment write `{SEGMENT}: {}`; for an attribute of this name, `{ATTRIBUTE_PREFIX}{}:`",
            shorten(text),
            shorten(name)
        );
        let place = Place { source: self.source, span: entry.span };
        self.problems.push(Problem::warning("near_segment", self.path.clone(), message).help(help).at(place));
    }

    fn parts(&mut self, node: &Node) -> Option<Vec<Condition>> {
        let Tree::List(items) = &node.tree else {
            return self.wrong(
                node,
                "a list of conditions",
                "write each condition after a dash, or all of them in `[ ]`",
            );
        };
        if items.is_empty() {
            let help = "write at least one condition, or leave it out";
            self.error("empty_condition", node.head, "an empty list of conditions selects nobody knows whom", help);
            return None;
        }
        let parts = self.list(node, "", Self::part)?;
        (!parts.is_empty()).then_some(parts)
    }

    /// The name of an attribute, without the prefix that marks it as one.
    pub(crate) fn attribute_name(&mut self, written: &str, span: Span) -> Option<Box<str>> {
        let name = written.strip_prefix(ATTRIBUTE_PREFIX).unwrap_or(written);
        if name.is_empty() {
            self.error("invalid_key", span, "an attribute needs a name", "write the attribute's name, as in `country`");
            return None;
        }
        if name.len() > NAME_BYTES_MAX {
            let message = format!("an attribute's name has at most {NAME_BYTES_MAX} bytes, this one {}", name.len());
            self.error("too_large", span, message, "write a shorter name");
            return None;
        }
        if name.split('.').any(|part| part.starts_with('$')) {
            let parts: Vec<&str> = name.split('.').map(|part| part.trim_start_matches('$')).collect();
            let help = format!("write another name, such as `{}`", parts.join("."));
            self.error("reserved_name", span, "names that begin with `$` are reserved", help);
            return None;
        }
        Some(name.into())
    }

    fn attribute(&mut self, written: &str, entry: &Entry) -> Option<Vec<Condition>> {
        let name = self.attribute_name(written, entry.span)?;
        let (tests, ignore_case) = self.tests(&name, &entry.value)?;
        let condition = |test| Condition::Attribute(AttributeTest { attribute: name.clone(), test, ignore_case });
        Some(tests.into_iter().map(condition).collect())
    }
}

/// What was meant by a name that elsewhere combines conditions, where what it holds is no test of an attribute.
fn combinator(name: &str, node: &Node) -> Option<&'static str> {
    let Tree::List(items) = &node.tree else { return None };
    let are_conditions = items.iter().all(|item| matches!(item.tree, Tree::Map(_)));
    match name.to_ascii_lowercase().as_str() {
        "segments" | "segment" => Some("`any: [ { segment: … }, { segment: … } ]`"),
        "and" | "all" | "all_of" | "allof" | "every" if are_conditions => Some("`all:`"),
        "or" | "any" | "any_of" | "anyof" | "some" if are_conditions => Some("`any:`"),
        "none" | "none_of" | "nor" | "not" if are_conditions => Some("`not: { any: [ … ] }`"),
        _ => None,
    }
}

/// How many levels a condition has.
pub(crate) fn depth(condition: &Condition) -> usize {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => 1 + parts.iter().map(depth).max().unwrap_or(0),
        Condition::Not(inner) => 1 + depth(inner),
        Condition::Segment(_) | Condition::Attribute(_) => 1,
    }
}
