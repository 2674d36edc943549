//! What must hold across fields and across resources. Reading a text, merging and patching all end here.
//!
//! These checks know no text: each problem carries a path, and the tree turns it into a place.

mod cycles;
mod faults;
mod flags;
mod objectives;
mod references;

pub use references::referrers;

use std::collections::BTreeSet;

use daybreak_model::{Key, Kind, Resources};
use jiff::civil::Date;

use crate::diagnostic::Problem;
use crate::path::Path;

/// What was written but could not be read: of it no more is said than was said.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// Resources that are not there at all. They may be referred to.
    pub(crate) resources: BTreeSet<(Kind, Key)>,
    /// Fields in whose place something else stands.
    pub(crate) fields: BTreeSet<Path>,
}

impl Unread {
    /// Whether this field could not be read.
    fn contains(&self, path: &Path) -> bool {
        !self.fields.is_empty() && self.fields.contains(path)
    }

    /// Whether this field, or a part of it, could not be read.
    fn within(&self, path: &Path) -> bool {
        !self.fields.is_empty() && path.overlaps_any(&self.fields)
    }
}

/// Everything that is wrong with these resources, or worth knowing. Expired flags are told where `today` is.
pub(crate) fn check(resources: &Resources, unread: &Unread, today: Option<Date>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for kind in Kind::ALL {
        for key in resources.keys(kind) {
            check_one(resources, kind, key, unread, today, &mut problems);
        }
    }
    check_between(resources, unread, &mut problems);
    problems
}

/// What is wrong within one resource, whatever the others are.
pub(crate) fn check_one(
    resources: &Resources,
    kind: Kind,
    key: &Key,
    unread: &Unread,
    today: Option<Date>,
    problems: &mut Vec<Problem>,
) {
    let path = at(kind, key);
    match kind {
        Kind::Flag => {
            resources.flags.get(key).into_iter().for_each(|flag| flags::check(flag, &path, unread, today, problems));
        }
        Kind::Fault => resources.faults.get(key).into_iter().for_each(|fault| faults::check(fault, &path, problems)),
        Kind::Hours => {
            resources.hours.get(key).into_iter().for_each(|hours| objectives::check_hours(hours, &path, problems));
        }
        Kind::Slo => resources.slos.get(key).into_iter().for_each(|slo| objectives::check_slo(slo, &path, problems)),
        Kind::OnCall => {
            let on_call = resources.on_call.get(key).into_iter();
            on_call.for_each(|on_call| objectives::check_on_call(on_call, &path, problems));
        }
        Kind::Segment => {}
    }
}

/// What is wrong with what resources say of one another.
pub(crate) fn check_between(resources: &Resources, unread: &Unread, problems: &mut Vec<Problem>) {
    references::check(resources, unread, problems);
    cycles::check(resources, problems);
}

/// Where a resource stands.
pub(crate) fn at(kind: Kind, key: &Key) -> Path {
    Path::default().then(kind.section()).then(key.as_str())
}
