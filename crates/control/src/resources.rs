//! What differs between two sets of resources, and its forms in the store, on the wire and in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use daybreak_document::{Difference, Overridden, Told, diff, tell_resource};
use daybreak_model::wire::{Change, Position};
use daybreak_model::{EventKind, Flag, Key, Kind, Millis, Resources, Verb};
use daybreak_store::{self as store, Document};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::control::PROTECT;
use crate::{Actor, State};

/// What an event says beside a resource whose long lists it only begins.
pub(crate) const SHORTENED: &str = "shortened";

/// The resources that are new, gone or different.
pub(crate) fn changed(before: &Resources, after: &Resources) -> Vec<(Kind, Key)> {
    let all = Kind::ALL.into_iter().flat_map(|kind| {
        let keys: BTreeSet<&Key> = before.keys(kind).into_iter().chain(after.keys(kind)).collect();
        keys.into_iter().map(move |key| (kind, key))
    });
    all.filter(|(kind, key)| differs(before, after, *kind, key)).map(|(kind, key)| (kind, key.clone())).collect()
}

/// Which of some resources are new, gone or different: the others are not looked at, as there may be many.
pub(crate) fn changed_of(before: &Resources, after: &Resources, touched: &[(Kind, Key)]) -> Vec<(Kind, Key)> {
    touched.iter().filter(|(kind, key)| differs(before, after, *kind, key)).cloned().collect()
}

fn differs(before: &Resources, after: &Resources, kind: Kind, key: &Key) -> bool {
    match kind {
        Kind::Flag => match (before.flags.get(key), after.flags.get(key)) {
            // Most flags are shared, and need no second look.
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after) && before != after,
            (before, after) => before != after,
        },
        Kind::Segment => before.segments.get(key) != after.segments.get(key),
        Kind::Fault => before.faults.get(key) != after.faults.get(key),
        Kind::Hours => before.hours.get(key) != after.hours.get(key),
        Kind::Slo => before.slos.get(key) != after.slos.get(key),
        Kind::OnCall => before.on_call.get(key) != after.on_call.get(key),
    }
}

/// How the resources that changed differ, field by field. The others are not looked at: there may be many.
pub(crate) fn differences(before: &Resources, after: &Resources, changed: &[(Kind, Key)]) -> Vec<Difference> {
    diff(&only(before, changed), &only(after, changed))
}

/// Some of the resources, and the `protect` list.
fn only(resources: &Resources, wanted: &[(Kind, Key)]) -> Resources {
    let mut some = Resources { protect: resources.protect.clone(), ..Resources::default() };
    wanted.iter().for_each(|(kind, key)| copy(resources, &mut some, *kind, key));
    some
}

/// Copies one resource, where it is there. Flags and the lists of segments are shared.
pub(crate) fn copy(from: &Resources, to: &mut Resources, kind: Kind, key: &Key) {
    fn copy<T: Clone>(from: &BTreeMap<Key, T>, to: &mut BTreeMap<Key, T>, key: &Key) {
        to.extend(from.get(key).map(|resource| (key.clone(), resource.clone())));
    }
    match kind {
        Kind::Flag => to.flags.extend(from.flags.get(key).map(|flag| (key.clone(), Arc::clone(flag)))),
        Kind::Segment => copy(&from.segments, &mut to.segments, key),
        Kind::Fault => copy(&from.faults, &mut to.faults, key),
        Kind::Hours => copy(&from.hours, &mut to.hours, key),
        Kind::Slo => copy(&from.slos, &mut to.slos, key),
        Kind::OnCall => copy(&from.on_call, &mut to.on_call, key),
    }
}

/// Has what is the same as in others be kept once: flags, of which there may be many, and the lists of segments, which
/// may be long. Of many that were read together, a single one that stays, or its key, keeps a page from being given back.
pub(crate) fn share(of: &mut Resources, others: &Resources) {
    let shared = |(key, flag): (Key, Arc<Flag>)| match others.flags.get_key_value(&key) {
        Some((key, other)) if *other == flag => (key.clone(), Arc::clone(other)),
        Some((key, _)) => (key.clone(), flag),
        None => (key, flag),
    };
    of.flags = std::mem::take(&mut of.flags).into_iter().map(shared).collect();
    for (key, segment) in &mut of.segments {
        if let Some(other) = others.segments.get(key).filter(|other| *other == segment) {
            *segment = other.clone();
        }
    }
}

/// Puts resources in the place of their older versions; which.
pub(crate) fn put(into: &mut Resources, new: Resources) -> Vec<(Kind, Key)> {
    let keys = Kind::ALL.into_iter().flat_map(|kind| new.keys(kind).into_iter().map(move |key| (kind, key.clone())));
    let touched = keys.collect();
    into.flags.extend(new.flags);
    into.segments.extend(new.segments);
    into.faults.extend(new.faults);
    into.hours.extend(new.hours);
    into.slos.extend(new.slos);
    into.on_call.extend(new.on_call);
    into.protect.extend(new.protect);
    touched
}

