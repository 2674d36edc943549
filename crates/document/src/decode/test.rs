//! Reads what a condition asks of one attribute: `DE`, `{ in: [DE, FR] }`, `{ gte: 18, lt: 65 }`.

use std::net::IpAddr;

use daybreak_model::condition::{Test, canonical_network, parse_timestamp};
use daybreak_model::limits::PATTERN_SIZES_MAX;
use daybreak_model::{Pattern, PatternError, Scalar, TooManyValues, Values, ValuesBuilder};
use ipnet::IpNet;
use jiff::Timestamp;

use super::reader::Reader;
use crate::fields::TESTS;
use crate::suggest;
use crate::tree::{Entry, Node, Tree, shorten};

impl Reader<'_> {
    /// The tests of one attribute, and whether they fold case.
    pub(crate) fn tests(&mut self, attribute: &str, node: &Node) -> Option<(Vec<Test>, bool)> {
        let entries = match &node.tree {
            Tree::Map(entries) => entries,
            Tree::List(items) => {
                let items: Vec<String> = items.iter().take(3).filter_map(bare).collect();
                let more = if items.is_empty() { "…".to_owned() } else { items.join(", ") };
                let help = format!("write `{attribute}: {{ in: [{more}] }}`");
                self.error("bare_list", node.head, "a list by itself is no test", help);
                return None;
            }
            Tree::Null => {
                let help = format!("write `{attribute}: {{ exists: false }}` where it is to be absent");
                self.error("empty_value", node.head, format!("`{attribute}` has no test"), help);
                return None;
            }
            _ => return Some((vec![Test::Equals(self.scalar(node)?)], false)),
        };
        let ignore_case = match entries.iter().find(|entry| entry.key == "ignore_case") {
            Some(entry) => self.within("ignore_case", |reader| reader.boolean(&entry.value))?,
            None => false,
        };
        let asked: Vec<&Entry> = entries.iter().filter(|entry| entry.key != "ignore_case").collect();
        if asked.is_empty() {
            let help = format!("write a test, as in `{attribute}: {{ in: [a, b] }}`");
            self.error("empty_condition", node.head, format!("nothing is asked of `{attribute}`"), help);
            return None;
        }
        let tests: Vec<Test> = asked
            .iter()
            .filter_map(|entry| self.within(entry.key.as_str(), |reader| reader.test(attribute, entry, ignore_case)))
            .collect();
        if tests.len() < asked.len() {
            return None;
        }
        if ignore_case && !tests.iter().any(is_of_text) {
            let help = "leave `ignore_case` out";
            self.error("wrong_type", node.head, "`ignore_case` folds text, and nothing here compares text", help);
            return None;
        }
        Some((tests, ignore_case))
    }

    fn test(&mut self, attribute: &str, entry: &Entry, ignore_case: bool) -> Option<Test> {
        let node = &entry.value;
        if node.tree == Tree::Null {
            self.error("empty_value", entry.span, format!("`{}` has no value", entry.key), "write one");
            return None;
        }
        Some(match entry.key.as_str() {
            "equals" => Test::Equals(self.scalar(node)?),
            "in" => Test::In(self.values(node)?),
            "not_in" => Test::NotIn(self.values(node)?),
            "contains" => Test::Contains(self.scalar(node)?),
            "starts_with" => Test::StartsWith(self.one_or_several(node, Self::boxed)?),
            "ends_with" => Test::EndsWith(self.one_or_several(node, Self::boxed)?),
            "matches" => Test::Matches(self.pattern(node, ignore_case)?),
            "gt" => Test::Gt(self.number(node)?),
            "gte" => Test::Gte(self.number(node)?),
            "lt" => Test::Lt(self.number(node)?),
            "lte" => Test::Lte(self.number(node)?),
            "before" => Test::Before(self.timestamp(node)?),
            "after" => Test::After(self.timestamp(node)?),
            "semver" => {
                let text = self.version_text(node)?;
                Test::Semver(self.parse(&text, node.head, "write bounds, as in `>=2.3.0`", "invalid_version")?)
            }
            "cidr" => Test::Cidr(self.one_or_several(node, Self::network)?),
            "exists" => Test::Exists(self.boolean(node)?),
            unknown => {
                let search = suggest::is_affordable(unknown, TESTS.fields.len(), self.problems.len());
                let near = if search { suggest::nearest(unknown, TESTS.names()) } else { None };
                let help = match near {
                    Some(near) => format!("write `{near}`"),
                    None => format!(
                        "the tests are `{}`; a member of an object is written `{attribute}.{}:`",
                        TESTS.names().collect::<Vec<_>>().join("`, `"),
                        shorten(unknown)
                    ),
                };
                self.error("unknown_test", entry.span, format!("there is no test `{}`", shorten(unknown)), help);
                return None;
            }
        })
    }

    fn several<T>(&mut self, node: &Node, read: impl FnMut(&mut Self, &Node) -> Option<T>) -> Option<Vec<T>> {
        let Tree::List(items) = &node.tree else {
            let help = match bare(node) {
                Some(item) => format!("write `[{item}]`"),
                None => "write a list, as in `[DE, FR]`".into(),
            };
            return self.wrong(node, "a list", help);
        };
        if items.is_empty() {
            self.error("empty_condition", node.head, "an empty list matches nothing", "write at least one value");
            return None;
        }
        let read = self.list(node, "", read)?;
        (read.len() == items.len()).then_some(read)
    }

    /// The values of a list, which may be a million: each goes into its place without a copy.
    fn values(&mut self, node: &Node) -> Option<Values> {
        let mut values = ValuesBuilder::default();
        self.several(node, |reader, item| {
            let value = reader.scalar_ref(item)?;
            let full = |error: TooManyValues| reader.error("too_large", item.head, error.to_string(), "write fewer");
            values.push(value).map_err(full).ok()
        })?;
        Some(values.finish())
    }

    fn one_or_several<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        match &node.tree {
            Tree::List(_) => self.several(node, read),
            _ => Some(vec![read(self, node)?]),
        }
    }

    fn boxed(&mut self, node: &Node) -> Option<Box<str>> {
        self.text(node).map(Into::into)
    }

    fn pattern(&mut self, node: &Node, ignore_case: bool) -> Option<Pattern> {
        let text = self.text(node)?;
        if self.notes.patterns >= PATTERN_SIZES_MAX {
            let message = "the regular expressions before this one are too large together: it was not looked at";
            let help = "write smaller ones: `[A-Za-z0-9_]` or `(?-u:\\w)` in the place of `\\w`";
            self.error("too_large", node.head, message, help);
            return None;
        }
        let (message, help) = match Pattern::new(&text, ignore_case) {
            Ok(pattern) => {
                self.notes.patterns += pattern.size();
                return Some(pattern);
            }
            Err(PatternError::TooLarge(most)) => {
                self.notes.patterns += most;
                let message = format!("`{}` compiles to more than {most} bytes", shorten(&text));
                (message, "write `[A-Za-z0-9_]` or `(?-u:\\w)` in the place of `\\w`, or lower its repetitions")
            }
            Err(PatternError::Form(error)) => {
                self.notes.patterns += text.len();
                // The regex crate draws the expression over several lines; its last line says what is wrong.
                let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let message = format!("`{}` is no regular expression: {why}", shorten(&text));
                (
                    message,
                    "write an expression of the `regex` crate's syntax; it knows no look-around and no back-references",
                )
            }
        };
        self.error("invalid_pattern", node.head, message, help);
        None
    }

    fn timestamp(&mut self, node: &Node) -> Option<Timestamp> {
        const HELP: &str = "write date, time and offset, as in `2026-12-24T18:00:00Z`";
        let text = self.formed(node, "a moment", HELP)?;
        let timestamp = parse_timestamp(text);
        if timestamp.is_none() {
            let message = format!("`{}` is no RFC 3339 time", shorten(text));
            self.error("invalid_timestamp", node.head, message, HELP);
        }
        timestamp
    }

    fn version_text(&mut self, node: &Node) -> Option<String> {
        match &node.tree {
            Tree::Number(number) => {
                let help = format!("quote it: `\"{}\"`", number.to_json());
                self.wrong(node, "a range of versions", help)
            }
            _ => self.text(node),
        }
    }

    fn network(&mut self, node: &Node) -> Option<IpNet> {
        const HELP: &str = "write an address and the length of its prefix, as in `10.0.0.0/8`";
        let text = self.formed(node, "a network", HELP)?;
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        match network {
            Some(network) if network.trunc() == network => Some(canonical_network(network)),
            Some(network) => {
                let message = format!("`{text}` names an address and the size of its network, not the network");
                self.error(
                    "invalid_network",
                    node.head,
                    message,
                    format!("write `{}` or `{}`", network.trunc(), network.addr()),
                );
                None
            }
            None => {
                self.error("invalid_network", node.head, format!("`{}` is no network", shorten(text)), HELP);
                None
            }
        }
    }
}

/// A plain value as it would be written in a list.
fn bare(node: &Node) -> Option<String> {
    match &node.tree {
        Tree::Text { text, .. } => Some(text.clone()),
        Tree::Boolean(value) => Some(value.to_string()),
        Tree::Number(number) => Some(number.to_json().to_string()),
        _ => None,
    }
}

/// Whether folding case can make a difference.
fn is_of_text(test: &Test) -> bool {
    let text = |scalar: &Scalar| matches!(scalar, Scalar::Text(_));
    match test {
        Test::Equals(scalar) | Test::Contains(scalar) => text(scalar),
        Test::In(values) | Test::NotIn(values) => values.has_texts(),
        Test::StartsWith(_) | Test::EndsWith(_) | Test::Matches(_) => true,
        _ => false,
    }
}
