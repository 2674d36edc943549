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
use std::sync::Arc;

use daybreak_model::limits::DOCUMENT_BYTES_MAX;
use daybreak_model::{Key, Kind, Resources};
use jiff::civil::Date;
use serde_json::Value;

pub(crate) use condition::ATTRIBUTE_PREFIX;
pub(crate) use flag::{false_variant, on_and_off};
use reader::{Notes, Reader};

use crate::check::{self, Unread};
use crate::diagnostic::{Diagnostic, Place, Problem, Severity, has_errors, locate};
use crate::fields::DOCUMENT;
use crate::path::{Path, Step};
use crate::source::{LineIndex, Source, Span};
use crate::suggest;
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
    Draft::of_documents(sources.to_vec()).alone(today)
}

/// Reads documents that are laid over what is there: see [`Draft::over`].
#[must_use]
pub fn decode_over(sources: &[Source], others: &Resources) -> Decoded {
    Draft::of_documents(sources.to_vec()).over(others, None)
}

/// Reads the body of one resource, and checks it against the others: see [`Draft::among`].
#[must_use]
pub fn decode_resource(kind: Kind, key: &Key, source: &Source, others: &Resources) -> Decoded {
    Draft::of_resource(kind, key, source.clone()).among(others, None)
}

/// Texts that were read, and not yet checked against anything else: the most of the work is done, and it needs
/// no other resources.
#[derive(Clone, Debug)]
pub struct Draft {
    sources: Vec<Source>,
    trees: Vec<(usize, Node)>,
    collected: Collected,
    problems: Vec<Problem>,
}

impl Draft {
    /// Reads documents that belong together.
    #[must_use]
    pub fn of_documents(sources: Vec<Source>) -> Self {
        let mut problems = Vec::new();
        let trees = read_all(&sources, &mut problems).into_iter().flat_map(once_each).collect();
        Self::collect(sources, trees, problems)
    }

    /// Reads the body of one resource.
    #[must_use]
    pub fn of_resource(kind: Kind, key: &Key, source: Source) -> Self {
        let sources = vec![source];
        let mut problems = Vec::new();
        let mut trees = read_all(&sources, &mut problems);
        if trees.len() != 1 && !problems.iter().any(is_unread) {
            let place = Place { source: 0, span: Span::default() };
            let message = format!("the body of one {kind} is expected, and this text holds {}", trees.len());
            problems.push(Problem::error("wrong_type", Path::default(), message).help("write one map").at(place));
            trees.clear();
        }
        let under = |(source, node): (usize, Node)| (source, node.under(key.as_str()).under(kind.section()));
        Self::collect(sources, trees.into_iter().map(under).collect(), problems)
    }

    fn collect(sources: Vec<Source>, trees: Vec<(usize, Node)>, mut problems: Vec<Problem>) -> Self {
        let mut collected = Collected::default();
        for (source, tree) in &trees {
            collected.document(*source, tree, &mut problems);
        }
        Self { sources, trees, collected, problems }
    }

    /// Where each resource is written: the name of the source, and the line of its key, from 1.
    #[must_use]
    pub fn places(&self) -> BTreeMap<(Kind, Key), (String, usize)> {
        let lines: Vec<LineIndex<'_>> = self.sources.iter().map(|source| LineIndex::new(&source.text)).collect();
        let place = |(resource, place): (&(Kind, Key), &Place)| {
            let (source, lines) = (self.sources.get(place.source)?, lines.get(place.source)?);
            Some((resource.clone(), (source.name.clone(), lines.position(place.span.start).0)))
        };
        self.collected.declared.iter().filter_map(place).collect()
    }

    /// The documents by themselves. With `today`, also warns of flags that have expired.
    #[must_use]
    pub fn alone(&self, today: Option<Date>) -> Decoded {
        self.finish(self.collected.resources.clone(), today, |_| true)
    }

    /// The documents laid over what is there: what they name is replaced, `protect` too where they have it, all else
    /// stays, and references may go to either. The result holds both.
    #[must_use]
    pub fn over(&self, others: &Resources, today: Option<Date>) -> Decoded {
        let mut resources = others.clone();
        for (kind, key) in self.collected.declared.keys() {
            resources.remove(*kind, key.as_str());
            copy(&self.collected.resources, &mut resources, *kind, key);
        }
        if self.collected.has_protect {
            resources.protect = self.collected.resources.protect.clone();
        }
        let sections: BTreeSet<Path> =
            self.collected.declared.keys().map(|(kind, key)| check::at(*kind, key)).collect();
        // Of what is there already, what is worth knowing was said when it came.
        let is_own = |found: &Problem| found.severity == Severity::Error || found.path.overlaps_any(&sections);
        self.finish(resources, today, is_own)
    }

