//! Resources as differences, the log of events and answers to changes tell them: of a long list the first values, and
//! how many more there are. A list of a million ids is sent where it is asked for, and is not written down with each change.

use std::sync::Arc;

use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::limits::{VALUES_SHOWN, VALUES_TOLD_MAX};
use daybreak_model::{Condition, Flag, Key, Kind, Resources, Scalar, Values};
use serde_json::Value;

use crate::encode::encode_resource;

/// A resource in document form, for people to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The form. Two that differ differ here, too.
    pub form: Value,
    /// Whether lists in it are shortened, so that it cannot be read back.
    pub shortened: bool,
}

/// One resource as it is told, where there is one.
#[must_use]
pub fn tell_resource(resources: &Resources, kind: Kind, key: &Key) -> Option<Told> {
    match shortened(resources, kind, key) {
        Some(short) => Some(Told { form: encode_resource(&short, kind, key.as_str())?, shortened: true }),
        None => Some(Told { form: encode_resource(resources, kind, key.as_str())?, shortened: false }),
    }
}

/// Whether a resource has a list with more than [`VALUES_TOLD_MAX`] values.
#[must_use]
pub fn has_long_list(resources: &Resources, kind: Kind, key: &Key) -> bool {
    match kind {
        Kind::Flag => {
            let rules = resources.flags.get(key).map(|flag| flag.rules.iter());
            rules.into_iter().flatten().filter_map(|rule| rule.when.as_ref()).any(is_long)
        }
        Kind::Segment => resources.segments.get(key).is_some_and(|segment| is_long(&segment.when)),
        Kind::Fault => resources.faults.get(key).and_then(|fault| fault.when.as_ref()).is_some_and(is_long),
        Kind::Hours | Kind::Slo | Kind::OnCall => false,
    }
}

/// The resource alone with its lists shortened; `None` where they need not be.
fn shortened(resources: &Resources, kind: Kind, key: &Key) -> Option<Resources> {
    if !has_long_list(resources, kind, key) {
        return None;
    }
    let mut short = Resources::default();
    match kind {
        Kind::Flag => {
            let mut flag = Flag::clone(resources.flags.get(key)?);
            flag.rules.iter_mut().filter_map(|rule| rule.when.as_mut()).for_each(shorten);
            short.flags.insert(key.clone(), Arc::new(flag));
        }
        Kind::Segment => {
            let mut segment = resources.segments.get(key)?.clone();
            shorten(&mut segment.when);
            short.segments.insert(key.clone(), segment);
        }
        Kind::Fault => {
            let mut fault = resources.faults.get(key)?.clone();
            fault.when.iter_mut().for_each(shorten);
            short.faults.insert(key.clone(), fault);
        }
        Kind::Hours | Kind::Slo | Kind::OnCall => return None,
    }
    Some(short)
}

/// Whether a list in it is too long to be told.
fn is_long(condition: &Condition) -> bool {
    let mut is_long = false;
    condition.walk(&mut |part| {
        if let Condition::Attribute(AttributeTest { test: Test::In(values) | Test::NotIn(values), .. }) = part {
            is_long |= values.len() > VALUES_TOLD_MAX;
        }
    });
    is_long
}

fn shorten(condition: &mut Condition) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter_mut().for_each(shorten),
        Condition::Not(inner) => shorten(inner),
        Condition::Attribute(AttributeTest { test: Test::In(values) | Test::NotIn(values), .. })
            if values.len() > VALUES_TOLD_MAX =>
        {
            *values = first(values);
        }
        Condition::Segment(_) | Condition::Attribute(_) => {}
    }
}

/// The first values, and what tells the others from those of another list.
fn first(values: &Values) -> Values {
    let (more, print) = (values.len() - VALUES_SHOWN, values.fingerprint());
    let more = Scalar::Text(format!("… and {more} more (fingerprint {print:016x})").into());
    values.iter().take(VALUES_SHOWN).map(Scalar::from).chain([more]).collect()
}
