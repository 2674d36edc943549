//! Why a condition is not *true*: the test that decided it.

use daybreak_model::Context;

use super::words;
use crate::code::{Code, Node, Segments};
use crate::{Snapshot, Truth};

/// Alternatives of an `any` that are written out.
const SHOWN: usize = 3;

impl Snapshot {
    /// Nothing where the first condition is *true*, else why it is not.
    pub(super) fn why_not(&self, code: Code<'_>, context: &Context) -> Result<(), String> {
        match (Why { context, segments: &self.segments }).of(code) {
            (Truth::True, ..) => Ok(()),
            (_, why, _) => Err(why),
        }
    }
}

struct Why<'w> {
    context: &'w Context,
    segments: &'w Segments,
}

impl Why<'_> {
    /// The truth of the first node, what decided it, and what comes after it.
    fn of<'c>(&self, code: Code<'c>) -> (Truth, String, Code<'c>) {
        let (node, rest) = code.node();
        let (truth, why) = match node {
            Node::Test(attribute, operand) => {
                let value = attribute.of(self.context);
                let (truth, name, asked) = (operand.ask(value), attribute.name(), operand);
                let why = match (truth, value) {
                    (Truth::Unknown, None) => format!("`{name}` is missing"),
                    (Truth::Unknown, Some(value)) => {
                        format!("`{name}` is {}, of which one cannot ask to be {asked}", words::value(value))
                    }
                    (Truth::True, Some(value)) => format!("`{name}` is {}, which is {asked}", words::value(value)),
                    (Truth::False, Some(value)) => {
                        format!("`{name}` is {}, which is not {asked}", words::value(value))
                    }
                    (_, None) => format!("`{name}` is missing, and asked to be {asked}"),
                };
                (truth, why)
            }
            Node::Segment(index) => {
                let Some((name, code)) = self.segments.at(index) else {
                    return (Truth::Unknown, "there is no such segment".to_owned(), rest);
                };
                let (truth, why, _) = self.of(code);
                let side = if truth.is_true() { "in" } else { "not in" };
                (truth, format!("{side} the segment `{name}`: {why}"))
            }
            Node::Not(inside) => {
                let (truth, why, _) = self.of(inside);
                (!truth, why)
            }
            Node::All(inside) => {
                let parts = self.parts(inside);
                let decisive = |truth| parts.iter().find(|(known, _)| *known == truth);
                match decisive(Truth::False).or_else(|| decisive(Truth::Unknown)) {
                    Some((truth, why)) => (*truth, why.clone()),
                    None => (Truth::True, joined(&parts, " and ")),
                }
            }
            Node::Any(inside) => {
                let parts = self.parts(inside);
                match parts.iter().find(|(known, _)| known.is_true()) {
                    Some((truth, why)) => (*truth, why.clone()),
                    None => {
                        let truth = parts.iter().map(|(truth, _)| *truth).max().unwrap_or(Truth::False);
                        (truth, format!("none of these holds: {}", joined(&parts, "; ")))
                    }
                }
            }
        };
        (truth, why, rest)
    }

    fn parts(&self, mut code: Code<'_>) -> Vec<(Truth, String)> {
        let mut parts = Vec::new();
        while !code.bytes.is_empty() {
            let (truth, why, rest) = self.of(code);
            parts.push((truth, why));
            code = rest;
        }
        parts
    }
}

fn joined(parts: &[(Truth, String)], separator: &str) -> String {
    let shown: Vec<&str> = parts.iter().take(SHOWN).map(|(_, why)| why.as_str()).collect();
    let more = if parts.len() > SHOWN { format!("{separator}…") } else { String::new() };
    format!("{}{more}", shown.join(separator))
}
