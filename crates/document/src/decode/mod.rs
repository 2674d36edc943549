//! Documents → resources, and everything that is wrong with them.

mod condition;
mod effect;
mod fault;
mod flag;
mod hours;
mod json;
mod reader;
mod slo;
mod test;

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::limits::DOCUMENT_BYTES_MAX;
use daybreak_model::{Key, Kind, Resources};
use jiff::civil::Date;
use serde_json::Value;

pub(crate) use condition::ATTRIBUTE_PREFIX;
pub(crate) use flag::{false_variant, on_and_off};
use reader::Reader;

use crate::check;
use crate::diagnostic::{Diagnostic, Place, Problem, Severity, has_errors, locate};
use crate::fields::DOCUMENT;
use crate::path::{Path, Step};
use crate::source::{Source, Span};
use crate::tree::{self, Entry, Node, Tree};

/// What was read.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The resources in which nothing is wrong. Where there are errors they are not the whole document, and
    /// nothing of it should be taken: see [`Decoded::into_result`].
    pub resources: Resources,
    /// Everything worth saying, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Decoded {
    /// Whether the document is to be refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        has_errors(&self.diagnostics)
    }

    /// The resources, with the warnings and notes on them.
    ///
    /// # Errors
    /// When anything is wrong: then all diagnostics, and no resource.
    pub fn into_result(self) -> Result<(Resources, Vec<Diagnostic>), Vec<Diagnostic>> {
        if self.has_errors() { Err(self.diagnostics) } else { Ok((self.resources, self.diagnostics)) }
    }
}

/// Reads documents that belong together: references across them hold.
#[must_use]
pub fn decode(sources: &[Source]) -> Decoded {
    decode_on(sources, None)
}

/// As [`decode`]; with `today`, also warns of flags that have expired.
#[must_use]
pub fn decode_on(sources: &[Source], today: Option<Date>) -> Decoded {
    let mut problems = Vec::new();
    let trees = read_all(sources, &mut problems);
    let mut collected = Collected::default();
    for (source, tree) in &trees {
        collected.document(*source, tree, &mut problems);
    }
    finish(collected, problems, sources, &trees, today)
}

/// Reads documents that are laid over what is there: what they name is replaced, all else stays, and
/// references may go to either. The result holds both.
#[must_use]
pub fn decode_over(sources: &[Source], others: &Resources) -> Decoded {
    let mut problems = Vec::new();
    let trees = read_all(sources, &mut problems);
    let mut collected = Collected::default();
    for (source, tree) in &trees {
        collected.document(*source, tree, &mut problems);
    }
    let mut resources = others.clone();
    for (kind, key) in collected.declared.keys() {
        resources.remove(*kind, key.as_str());
        copy(&collected.resources, &mut resources, *kind, key);
    }
    resources.protect.extend(std::mem::take(&mut collected.resources.protect));
    finish(Collected { resources, ..collected }, problems, sources, &trees, None)
}

/// Reads the body of one resource, and checks it against the others: `others` may hold an older version of it.
///
/// The result holds that resource alone. What it would break in others is an error too.
#[must_use]
pub fn decode_resource(kind: Kind, key: &Key, source: &Source, others: &Resources) -> Decoded {
    let sources = std::slice::from_ref(source);
    let mut problems = Vec::new();
    let mut trees = read_all(sources, &mut problems);
    let broken = problems.iter().any(|problem| problem.code == "syntax" || problem.code == "too_large");
    if trees.len() != 1 && !broken {
        let place = Place { source: 0, span: Span::default() };
        let message = format!("the body of one {kind} is expected, and this text holds {}", trees.len());
        problems.push(Problem::error("wrong_type", Path::default(), message).help("write one map").at(place));
        trees.clear();
    }
    let trees: Vec<(usize, Node)> =
        trees.into_iter().map(|(source, node)| (source, node.under(key.as_str()).under(kind.section()))).collect();
    let mut collected = Collected::default();
    for (source, tree) in &trees {
        collected.document(*source, tree, &mut problems);
    }
    let mut resources = collected.resources;
    if resources.contains(kind, key.as_str()) {
        let (_, found) = replaced(&resources, kind, key, others);
        add(&mut problems, found);
    }
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        resources.remove(kind, key.as_str());
    }
    Decoded { resources, diagnostics: locate(problems, sources, &trees) }
}

