//! Resources and their patches, from the JSON Schema of documents, which is made from the table of all fields.

use daybreak_model::Kind;
use serde_json::{Map, Value as Json, json};

use super::reference;

/// Where the JSON Schema keeps its definitions.
const DEFINITIONS: &str = "#/$defs/";

/// The name of the schema of a kind: `OnCall`.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "Flag",
        Kind::Segment => "Segment",
        Kind::Fault => "Fault",
        Kind::Hours => "Hours",
        Kind::Slo => "Slo",
        Kind::OnCall => "OnCall",
    }
}

/// A document, every resource, what changes one, a list of them, and what a change of one is answered with.
/// `changed` is the schema of the answer to a change of any.
pub(super) fn schemas(changed: Option<&Json>) -> Map<String, Json> {
    let mut document = daybreak_document::schema();
    let definitions = document.as_object_mut().and_then(|document| document.remove("$defs"));
    let definitions = definitions.as_ref().and_then(Json::as_object).cloned().unwrap_or_default();
    let mut schemas = Map::new();
    for (id, definition) in &definitions {
        schemas.insert(pascal(id), renamed(definition, pascal));
        schemas.insert(patch_name(id), patch(&renamed(definition, patch_name)));
    }
    if let Some(document) = document.as_object_mut() {
        document.remove("$schema");
    }
    schemas.insert("Document".to_owned(), renamed(&document, pascal));
    for kind in Kind::ALL {
        let name = name(kind);
        if let Some(resource) = schemas.get(name).and_then(|schema| with_revision(kind, schema)) {
            let mut answer = changed.cloned().unwrap_or_default();
            answer["properties"]["resource"] = resource;
            if matches!(kind, Kind::Flag) {
                let description = "Whether it is enabled now, where that was asked for.";
                answer["properties"]["enabled"] = json!({ "description": description, "type": "boolean" });
            }
            schemas.insert(format!("Changed{name}"), answer);
        }
        schemas.insert(format!("{name}List"), list(kind));
    }
    reachable(schemas)
}

/// The name of a definition among OpenAPI's schemas: `OnCall` for `on_call`.
fn pascal(id: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    id.split('_').map(capital).collect()
}

fn patch_name(id: &str) -> String {
    format!("{}Patch", pascal(id))
}

/// The same with its references to definitions as references to schemas of these names.
fn renamed(schema: &Json, name: fn(&str) -> String) -> Json {
    match schema {
        Json::Object(members) => {
            let member = |(key, value): (&String, &Json)| {
                let id = value.as_str().filter(|_| key == "$ref").and_then(|target| target.strip_prefix(DEFINITIONS));
                let value = id.map_or_else(|| renamed(value, name), |id| Json::String(reference(&name(id))));
                (key.clone(), value)
            };
            Json::Object(members.iter().map(member).collect())
        }
        Json::Array(items) => items.iter().map(|item| renamed(item, name)).collect(),
        other => other.clone(),
    }
}

/// What changes a map: a JSON merge patch (RFC 7396). Everything may be left out, and null takes it away.
fn patch(schema: &Json) -> Json {
    let Json::Object(members) = schema else { return schema.clone() };
    if !members.contains_key("properties") && !members.contains_key("additionalProperties") {
        return alternatives(members);
    }
    let mut patch = members.clone();
    ["required", "minProperties", "oneOf"].iter().for_each(|keyword| drop(patch.remove(*keyword)));
    if let Some(Json::Object(properties)) = patch.get_mut("properties") {
        for (name, property) in properties.iter_mut() {
            *property = if name == "rules" { rules(property) } else { or_null(property) };
        }
    }
    if let Some(rest @ Json::Object(_)) = patch.get_mut("additionalProperties") {
        *rest = or_null(rest);
    }
    Json::Object(patch)
}

/// The same where any of several will do.
fn alternatives(members: &Map<String, Json>) -> Json {
    let mut members = members.clone();
    if let Some(Json::Array(any)) = members.get_mut("anyOf") {
        any.iter_mut().for_each(|one| *one = patch(one));
    }
    Json::Object(members)
}

fn or_null(schema: &Json) -> Json {
    json!({ "anyOf": [patch(schema), { "type": "null" }] })
}

/// Rules by name, or as a list that replaces all of them.
fn rules(list: &Json) -> Json {
    let whole = renamed_back(list);
    let by_name = json!({
        "description": "By name: what changes in it, null to remove it; a new name brings a whole rule.",
        "type": "object",
        "additionalProperties": { "anyOf": [{ "$ref": reference("RulePatch") }, { "type": "null" }] },
    });
    json!({ "anyOf": [by_name, whole, { "type": "null" }] })
}

/// The list of whole rules, not of patches.
fn renamed_back(list: &Json) -> Json {
    let mut list = list.clone();
    list["items"] = json!({ "$ref": reference("Rule") });
    list
}

/// A resource with its key and its revision, as the answer to a change has it.
fn with_revision(kind: Kind, schema: &Json) -> Option<Json> {
    let mut resource = schema.clone();
    resource["description"] = format!("The {} as it is now; absent where it is gone.", kind.noun()).into();
    let properties = resource.get_mut("properties")?.as_object_mut()?;
    properties.insert("key".to_owned(), json!({ "$ref": reference("Key") }));
    let revision = "The revision that last changed it: its ETag is `store:revision`.";
    properties.insert("revision".to_owned(), json!({ "description": revision, "type": "integer", "minimum": 0 }));
    let required = resource.get("required").and_then(Json::as_array).cloned().unwrap_or_default();
    resource["required"] = required.into_iter().chain(["key".into(), "revision".into()]).collect();
    Some(resource)
}

/// All resources of a kind, as a document of them alone.
fn list(kind: Kind) -> Json {
    let section = kind.section();
    json!({
        "description": "By key, in the form of documents.",
        "type": "object",
        "required": [section],
        "properties": { section: {
            "type": "object",
            "propertyNames": { "$ref": reference("Key") },
            "additionalProperties": { "$ref": reference(name(kind)) },
        } },
    })
}

/// Without the patches that no resource's patch reaches.
fn reachable(mut schemas: Map<String, Json>) -> Map<String, Json> {
    let mut reached: Vec<String> = schemas.keys().filter(|name| !name.ends_with("Patch")).cloned().collect();
    reached.extend(Kind::ALL.map(|kind| format!("{}Patch", name(kind))));
    let mut at = 0;
    while let Some(name) = reached.get(at) {
        let mut named = Vec::new();
        references(schemas.get(name).unwrap_or(&Json::Null), &mut named);
        named.retain(|name| !reached.contains(name));
        reached.extend(named);
        at += 1;
    }
    schemas.retain(|name, _| reached.contains(name));
    schemas
}

/// The names of the schemas that a schema refers to.
fn references(schema: &Json, named: &mut Vec<String>) {
    match schema {
        Json::Object(members) => {
            let target = members.get("$ref").and_then(Json::as_str).and_then(|target| target.rsplit('/').next());
            named
                .extend(target.map(str::to_owned).filter(|name| !named.contains(name)).into_iter().collect::<Vec<_>>());
            members.values().for_each(|value| references(value, named));
        }
        Json::Array(items) => items.iter().for_each(|item| references(item, named)),
        _ => {}
    }
}