    /// The one resource among the others, which may hold an older version of it. The result holds that resource
    /// alone. What it would break in others is an error too.
    #[must_use]
    pub fn among(&self, others: &Resources, today: Option<Date>) -> Decoded {
        let mut problems = self.problems.clone();
        let mut resources = self.collected.resources.clone();
        let declared = self.collected.declared.keys();
        for (kind, key) in declared.clone() {
            if resources.contains(*kind, key.as_str()) {
                let (_, found) = replaced(&self.collected, *kind, key, others, today);
                add(&mut problems, &self.collected.notes, found);
            }
        }
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            for (kind, key) in declared {
                resources.remove(*kind, key.as_str());
            }
        }
        Decoded { resources, diagnostics: locate(problems, &self.sources, &self.trees) }
    }

    /// Checks what was collected, and leaves out the resources in which something is wrong.
    fn finish(&self, mut resources: Resources, today: Option<Date>, tells: impl Fn(&Problem) -> bool) -> Decoded {
        let is_absent = |(kind, key): &&(Kind, Key)| !resources.contains(*kind, key.as_str());
        let absent = self.collected.declared.keys().filter(is_absent).cloned().collect();
        let unread = Unread { resources: absent, fields: self.collected.notes.stand_ins.clone() };
        let mut found = check::check(&resources, &unread, today);
        found.retain(tells);
        let mut problems = self.problems.clone();
        add(&mut problems, &self.collected.notes, found);
        for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
            let [Step::Field(section), Step::Field(key), ..] = problem.path.steps() else { continue };
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.section() == section) {
                resources.remove(kind, key);
            }
        }
        Decoded { resources, diagnostics: locate(problems, &self.sources, &self.trees) }
    }
}

/// Puts one resource in the place of its older version, and says what is then wrong: with it, or with others
/// for its sake.
fn replaced(
    one: &Collected,
    kind: Kind,
    key: &Key,
    others: &Resources,
    today: Option<Date>,
) -> (Resources, Vec<Problem>) {
    let mut resources = others.clone();
    resources.remove(kind, key.as_str());
    copy(&one.resources, &mut resources, kind, key);
    let unread = Unread { resources: BTreeSet::new(), fields: one.notes.stand_ins.clone() };
    let own = check::at(kind, key);
    // What is within another is as it was, and there may be many.
    let (mut found, mut between) = (Vec::new(), Vec::new());
    check::check_one(&resources, kind, key, &unread, today, &mut found);
    check::check_between(&resources, &unread, &mut between);
    let (its, others_found): (Vec<Problem>, Vec<Problem>) =
        between.into_iter().partition(|problem| problem.path.overlaps(&own));
    found.extend(its);
    let mut broken: Vec<Problem> =
        others_found.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
    if !broken.is_empty() {
        let mut before = Vec::new();
        check::check_between(others, &Unread::default(), &mut before);
        broken.retain(|problem| !before.contains(problem));
    }
    found.extend(broken);
    (resources, found)
}

/// Puts the document form of one resource in the place of its older version. The problems have paths alone.
pub(crate) fn replace_form(
    kind: Kind,
    key: &Key,
    form: &Value,
    others: &Resources,
    today: Option<Date>,
) -> (Resources, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut collected = Collected::default();
    let tree = Node::from_json(form).under(key.as_str()).under(kind.section());
    collected.document(0, &tree, &mut problems);
    let (resources, found) = replaced(&collected, kind, key, others, today);
    add(&mut problems, &collected.notes, found);
    problems.iter_mut().for_each(|problem| problem.place = None);
    (resources, problems)
}

/// Reads the document form of all resources. No text, so no bound on its length: for what a server exported.
///
/// # Errors
/// Everything that is wrong with it, by its path.
pub fn decode_form(form: &Value) -> Result<Resources, Vec<Diagnostic>> {
    decode_form_over(form, &Resources::default())
}

/// The same, laid over what is there: see [`Draft::over`].
pub(crate) fn decode_form_over(form: &Value, others: &Resources) -> Result<Resources, Vec<Diagnostic>> {
    let mut draft = Draft::collect(Vec::new(), vec![(0, Node::from_json(form))], Vec::new());
    draft.trees.clear();
    draft.problems.iter_mut().for_each(|problem| problem.place = None);
    draft.over(others, None).into_result().map(|(resources, _)| resources)
}

