//! One flag's answer: a success, or a failure that is an item like any other.

use daybreak_engine::Detail;
use daybreak_model::{ErrorCode, metadata};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One flag's answer in OFREP's form.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    /// The flag's key as asked for.
    pub(super) key: &'a str,
    /// What the engine answered.
    pub(super) detail: &'a Detail<'a>,
    /// The server's environment.
    pub(super) environment: &'a str,
    /// Whether rules and prerequisites may be named.
    pub(super) tells: bool,
}

impl Evaluation<'_> {
    /// What went wrong, if something did.
    pub(super) fn error(&self) -> Option<ErrorCode> {
        self.detail.error()
    }

    /// The same for people. The engine's own may name a rule.
    fn message(&self) -> String {
        let told = if self.tells { self.detail.message() } else { self.error().map(|error| error.to_string()) };
        told.unwrap_or_default()
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
                map.serialize_entry("errorDetails", &self.message())?;
            }
        }
        if detail.error() != Some(ErrorCode::FlagNotFound) {
            map.serialize_entry("metadata", &Metadata(self))?;
        }
        map.end()
    }
}

struct Metadata<'a>(&'a Evaluation<'a>);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Evaluation { detail, environment, tells, .. } = *self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(metadata::REVISION, &detail.revision())?;
        // The same for OpenFeature's hooks, which want text.
        map.serialize_entry(metadata::VERSION, &format_args!("{}", detail.revision()))?;
        map.serialize_entry(metadata::FLAG_SET_ID, environment)?;
        if let Some(rule) = detail.rule().filter(|_| tells) {
            map.serialize_entry(metadata::RULE, rule.as_str())?;
        }
        if let Some(prerequisite) = detail.prerequisite().filter(|_| tells) {
            map.serialize_entry(metadata::PREREQUISITE, prerequisite.as_str())?;
        }
        for (name, scalar) in detail.metadata().into_iter().flatten().filter(|(name, _)| !metadata::is_own(name)) {
            map.serialize_entry(name, scalar)?;
        }
        map.end()
    }
}
