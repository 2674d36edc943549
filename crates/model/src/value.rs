//! What a flag serves.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The value of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// A number of a flag whose variants are all written as integers, within ±2⁵³.
    Integer(i64),
    /// A number of any other number flag; always finite. It travels with a decimal point: `1.0`.
    Float(f64),
    /// Any text. A clone of a long one shares it.
    String(SmolStr),
    /// A JSON object.
    Object(serde_json::Map<String, serde_json::Value>),
}

/// The type that all variants of one flag share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// `true` or `false`.
    Boolean,
    /// An integer or a float.
    Number,
    /// A text.
    String,
    /// A JSON object.
    Object,
}

impl Value {
    /// The value's type.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Boolean(_) => ValueType::Boolean,
            Self::Integer(_) | Self::Float(_) => ValueType::Number,
            Self::String(_) => ValueType::String,
            Self::Object(_) => ValueType::Object,
        }
    }

    /// The same value as JSON; a float keeps its decimal point.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Boolean(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::String(value) => value.as_str().into(),
            Self::Object(map) => serde_json::Value::Object(map.clone()),
        }
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<serde_json::Map<String, serde_json::Value>> for Value {
    fn from(map: serde_json::Map<String, serde_json::Value>) -> Self {
        Self::Object(map)
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Object => "object",
        })
    }
}