fn read_all(sources: &[Source], problems: &mut Vec<Problem>) -> Vec<(usize, Node)> {
    let mut trees = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        if source.text.len() > DOCUMENT_BYTES_MAX {
            let message = format!("this document has {} bytes, more than {DOCUMENT_BYTES_MAX}", source.text.len());
            let place = Place { source: index, span: Span::default() };
            problems.push(
                Problem::error("too_large", Path::default(), message)
                    .help("split it into several; lists of many values are shorter as JSON")
                    .at(place),
            );
            continue;
        }
        if let Some(at) = source.invalid {
            let place = Place { source: index, span: Span::new(at, at) };
            let problem = Problem::error("syntax", Path::default(), "here this document is no UTF-8 any more");
            problems.push(problem.help("save it as UTF-8").at(place));
            continue;
        }
        trees.extend(tree::parse(index, &source.text, problems).into_iter().map(|tree| (index, tree)));
    }
    trees
}

/// As many sections that are written again are read too.
const REPEATED_MAX: usize = 100;

/// A document whose sections are each written once, as they are; what is written again, as documents of their own:
/// so it is read too, and found by its path.
fn once_each((source, node): (usize, Node)) -> Vec<(usize, Node)> {
    let Node { head, tree: Tree::Map(entries) } = node else { return vec![(source, node)] };
    let (mut first, mut repeated) = (Vec::new(), Vec::new());
    let mut sections = BTreeSet::new();
    for entry in entries {
        match DOCUMENT.field(&entry.key).is_none_or(|section| sections.insert(section.name)) {
            true => first.push(entry),
            false if repeated.len() < REPEATED_MAX => repeated.push(vec![entry]),
            false => {}
        }
    }
    let documents = std::iter::once(first).chain(repeated);
    documents.map(|entries| (source, Node { head, tree: Tree::Map(entries) })).collect()
}

/// The resources of several documents, with where each was written.
#[derive(Clone, Debug, Default)]
struct Collected {
    resources: Resources,
    declared: BTreeMap<(Kind, Key), Place>,
    /// Whether any of them has a `protect` list, be it empty.
    has_protect: bool,
    notes: Notes,
}

impl Collected {
    fn document(&mut self, source: usize, tree: &Node, problems: &mut Vec<Problem>) {
        // A file of comments alone is no fault.
        if tree.tree == Tree::Null {
            return;
        }
        let mut notes = std::mem::take(&mut self.notes);
        let mut reader = Reader { source, path: Path::default(), problems, notes: &mut notes };
        if let Some(fields) = reader.fields(tree, &DOCUMENT) {
            for kind in Kind::ALL {
                reader.field(&fields, kind.section(), |reader, node| {
                    let help =
                        format!("write keys and what they hold, as in `{}: {{ name: {{ … }} }}`", kind.section());
                    reader.entries(node, &help, |reader, entry| self.resource(kind, entry, reader))
                });
            }
            let protect = reader.field(&fields, "protect", |reader, node| {
                reader.list(node, "write a list of segments, as in `[vip-customers]`", Reader::key)
            });
            self.has_protect |= protect.is_some();
            self.resources.protect.extend(protect.unwrap_or_default());
        }
        self.notes = notes;
    }

    fn resource(&mut self, kind: Kind, entry: &Entry, reader: &mut Reader<'_>) {
        let Some(key) = reader.check_key(&entry.key, entry.span) else {
            // What is wrong in it is said all the same, and it is dropped.
            let stand_in = suggest::as_key(&entry.key).or(Key::new("nameless").ok());
            if let Some(key) = stand_in.filter(|_| entry.value.tree != Tree::Null) {
                insert(&mut Resources::default(), kind, &key, &entry.value, reader);
            }
            return;
        };
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
        Kind::Flag => drop(reader.flag(key, node).map(|flag| resources.flags.insert(key.clone(), Arc::new(flag)))),
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

/// Whether nobody knows what a text holds, because it could not be read at all.
fn is_unread(problem: &Problem) -> bool {
    matches!(problem.code, "syntax" | "too_large" | "too_deep")
}

/// Adds what the checks found, but for what follows from a fault that is known: one fault, one message.
fn add(problems: &mut Vec<Problem>, notes: &Notes, found: Vec<Problem>) {
    // Of a key that is written twice the first is read, and can be checked.
    let mutes = |problem: &&Problem| {
        problem.severity == Severity::Error && !problem.path.steps().is_empty() && problem.code != "duplicate_key"
    };
    let paths = |problem: &Problem| std::iter::once(problem.path.clone()).chain(problem.meant.clone());
    let mut known: BTreeSet<Path> = problems.iter().filter(mutes).flat_map(paths).collect();
    known.extend(notes.stand_ins.iter().cloned());
    let is_unread = problems.iter().any(is_unread);
    let follows = |found: &Problem| found.path.overlaps_any(&known) || (is_unread && found.code == "unknown_reference");
    problems.extend(found.into_iter().filter(|found| !follows(found)));
}
