//! Documents as a store keeps them.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// A document as JSON text: of many that are loaded at once, each is read only when it is its turn. As a tree it would
/// take several times the memory. A clone shares the text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(Arc<RawValue>);

impl Document {
    /// The document of a value.
    ///
    /// # Errors
    /// When a part of it has no JSON form.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        to_raw_value(value).map(|text| Self(text.into()))
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is not what is read.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.text())
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

/// Documents are equal where they are written alike.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        // No value lacks a text.
        Self::of(&value).unwrap_or_else(|_| Self(RawValue::NULL.to_owned().into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_its_text() {
        let document = Document::from(json!({"a": null, "b": [1, 0.1]}));
        assert_eq!(document.text(), r#"{"a":null,"b":[1,0.1]}"#);
        assert_eq!(document.read::<Value>().unwrap(), json!({"a": null, "b": [1, 0.1]}));
        assert!(document.read::<u64>().is_err());
        let copy: Document = serde_json::from_str(document.text()).unwrap();
        assert_eq!((&copy, serde_json::to_string(&copy).unwrap().as_str()), (&document, document.text()));
        assert_ne!(copy, json!({}).into());
    }
}
