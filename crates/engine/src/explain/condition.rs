//! Why a condition is not *true*: the test that decided it.

use daybreak_model::Context;

use super::words;
use crate::code::{Code, HEAD, Node, Segments};
use crate::{Snapshot, Truth};

/// Alternatives of an `any` that are written out.
const SHOWN: usize = 3;

impl Snapshot {
    /// Nothing where the condition that begins there is *true*, else why it is not.
    pub(super) fn why_not(&self, code: Code<'_>, at: usize, context: &Context) -> Result<(), String> {
        match (Why { code, context, segments: &self.segments }).at(at) {
            (Truth::True, ..) => Ok(()),
            (_, why, _) => Err(why),
        }
    }
}

struct Why<'w> {
    code: Code<'w>,
    context: &'w Context,
    segments: &'w Segments,
}

impl Why<'_> {
    /// The truth of the node that begins there, what decided it, and where the next node begins.
    fn at(&self, at: usize) -> (Truth, String, usize) {
        let (node, end) = self.code.node(at);
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
                    return (Truth::Unknown, "there is no such segment".to_owned(), end);
                };
                let (truth, why, _) = Why { code, ..*self }.at(0);
                let side = if truth.is_true() { "in" } else { "not in" };
                (truth, format!("{side} the segment `{name}`: {why}"))
            }
            Node::Not => {
                let (truth, why, _) = self.at(at + HEAD);
                (!truth, why)
            }
            Node::All => {
                let parts = self.parts(at + HEAD, end);
                let decisive = |truth| parts.iter().find(|(known, _)| *known == truth);
                match decisive(Truth::False).or_else(|| decisive(Truth::Unknown)) {
                    Some((truth, why)) => (*truth, why.clone()),
                    None => (Truth::True, joined(&parts, " and ")),
                }
            }
            Node::Any => {
                let parts = self.parts(at + HEAD, end);
                match parts.iter().find(|(known, _)| known.is_true()) {
                    Some((truth, why)) => (*truth, why.clone()),
                    None => {
                        let truth = parts.iter().map(|(truth, _)| *truth).max().unwrap_or(Truth::False);
                        (truth, format!("none of these holds: {}", joined(&parts, "; ")))
                    }
                }
            }
        };
        (truth, why, end)
    }

    fn parts(&self, mut at: usize, end: usize) -> Vec<(Truth, String)> {
        let mut parts = Vec::new();
        while at < end {
            let (truth, why, next) = self.at(at);
            parts.push((truth, why));
            at = next;
        }
        parts
    }
}

fn joined(parts: &[(Truth, String)], separator: &str) -> String {
    let shown: Vec<&str> = parts.iter().take(SHOWN).map(|(_, why)| why.as_str()).collect();
    let more = if parts.len() > SHOWN { format!("{separator}…") } else { String::new() };
    format!("{}{more}", shown.join(separator))
}
