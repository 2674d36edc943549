//! Resources → the document form: in the order of the fields' table, defaults left out.

mod condition;
mod fault;
mod flag;
mod objectives;
mod yaml;

use daybreak_model::{Effect, Kind, Resources};
use serde_json::{Map, Value};

/// A JSON object under construction: absent fields are left out.
#[derive(Default)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn maybe(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn unless_empty(&mut self, name: &str, value: Value) {
        let is_empty = match &value {
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.set(name, value);
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

/// The document form of all resources.
#[must_use]
pub fn encode(resources: &Resources) -> Value {
    let mut document = Object::default();
    for kind in [Kind::Flag, Kind::Segment] {
        document.unless_empty(kind.section(), section(resources, kind));
    }
    document.unless_empty("protect", resources.protect.iter().map(|key| Value::from(key.as_str())).collect());
    for kind in [Kind::Fault, Kind::Hours, Kind::Slo, Kind::OnCall] {
        document.unless_empty(kind.section(), section(resources, kind));
    }
    document.into()
}

fn section(resources: &Resources, kind: Kind) -> Value {
    let one = |key: &daybreak_model::Key| Some((key.to_string(), encode_resource(resources, kind, key.as_str())?));
    Value::Object(resources.keys(kind).into_iter().filter_map(one).collect())
}

/// The document form of one resource, where there is one.
#[must_use]
pub fn encode_resource(resources: &Resources, kind: Kind, key: &str) -> Option<Value> {
    Some(match kind {
        Kind::Flag => flag::flag(resources.flags.get(key)?),
        Kind::Segment => flag::segment(resources.segments.get(key)?),
        Kind::Fault => fault::fault(resources.faults.get(key)?),
        Kind::Hours => objectives::hours(resources.hours.get(key)?),
        Kind::Slo => objectives::slo(resources.slos.get(key)?),
        Kind::OnCall => objectives::on_call(resources.on_call.get(key)?),
    })
}

/// The document form of an effect.
#[must_use]
pub fn encode_effect(effect: &Effect) -> Value {
    fault::effect(effect)
}

/// All resources as a YAML document.
#[must_use]
pub fn to_yaml(resources: &Resources) -> String {
    yaml::write(&encode(resources))
}

/// A document form, such as that of one resource, as YAML that every reader reads alike.
#[must_use]
pub fn value_to_yaml(value: &Value) -> String {
    yaml::write(value)
}
