//! What is wrong with a document, and what to write instead.

use std::collections::HashMap;

use serde::Serialize;

use crate::path::{Path, Step};
use crate::source::{LineIndex, Source, Span};
use crate::tree::{Entry, Node, Tree};

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// It is taken, but probably does not do what is wanted.
    Warning,
    /// It is taken; something about it is worth knowing.
    Note,
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// A word for programs: `unknown_field`.
    pub code: &'static str,
    /// The name of the source; empty where there is none, as for a result of merging.
    pub source: String,
    /// From 1; 0 where there is no source.
    pub line: usize,
    /// In characters, from 1; 0 where there is no source.
    pub column: usize,
    /// The bytes of the source's text.
    pub span: Span,
    /// The place in words: `flags.new-checkout.rules[1].when.country`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Other places that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

/// A second place that a diagnostic speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// The name of the source.
    pub source: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The bytes of the source's text.
    pub span: Span,
    /// What is there.
    pub message: String,
}

/// Whether any of them is an error.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// A place in one of the sources being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: usize,
    pub(crate) span: Span,
}

/// A diagnostic in the making: checks that know no text leave its place open.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) path: Path,
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) related: Vec<(Place, String)>,
    /// The name that it is about, where that stands somewhere below the path.
    pub(crate) about: Option<String>,
    /// The field that was probably meant: what follows from its absence is not worth saying.
    pub(crate) meant: Option<Path>,
}

impl Problem {
    pub(crate) fn error(code: &'static str, path: Path, message: impl Into<String>) -> Self {
        let (message, severity) = (message.into(), Severity::Error);
        Self { severity, code, path, place: None, message, help: None, related: Vec::new(), about: None, meant: None }
    }

    pub(crate) fn warning(code: &'static str, path: Path, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }

    pub(crate) fn note(code: &'static str, path: Path, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, path, message) }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(crate) fn about(mut self, name: &str) -> Self {
        self.about = Some(name.to_owned());
        self
    }

    pub(crate) fn related(mut self, place: Place, message: impl Into<String>) -> Self {
        self.related.push((place, message.into()));
        self
    }
}

/// As many are told at once; nobody reads more, and a hostile body could hold a million.
pub(crate) const DIAGNOSTICS_MAX: usize = 1_000;

/// Turns problems into diagnostics: gives each its place, and sorts them by it.
///
/// A problem that knows no place takes that of its path, or of the nearest thing above it that was written.
pub(crate) fn locate(mut problems: Vec<Problem>, sources: &[Source], trees: &[(usize, Node)]) -> Vec<Diagnostic> {
    let indices: Vec<LineIndex<'_>> = sources.iter().map(|source| LineIndex::new(&source.text)).collect();
    let more = problems.len().saturating_sub(DIAGNOSTICS_MAX);
    if more > 0 {
        // What refuses the document must be among those that are told; then what comes first in the text.
        let of = |place: Option<Place>| (place.is_none(), place.map(|place| (place.source, place.span)));
        problems.sort_by_key(|problem| (problem.severity, of(problem.place)));
        problems.truncate(DIAGNOSTICS_MAX);
    }
    let mut finder = Finder { trees, entries: HashMap::new() };
    let mut placed: Vec<(Option<Place>, Problem)> =
        problems.into_iter().map(|problem| (problem.place.or_else(|| finder.find(&problem)), problem)).collect();
    placed.sort_by_key(|(place, _)| place.map(|place| (place.source, place.span)));
    if more > 0 {
        let message = format!("{more} more are not shown");
        let help = "correct these first: some of the others may follow from them";
        placed.push((None, Problem::error("more", Path::default(), message).help(help)));
    }
    placed.into_iter().map(|(place, problem)| diagnostic(place, problem, sources, &indices)).collect()
}

/// Finds places by paths.
struct Finder<'t> {
    trees: &'t [(usize, Node)],
    /// The entries of the maps that were looked into, by the maps' addresses: a thousand problems in one map of a
    /// hundred thousand entries are found without going through it a thousand times.
    entries: HashMap<*const Node, HashMap<&'t str, &'t Entry>>,
}

impl<'t> Finder<'t> {
    fn find(&mut self, problem: &Problem) -> Option<Place> {
        let steps = problem.path.steps();
        let mut best: Option<((usize, bool), Place)> = None;
        for (source, tree) in self.trees {
            let (depth, node) = self.follow(tree, steps);
            let named = problem.about.as_ref().and_then(|name| node.find_name(name)).filter(|_| depth == steps.len());
            let span = named.or(key(problem, tree)).unwrap_or(node.head);
            let written = (depth, named.is_some());
            // Of several documents, the first in which the most of the path was written.
            if best.is_none_or(|(most, _)| written > most) {
                best = Some((written, Place { source: *source, span }));
            }
        }
        best.map(|(_, place)| place)
    }

    /// How many of the steps lead to something that was written, and that thing.
    fn follow(&mut self, tree: &'t Node, steps: &[Step]) -> (usize, &'t Node) {
        let mut node = tree;
        for (depth, step) in steps.iter().enumerate() {
            let next = match (step, &node.tree) {
                (Step::Field(name), Tree::Map(entries)) => {
                    let by_name = self
                        .entries
                        .entry(std::ptr::from_ref(node))
                        .or_insert_with(|| entries.iter().rev().map(|entry| (entry.key.as_str(), entry)).collect());
                    by_name.get(name.as_str()).map(|entry| &entry.value)
                }
                (Step::Item(index), Tree::List(items)) => items.get(*index),
                _ => None,
            };
            let Some(next) = next else { return (depth, node) };
            node = next;
        }
        (steps.len(), node)
    }
}

/// Of a field that nobody knows, the key is what is wrong, not its value.
fn key(problem: &Problem, tree: &Node) -> Option<Span> {
    let (last, steps) = problem.path.steps().split_last().filter(|_| problem.code == "unknown_field")?;
    let (depth, node) = tree.follow(steps);
    match last {
        Step::Field(name) if depth == steps.len() => node.entry(name).map(|entry| entry.span),
        _ => None,
    }
}

fn diagnostic(place: Option<Place>, problem: Problem, sources: &[Source], indices: &[LineIndex<'_>]) -> Diagnostic {
    let name = |source: usize| sources.get(source).map(|source| source.name.clone()).unwrap_or_default();
    let position = |place: Place| indices.get(place.source).map_or((0, 0), |index| index.position(place.span.start));
    let related = problem.related.into_iter().map(|(place, message)| {
        let (line, column) = position(place);
        Related { source: name(place.source), line, column, span: place.span, message }
    });
    let (line, column) = place.map_or((0, 0), position);
    Diagnostic {
        severity: problem.severity,
        code: problem.code,
        source: place.map(|place| name(place.source)).unwrap_or_default(),
        line,
        column,
        span: place.map_or(Span::default(), |place| place.span),
        path: problem.path.to_string(),
        message: problem.message,
        help: problem.help,
        related: related.collect(),
    }
}
