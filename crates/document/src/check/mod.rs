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
    for (key, flag) in &resources.flags {
        flags::check(flag, &at(Kind::Flag, key), unread, today, &mut problems);
    }
    for (key, fault) in &resources.faults {
        faults::check(fault, &at(Kind::Fault, key), &mut problems);
    }
    for (key, hours) in &resources.hours {
        objectives::check_hours(hours, &at(Kind::Hours, key), &mut problems);
    }
    for (key, slo) in &resources.slos {
        objectives::check_slo(slo, &at(Kind::Slo, key), &mut problems);
    }
    for (key, on_call) in &resources.on_call {
        objectives::check_on_call(on_call, &at(Kind::OnCall, key), &mut problems);
    }
    references::check(resources, unread, &mut problems);
    cycles::check(resources, &mut problems);
    problems
}

/// Where a resource stands.
pub(crate) fn at(kind: Kind, key: &Key) -> Path {
    Path::default().then(kind.section()).then(key.as_str())
}