/// Puts one resource in the place of its older version, and says what is then wrong: with it, or with others
/// for its sake.
fn replaced(one: &Resources, kind: Kind, key: &Key, others: &Resources) -> (Resources, Vec<Problem>) {
    let mut resources = others.clone();
    resources.remove(kind, key.as_str());
    copy(one, &mut resources, kind, key);
    let before = check::check(others, None);
    let own = check::at(kind, key);
    let is_new = |problem: &Problem| problem.severity == Severity::Error && !before.contains(problem);
    let found = check::check(&resources, None);
    let found = found.into_iter().filter(|problem| problem.path.overlaps(&own) || is_new(problem)).collect();
    (resources, found)
}

/// Puts the document form of one resource in the place of its older version. The problems have paths alone.
pub(crate) fn replace_form(kind: Kind, key: &Key, form: &Value, others: &Resources) -> (Resources, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut collected = Collected::default();
    let tree = Node::from_json(form).under(key.as_str()).under(kind.section());
    collected.document(0, &tree, &mut problems);
    let (resources, found) = replaced(&collected.resources, kind, key, others);
    add(&mut problems, found);
    problems.iter_mut().for_each(|problem| problem.place = None);
    (resources, problems)
}

/// Reads the document form of all resources.
pub(crate) fn decode_form(form: &Value) -> Result<Resources, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut collected = Collected::default();
    collected.document(0, &Node::from_json(form), &mut problems);
    problems.iter_mut().for_each(|problem| problem.place = None);
    let decoded = finish(collected, problems, &[], &[], None);
    decoded.into_result().map(|(resources, _)| resources)
}

fn read_all(sources: &[Source], problems: &mut Vec<Problem>) -> Vec<(usize, Node)> {
    let mut trees = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        if source.text.len() > DOCUMENT_BYTES_MAX {
            let message = format!("this document has {} bytes, more than {DOCUMENT_BYTES_MAX}", source.text.len());
            let place = Place { source: index, span: Span::default() };
            problems
                .push(Problem::error("too_large", Path::default(), message).help("split it into several").at(place));
            continue;
        }
        trees.extend(tree::parse(index, &source.text, problems).into_iter().map(|tree| (index, tree)));
    }
    trees
}

/// The resources of several documents, with where each was written.
#[derive(Default)]
struct Collected {
    resources: Resources,
    declared: BTreeMap<(Kind, Key), Place>,
}

impl Collected {
    fn document(&mut self, source: usize, tree: &Node, problems: &mut Vec<Problem>) {
        // A file of comments alone is no fault.
        if tree.tree == Tree::Null {
            return;
        }
        let mut reader = Reader { source, path: Path::default(), problems };
        let Some(fields) = reader.fields(tree, &DOCUMENT) else { return };
        for kind in Kind::ALL {
            reader.field(&fields, kind.section(), |reader, node| {
                let help = format!("write keys and what they hold, as in `{}: {{ name: {{ … }} }}`", kind.section());
                reader.entries(node, &help, |reader, entry| self.resource(kind, entry, reader))
            });
        }
        let protect = reader.field(&fields, "protect", |reader, node| {
            reader.list(node, "write a list of segments, as in `[vip-customers]`", Reader::key)
        });
        self.resources.protect.extend(protect.unwrap_or_default());
    }

