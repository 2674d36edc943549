//! The one table of every field: its name, whether it must be written, what it holds, and what it is for.
//!
//! Unknown fields and their nearest neighbours, missing fields, the JSON Schema and the reference for people all
//! come from it; no other place lists fields.

mod faults;
mod flags;
mod objectives;

use daybreak_model::Kind;

pub(crate) use faults::{EFFECT, ERROR, EXPONENTIAL, FAULT, GUARD, HANG, LATENCY, LOGNORMAL, NORMAL, PARETO, UNIFORM};
pub(crate) use flags::{COMBINATORS, FLAG, RULE, SEGMENT, TESTS};
pub(crate) use objectives::{GOOD, HOURS, MATCH, ON_CALL, PROMETHEUS, SLI, SLO};

/// A map with known fields.
#[derive(Debug)]
pub(crate) struct Noun {
    /// What it is called, with its article: `a flag`.
    pub(crate) name: &'static str,
    /// Its name among the schema's definitions.
    pub(crate) id: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) fields: &'static [Field],
}

/// One field of a noun.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// What to write where it is missing; `None` where it may be left out.
    pub(crate) required: Option<&'static str>,
    pub(crate) shape: Shape,
    pub(crate) doc: &'static str,
}

/// What a field holds.
#[derive(Debug)]
pub(crate) enum Shape {
    Text,
    /// The name of a variant, a fault point or a rule.
    Key,
    /// The name of a resource.
    Reference(Kind),
    /// The name of an attribute.
    Attribute,
    Boolean,
    Percentage,
    Duration,
    Date,
    Number,
    Integer {
        min: u64,
        max: u64,
    },
    Timestamp,
    /// A text, number or boolean.
    Scalar,
    Json,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A text of the form that the expression tells.
    Matching(&'static str),
    Condition,
    Object(&'static Noun),
    Map(&'static Shape),
    /// A map whose keys need not have the form of a resource's key.
    Names(&'static Shape),
    List(&'static Shape),
    /// A list of at least one.
    Several(&'static Shape),
    OneOf(&'static [Shape]),
}

impl Noun {
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.fields.iter().map(|field| field.name)
    }
}

const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, required: None, shape, doc }
}

const fn required(name: &'static str, shape: Shape, help: &'static str, doc: &'static str) -> Field {
    Field { name, required: Some(help), shape, doc }
}

/// A whole document.
pub(crate) static DOCUMENT: Noun = Noun {
    name: "a document",
    id: "document",
    doc: "Daybreak's resources: flags, segments, faults, calendars and objectives, by key.",
    fields: &[
        optional("flags", Shape::Map(&Shape::Object(&FLAG)), "Flags by key."),
        optional("segments", Shape::Map(&Shape::Object(&SEGMENT)), "Named conditions that rules and faults share."),
        optional("protect", Shape::List(&Shape::Reference(Kind::Segment)), "Segments that no fault may ever touch."),
        optional("faults", Shape::Map(&Shape::Object(&FAULT)), "Faults by key."),
        optional("hours", Shape::Map(&Shape::Object(&HOURS)), "Named calendars."),
        optional("slos", Shape::Map(&Shape::Object(&SLO)), "Service level objectives."),
        optional("on_call", Shape::Map(&Shape::Object(&ON_CALL)), "On-call SLOs: what may be asked of people."),
    ],
};

/// The fields of a resource of this kind.
pub(crate) fn of(kind: Kind) -> &'static Noun {
    match kind {
        Kind::Flag => &FLAG,
        Kind::Segment => &SEGMENT,
        Kind::Fault => &FAULT,
        Kind::Hours => &HOURS,
        Kind::Slo => &SLO,
        Kind::OnCall => &ON_CALL,
    }
}
