//! The JSON Schema of documents, from the table of fields: editors complete YAML by it.

use serde_json::{Map, Value, json};

use crate::fields::{COMBINATORS, DOCUMENT, Field, Noun, Shape, TESTS};

/// The form of a [`daybreak_model::Key`].
const KEY: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$";

/// The JSON Schema (2020-12) of a document.
///
/// It knows shapes, not what must hold across fields: that a rollout sums to 100 % only reading tells.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    definitions.insert("condition".into(), condition());
    reference(&TESTS, &mut definitions);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Daybreak document",
    });
    if let (Some(schema), Value::Object(document)) = (schema.as_object_mut(), closed(&DOCUMENT, &mut definitions)) {
        schema.extend(document);
        schema.insert("$defs".into(), Value::Object(definitions));
    }
    schema
}

/// The schema of a noun: its fields and no others.
fn closed(noun: &'static Noun, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<String, Value> =
        noun.fields.iter().map(|field| (field.name.to_owned(), property(field, definitions))).collect();
    let required: Vec<&str> =
        noun.fields.iter().filter(|field| field.required.is_some()).map(|field| field.name).collect();
    let mut schema = json!({
        "description": noun.doc,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    // What must hold of several fields at once.
    match noun.id {
        "effect" | "good" | "match" | "tests" => schema["minProperties"] = 1.into(),
        "latency" => {
            let names = noun.names().filter(|name| *name != "max");
            let written = names.map(|name| match name {
                "fixed" => json!({ "required": ["fixed"] }),
                name => json!({ "required": [name, "max"] }),
            });
            schema["oneOf"] = written.collect();
        }
        "rule" => schema["oneOf"] = json!([{ "required": ["serve"] }, { "required": ["rollout"] }]),
        _ => {}
    }
    schema
}

fn property(field: &'static Field, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = shape(&field.shape, definitions);
    schema["description"] = field.doc.into();
    schema
}

fn shape(shape: &'static Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Key => json!({ "type": "string", "pattern": KEY }),
        Shape::Reference(kind) => json!({ "title": format!("Name of: {kind}"), "type": "string", "pattern": KEY }),
        Shape::Attribute => json!({ "type": "string", "pattern": "^[^$]" }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Percentage => json!({ "type": "string", "pattern": r"^0*(100(\.0+)?|\d{1,2}(\.\d{1,3}0*)?)\s*%$" }),
        Shape::Duration => {
            json!({ "type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$", "minLength": 2 })
        }
        Shape::Date => json!({ "type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$" }),
        Shape::Number => json!({ "type": "number" }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Timestamp => {
            json!({ "type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$" })
        }
        Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Json => json!({ "type": ["string", "number", "boolean", "object", "array"] }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Matching(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::Condition => json!({ "$ref": "#/$defs/condition" }),
        Shape::Object(noun) => reference(noun, definitions),
        Shape::Map(of) => json!({
            "type": "object",
            "propertyNames": { "pattern": KEY },
            "additionalProperties": self::shape(of, definitions),
        }),
        Shape::Names(of) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^([^$]|$)" },
            "additionalProperties": self::shape(of, definitions),
        }),
        Shape::List(of) => json!({ "type": "array", "items": self::shape(of, definitions) }),
        Shape::Several(of) => json!({ "type": "array", "minItems": 1, "items": self::shape(of, definitions) }),
        Shape::OneOf(of) => {
            let any: Vec<Value> = of.iter().map(|one| self::shape(one, definitions)).collect();
            json!({ "anyOf": any })
        }
    }
}

/// A noun by its name among the definitions, which it joins when it is first met.
fn reference(noun: &'static Noun, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(noun.id) {
        definitions.insert(noun.id.to_owned(), Value::Null);
        let schema = closed(noun, definitions);
        definitions.insert(noun.id.to_owned(), schema);
    }
    json!({ "$ref": format!("#/$defs/{}", noun.id) })
}

fn condition() -> Value {
    let [all, any, not, segment] = COMBINATORS;
    let conditions = json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/condition" } });
    json!({
        "description": "Attributes and their tests, all of which must hold. `context.NAME` always means the attribute.",
        "type": "object",
        "minProperties": 1,
        "properties": {
            all: conditions,
            any: conditions,
            not: { "$ref": "#/$defs/condition" },
            segment: { "type": "string", "pattern": KEY },
        },
        "propertyNames": { "pattern": "^[^$]" },
        "additionalProperties": {
            "anyOf": [{ "type": ["string", "number", "boolean"] }, { "$ref": "#/$defs/tests" }],
        },
    })
}