    fn resource(&mut self, kind: Kind, entry: &Entry, reader: &mut Reader<'_>) {
        let Some(key) = reader.check_key(&entry.key, entry.span) else { return };
        let place = Place { source: reader.source, span: entry.span };
        if let Some(first) = self.declared.get(&(kind, key.clone())) {
            let message = format!("the {kind} `{key}` is written twice");
            let problem = Problem::error("duplicate_key", reader.path.clone(), message)
                .help("keep one of the two, or give one another key")
                .at(place)
                .related(*first, "first written here");
            reader.problems.push(problem);
            return;
        }
        self.declared.insert((kind, key.clone()), place);
        if entry.value.tree == Tree::Null {
            reader.error(
                "empty_value",
                entry.span,
                format!("the {kind} `{key}` is empty"),
                "write its fields below it",
            );
            return;
        }
        insert(&mut self.resources, kind, &key, &entry.value, reader);
    }
}

/// Reads a resource of any kind, and puts it into its place.
fn insert(resources: &mut Resources, kind: Kind, key: &Key, node: &Node, reader: &mut Reader<'_>) {
    match kind {
        Kind::Flag => drop(reader.flag(key, node).map(|flag| resources.flags.insert(key.clone(), flag))),
        Kind::Segment => drop(reader.segment(node).map(|segment| resources.segments.insert(key.clone(), segment))),
        Kind::Fault => drop(reader.fault(key, node).map(|fault| resources.faults.insert(key.clone(), fault))),
        Kind::Hours => drop(reader.hours(node).map(|hours| resources.hours.insert(key.clone(), hours))),
        Kind::Slo => drop(reader.slo(node).map(|slo| resources.slos.insert(key.clone(), slo))),
        Kind::OnCall => drop(reader.on_call(key, node).map(|on_call| resources.on_call.insert(key.clone(), on_call))),
    }
}

/// Copies one resource, where it is there.
fn copy(from: &Resources, to: &mut Resources, kind: Kind, key: &Key) {
    macro_rules! copy {
        ($field:ident) => {
            if let Some(resource) = from.$field.get(key) {
                to.$field.insert(key.clone(), resource.clone());
            }
        };
    }
    match kind {
        Kind::Flag => copy!(flags),
        Kind::Segment => copy!(segments),
        Kind::Fault => copy!(faults),
        Kind::Hours => copy!(hours),
        Kind::Slo => copy!(slos),
        Kind::OnCall => copy!(on_call),
    }
}

/// Checks what was collected, and leaves out the resources in which something is wrong.
fn finish(
    collected: Collected,
    mut problems: Vec<Problem>,
    sources: &[Source],
    trees: &[(usize, Node)],
    today: Option<Date>,
) -> Decoded {
    let Collected { mut resources, declared } = collected;
    let absent: BTreeSet<(Kind, Key)> =
        declared.into_keys().filter(|(kind, key)| !resources.contains(*kind, key.as_str())).collect();
    let found = check::check_with(&resources, &absent, today);
    add(&mut problems, found);
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        let [Step::Field(section), Step::Field(key), ..] = problem.path.steps() else { continue };
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.section() == section) {
            resources.remove(kind, key);
        }
    }
    Decoded { resources, diagnostics: locate(problems, sources, trees) }
}

/// Adds what the checks found, but for what follows from a fault that is known: one fault, one message.
fn add(problems: &mut Vec<Problem>, found: Vec<Problem>) {
    // Of a key that is written twice the first is read, and can be checked.
    let mutes = |problem: &&Problem| !problem.path.steps().is_empty() && problem.code != "duplicate_key";
    let paths = |problem: &Problem| std::iter::once(problem.path.clone()).chain(problem.meant.clone());
    let known: BTreeSet<Path> = problems.iter().filter(mutes).flat_map(paths).collect();
    // What a text that could not be read at all may hold, nobody knows.
    let unread = problems.iter().any(|problem| matches!(problem.code, "syntax" | "too_large"));
    let follows = |found: &Problem| found.path.overlaps_any(&known) || (unread && found.code == "unknown_reference");
    problems.extend(found.into_iter().filter(|found| !follows(found)));
}
