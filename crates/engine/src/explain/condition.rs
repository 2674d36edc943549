//! Why a condition is not *true*: the test that decided it.

use daybreak_model::Context;

use super::words::{self, Asked};
use crate::code::{Code, Node, Segments};
use crate::{Snapshot, Truth};

/// Alternatives of an `any` that are written out.
const SHOWN: usize = 3;

impl Snapshot {
    /// Nothing where the condition that begins there is *true*, else why it is not.
    pub(super) fn why_not(&self, code: &Code, at: u32, context: &Context) -> Result<(), String> {
        match (Why { code, context, segments: &self.segments }).at(at as usize) {
            (Truth::True, ..) => Ok(()),
            (_, why, _) => Err(why),
        }
    }
}

struct Why<'w> {
    code: &'w Code,
    context: &'w Context,
    segments: &'w Segments,
}

impl Why<'_> {
    /// The truth of the node at `at`, what decided it, and where the next node begins.
    fn at(&self, at: usize) -> (Truth, String, usize) {
        match &self.code.nodes[at] {
            Node::Test(attribute, operand) => {
                let value = attribute.of(self.code, self.context);
                let truth = operand.ask(self.code, value);
                let name = attribute.name(self.code);
                let asked = Asked(operand, self.code);
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
                (truth, why, at + 1)
            }
            Node::Segment(index) => {
                let Some((name, code)) = self.segments.at(*index) else {
                    return (Truth::Unknown, "there is no such segment".to_owned(), at + 1);
                };
                let (truth, why, _) = Why { code, ..*self }.at(0);
                let side = if truth.is_true() { "in" } else { "not in" };
                (truth, format!("{side} the segment `{name}`: {why}"), at + 1)
            }
            Node::Not { end } => {
                let (truth, why, _) = self.at(at + 1);
                (!truth, why, *end as usize)
            }
            Node::All { end } => {
                let parts = self.parts(at + 1, *end as usize);
                let decisive = |truth| parts.iter().find(|(known, _)| *known == truth);
                let (truth, why) = match decisive(Truth::False).or_else(|| decisive(Truth::Unknown)) {
                    Some((truth, why)) => (*truth, why.clone()),
                    None => (Truth::True, joined(&parts, " and ")),
                };
                (truth, why, *end as usize)
            }
            Node::Any { end } => {
                let parts = self.parts(at + 1, *end as usize);
                let (truth, why) = match parts.iter().find(|(known, _)| known.is_true()) {
                    Some((truth, why)) => (*truth, why.clone()),
                    None => {
                        let truth = parts.iter().map(|(truth, _)| *truth).max().unwrap_or(Truth::False);
                        (truth, format!("none of these holds: {}", joined(&parts, "; ")))
                    }
                };
                (truth, why, *end as usize)
            }
        }
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
