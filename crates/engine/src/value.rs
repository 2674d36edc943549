//! What an answer serves, borrowed.

use daybreak_model::Value;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

/// The value of a variant, borrowed from a snapshot: see [`Value`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'s> {
    /// `true` or `false`.
    Boolean(bool),
    /// A number of a flag whose variants are all written as integers, within ±2⁵³.
    Integer(i64),
    /// A number of any other number flag; always finite.
    Float(f64),
    /// Any text. A clone of it, which an answer may keep, takes no memory but its own 24 bytes.
    String(&'s SmolStr),
    /// A JSON object.
    Object(&'s Map<String, Json>),
}

impl ValueRef<'_> {
    /// The same value as JSON; a float keeps its decimal point.
    #[must_use]
    pub fn to_json(self) -> Json {
        match self {
            Self::Boolean(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Float(value) => value.into(),
            Self::String(value) => value.as_str().into(),
            Self::Object(map) => Json::Object(map.clone()),
        }
    }
}

impl<'s> From<&'s Value> for ValueRef<'s> {
    fn from(value: &'s Value) -> Self {
        match value {
            Value::Boolean(value) => Self::Boolean(*value),
            Value::Integer(value) => Self::Integer(*value),
            Value::Float(value) => Self::Float(*value),
            Value::String(value) => Self::String(value),
            Value::Object(map) => Self::Object(map),
        }
    }
}

impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(value) => serializer.serialize_str(value),
            Self::Object(map) => map.serialize(serializer),
        }
    }
}
