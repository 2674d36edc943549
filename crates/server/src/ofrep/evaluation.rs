//! One flag's answer: a success, or a failure that is an item like any other.

use daybreak_engine::Detail;
use daybreak_model::ErrorCode;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One flag's answer in OFREP's form.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    /// The flag's key as asked for.
    pub(super) key: &'a str,
    /// What the engine answered.
    pub(super) detail: &'a Detail<'a>,
}

impl Evaluation<'_> {
    /// What went wrong, if something did.
    pub(super) fn error(&self) -> Option<ErrorCode> {
        self.detail.error()
    }
}

impl Serialize for Evaluation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let detail = self.detail;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", self.key)?;
        match (detail.error(), detail.value(), detail.variant()) {
            (None, Some(value), Some(variant)) => {
                map.serialize_entry("reason", detail.reason().as_str())?;
                map.serialize_entry("value", &value)?;
                map.serialize_entry("variant", variant.as_str())?;
            }
            (error, ..) => {
                map.serialize_entry("errorCode", error.unwrap_or(ErrorCode::General).as_str())?;
                map.serialize_entry("errorDetails", &detail.message().unwrap_or_default())?;
            }
        }
        if detail.error() != Some(ErrorCode::FlagNotFound) {
            map.serialize_entry("metadata", &Metadata(detail))?;
        }
        map.end()
    }
}

struct Metadata<'a>(&'a Detail<'a>);

/// Names of our own; a flag's metadata cannot take them.
const OWN: [&str; 3] = ["revision", "rule", "prerequisite"];

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(detail) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(OWN[0], &detail.revision())?;
        if let Some(rule) = detail.rule() {
            map.serialize_entry(OWN[1], rule.as_str())?;
        }
        if let Some(prerequisite) = detail.prerequisite() {
            map.serialize_entry(OWN[2], prerequisite.as_str())?;
        }
        for (name, scalar) in detail.metadata().into_iter().flatten().filter(|(name, _)| !OWN.contains(&name.as_str()))
        {
            map.serialize_entry(name, scalar)?;
        }
        map.end()
    }
}