/// What the store is to do, events aside.
pub(crate) fn to_store(
    before: &Resources,
    after: &Resources,
    changed: &[(Kind, Key)],
) -> Result<store::Change, serde_json::Error> {
    let mut change = store::Change::default();
    for (kind, key) in changed {
        change.resources.insert((*kind, key.clone()), stored(after, *kind, key)?);
    }
    if before.protect != after.protect {
        change.meta.insert(PROTECT.to_owned(), Some(Document::of(&after.protect)?));
    }
    Ok(change)
}

/// A resource as the store keeps it; none where it is gone.
pub(crate) fn stored(resources: &Resources, kind: Kind, key: &Key) -> Result<Option<Document>, serde_json::Error> {
    fn document<T: Serialize>(resource: Option<&T>) -> Result<Option<Document>, serde_json::Error> {
        resource.map(Document::of).transpose()
    }
    match kind {
        Kind::Flag => document(resources.flags.get(key)),
        Kind::Segment => document(resources.segments.get(key)),
        Kind::Fault => document(resources.faults.get(key)),
        Kind::Hours => document(resources.hours.get(key)),
        Kind::Slo => document(resources.slos.get(key)),
        Kind::OnCall => document(resources.on_call.get(key)),
    }
}

/// What streams are told: the flags and segments that are new, different or gone.
pub(crate) fn to_wire(
    after: &State,
    position: Position,
    changed: &[(Kind, Key)],
    acknowledged: Option<Millis>,
) -> Change {
    let of = |wanted: Kind| {
        let keys = changed.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, key)| key);
        keys.map(|key| (key.clone(), after.enveloped(wanted, key))).collect()
    };
    let (ack, jitter) = (acknowledged.is_some(), acknowledged.unwrap_or(Millis::ZERO));
    Change { position, flags: of(Kind::Flag), segments: of(Kind::Segment), ack, jitter }
}

/// The lines of the log: one for each resource, with what it was and what it is.
pub(crate) fn events(
    before: &Resources,
    after: &Resources,
    changed: &[(Kind, Key)],
    actor: &Actor,
    at: Timestamp,
) -> Vec<store::Event> {
    let event = |kind: EventKind, subject: String, before: Option<Value>, after: Option<Value>| store::Event {
        at,
        kind: kind.into(),
        subject: Some(subject),
        actor: actor.name.clone(),
        reason: actor.reason.clone(),
        data: json!({"before": before, "after": after}),
    };
    let mut events: Vec<_> = changed
        .iter()
        .map(|(kind, key)| {
            let (was, is) = (tell_resource(before, *kind, key), tell_resource(after, *kind, key));
            let shortened = [&was, &is].into_iter().flatten().any(|told| told.shortened);
            let verb = verb(before, after, *kind, key);
            let form = |told: Option<Told>| told.map(|told| told.form);
            let mut event = event(EventKind::Resource(*kind, verb), subject(*kind, key.as_str()), form(was), form(is));
            if shortened {
                event.data[SHORTENED] = true.into();
            }
            event
        })
        .collect();
    if before.protect != after.protect {
        let (was, is) = (json!(before.protect), json!(after.protect));
        events.push(event(EventKind::ProtectChanged, PROTECT.to_owned(), Some(was), Some(is)));
    }
    events
}

/// Has the lines of the log say what an operator had changed, and a file has changed back.
pub(crate) fn say_overridden(events: &mut [store::Event], overridden: &[Overridden]) {
    for event in events {
        let of_it = |one: &&Overridden| event.subject.as_ref() == Some(&subject(one.kind, one.key.as_str()));
        let fields: Vec<_> = overridden.iter().filter(of_it).collect();
        if !fields.is_empty() {
            event.data["overridden"] = json!(fields);
        }
    }
}

fn verb(before: &Resources, after: &Resources, kind: Kind, key: &Key) -> Verb {
    let enabled = |resources: &Resources| match kind {
        Kind::Flag => resources.flags.get(key).map(|flag| flag.enabled),
        Kind::Fault => resources.faults.get(key).map(|fault| fault.enabled),
        _ => None,
    };
    match (before.contains(kind, key.as_str()), after.contains(kind, key.as_str())) {
        (false, _) => Verb::Created,
        (_, false) => Verb::Deleted,
        _ => match (enabled(before), enabled(after)) {
            (Some(false), Some(true)) => Verb::Enabled,
            (Some(true), Some(false)) => Verb::Disabled,
            _ => Verb::Changed,
        },
    }
}

/// What an event of a resource happened to.
pub(crate) fn subject(kind: Kind, key: &str) -> String {
    format!("{}/{key}", kind.path())
}
