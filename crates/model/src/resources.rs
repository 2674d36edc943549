//! Everything that operators and Git keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Fault, Flag, Guard, Hours, Key, OnCall, Segment, SharedMap, Slo};

/// A whole set of resources: what a folder of documents holds, and what a server serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Flags by key. There may be many, and a change is made of a copy of all: so copies share them.
    pub flags: SharedMap<Key, Arc<Flag>>,
    /// Segments by key.
    pub segments: BTreeMap<Key, Segment>,
    /// Faults by key.
    pub faults: BTreeMap<Key, Fault>,
    /// Calendars by key.
    pub hours: BTreeMap<Key, Hours>,
    /// SLOs by key.
    pub slos: BTreeMap<Key, Slo>,
    /// On-call SLOs by key.
    pub on_call: BTreeMap<Key, OnCall>,
    /// Segments that no fault may ever touch.
    pub protect: BTreeSet<Key>,
}

/// The kinds of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A flag.
    Flag,
    /// A segment.
    Segment,
    /// A fault.
    Fault,
    /// A calendar.
    Hours,
    /// An SLO.
    Slo,
    /// An on-call SLO.
    OnCall,
}

/// One resource that names another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Who names it; `None` is the `protect` list.
    pub from: Option<(Kind, Key)>,
    /// The kind of what is named.
    pub kind: Kind,
    /// What is named.
    pub key: Key,
}

impl Kind {
    /// All kinds, in the order in which documents are written.
    pub const ALL: [Self; 6] = [Self::Flag, Self::Segment, Self::Fault, Self::Hours, Self::Slo, Self::OnCall];

    /// The kind's key in documents.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Flag => "flags",
            Self::Segment => "segments",
            Self::Fault => "faults",
            Self::Hours => "hours",
            Self::Slo => "slos",
            Self::OnCall => "on_call",
        }
    }

    /// The kind's segment in API paths.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::OnCall => "on-call",
            other => other.section(),
        }
    }

    /// What one of them is called.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Segment => "segment",
            Self::Fault => "fault",
            Self::Hours => "hours",
            Self::Slo => "SLO",
            Self::OnCall => "on-call SLO",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.noun())
    }
}

impl Resources {
    /// Whether there is a resource of this kind and key.
    #[must_use]
    pub fn contains(&self, kind: Kind, key: &str) -> bool {
        match kind {
            Kind::Flag => self.flags.contains_key(key),
            Kind::Segment => self.segments.contains_key(key),
            Kind::Fault => self.faults.contains_key(key),
            Kind::Hours => self.hours.contains_key(key),
            Kind::Slo => self.slos.contains_key(key),
            Kind::OnCall => self.on_call.contains_key(key),
        }
    }

    /// The keys of one kind, in order.
    #[must_use]
    pub fn keys(&self, kind: Kind) -> Vec<&Key> {
        match kind {
            Kind::Flag => self.flags.keys().collect(),
            Kind::Segment => self.segments.keys().collect(),
            Kind::Fault => self.faults.keys().collect(),
            Kind::Hours => self.hours.keys().collect(),
            Kind::Slo => self.slos.keys().collect(),
            Kind::OnCall => self.on_call.keys().collect(),
        }
    }

    /// Removes one resource; whether it was there.
    pub fn remove(&mut self, kind: Kind, key: &str) -> bool {
        match kind {
            Kind::Flag => self.flags.remove(key).is_some(),
            Kind::Segment => self.segments.remove(key).is_some(),
            Kind::Fault => self.faults.remove(key).is_some(),
            Kind::Hours => self.hours.remove(key).is_some(),
            Kind::Slo => self.slos.remove(key).is_some(),
            Kind::OnCall => self.on_call.remove(key).is_some(),
        }
    }

    /// Every naming of one resource by another, each once.
    #[must_use]
    pub fn references(&self) -> BTreeSet<Reference> {
        let mut found = BTreeSet::new();
        let mut add = |from: Option<(Kind, &Key)>, kind, key: &Key| {
            found.insert(Reference { from: from.map(|(kind, key)| (kind, key.clone())), kind, key: key.clone() });
        };
        for (key, flag) in &self.flags {
            let from = Some((Kind::Flag, key));
            flag.segments().for_each(|segment| add(from, Kind::Segment, &segment));
            flag.prerequisites.keys().for_each(|flag| add(from, Kind::Flag, flag));
        }
        for (key, segment) in &self.segments {
            segment.when.segments().iter().for_each(|named| add(Some((Kind::Segment, key)), Kind::Segment, named));
        }
        for (key, fault) in &self.faults {
            let from = Some((Kind::Fault, key));
            fault.when.iter().flat_map(|when| when.segments()).for_each(|named| add(from, Kind::Segment, &named));
            add(from, Kind::Hours, &fault.hours);
            if let Guard::Policy(policy) = &fault.guard {
                add(from, Kind::Slo, &policy.slo);
                policy.on_call.iter().for_each(|on_call| add(from, Kind::OnCall, on_call));
            }
        }
        self.on_call.iter().for_each(|(key, on_call)| add(Some((Kind::OnCall, key)), Kind::Hours, &on_call.hours));
        self.protect.iter().for_each(|segment| add(None, Kind::Segment, segment));
        found
    }
}
