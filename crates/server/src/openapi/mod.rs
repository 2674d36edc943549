//! The API's description: made from the handlers, served as JSON and as a page that needs no network.
//!
//! The handlers say which operations there are, and name the schemas of their bodies. What a schema holds comes from
//! three places: requests from the types that they are read into, resources from the JSON Schema of documents, and
//! answers from `views.yaml`, `wire.yaml` and `ofrep.yaml`: their types lie below this crate and know no
//! OpenAPI, or are written field by field.

mod documents;

use daybreak_model::Kind;
use serde_json::{Map, Value as Json, json};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::{Code, MEDIA_TYPE};
use crate::roles;

/// The path of the description.
pub const DOCUMENT_PATH: &str = "/openapi.json";

/// The scope that stands for the paths of all kinds of resources.
pub const KINDS_SCOPE: &str = "/api/v1/{kind:flags|segments|faults|hours|slos|on-call}";

/// What stands for the name of a kind in the schemas that such paths name: `ChangedResource`.
const ANY_KIND: &str = "Resource";

/// Where OpenAPI keeps its schemas.
const SCHEMAS: &str = "#/components/schemas/";

#[derive(OpenApi)]
#[openapi(info(
    title = "Daybreak",
    description = "Feature flags whose flags can also break things on purpose. Bodies are JSON or YAML whatever the \
                   content type; errors are problem details (RFC 9457); every answer carries `Daybreak-Revision`. \
                   Programs should ignore fields that are not described here."
))]
struct Base;

/// What the handlers' descriptions are added to.
#[must_use]
pub fn base() -> Document {
    Base::openapi()
}

/// Writes the paths that stand for all kinds once per kind, gives every operation its errors, and adds the schemas.
#[must_use]
pub fn finish(document: &Document) -> Json {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let mut paths = Map::new();
    for (path, item) in document["paths"].as_object().cloned().unwrap_or_default() {
        match path.strip_prefix(KINDS_SCOPE) {
            Some(rest) => {
                let each = Kind::ALL.map(|kind| (format!("/api/v1/{}{rest}", kind.path()), of_kind(&item, kind)));
                paths.extend(each);
            }
            None => drop(paths.insert(path, item)),
        }
    }
    for (path, item) in &mut paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            operation["operationId"] = operation_id(method, path).into();
            describe_bodies(operation);
            describe_access(operation, method, path);
            describe_problems(operation);
        }
    }
    document["paths"] = Json::Object(paths);
    let description = "A token, as `daybreak token create` makes it; asked for once there is any.";
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "description": description },
    });
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.extend(components());
        schemas.sort_keys();
    }
    document
}

/// A reference to a schema.
fn reference(name: &str) -> String {
    format!("{SCHEMAS}{name}")
}

/// The schemas that are the same for every server.
fn components() -> Map<String, Json> {
    let mut schemas = Map::new();
    for text in [include_str!("views.yaml"), include_str!("wire.yaml"), include_str!("ofrep.yaml")] {
        // A test reads them all.
        schemas.extend(serde_yaml::from_str::<Map<String, Json>>(text).unwrap_or_default());
    }
    schemas.extend(documents::schemas(schemas.get("Changed")));
    if let Some(code) = schemas.get_mut("Problem").and_then(|problem| problem.pointer_mut("/properties/code")) {
        code["enum"] = Code::ALL.iter().map(|code| code.as_str()).collect();
    }
    schemas
}

/// `post_flags_key_enable` for `POST /api/v1/flags/{key}/enable`.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// What people send may be YAML as well, and left out where that is said.
fn describe_bodies(operation: &mut Json) {
    if let Some(body) = operation.get_mut("requestBody") {
        body["required"] = (body["description"] != "Optional").into();
    }
    let id = operation["operationId"].as_str().unwrap_or_default();
    let programs = ["SDK", "OFREP"].iter().any(|tag| operation["tags"][0] == *tag)
        || ["post_pages_alertmanager", "post_pages_pagerduty"].contains(&id);
    let Some(content) = operation.pointer_mut("/requestBody/content").and_then(Json::as_object_mut) else { return };
    if let Some(json) = content.get("application/json").filter(|_| !programs).cloned() {
        content.insert("application/yaml".to_owned(), json);
    }
}

/// What an operation asks of its caller, where there are tokens.
fn describe_access(operation: &mut Json, method: &str, path: &str) {
    let Some(right) = roles::find(&method.to_uppercase(), path).and_then(|row| row.right) else { return };
    let names: Vec<_> = right.roles().iter().map(|role| format!("`{role}`")).collect();
    operation["security"] = json!([{ "token": [] }]);
    operation["x-roles"] = json!(right.roles());
    let answers = [
        ("401", "No valid token".to_owned()),
        ("403", format!("The token has none of the roles {}", names.join(", "))),
        ("429", "Asked too often; `Retry-After` says when to ask again".to_owned()),
    ];
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, description) in answers {
        responses.entry(status).or_insert_with(|| json!({ "description": description }));
    }
}

/// Whatever is not described otherwise, and every error, is a problem.
fn describe_problems(operation: &mut Json) {
    let content = json!({ MEDIA_TYPE: { "schema": { "$ref": reference("Problem") } } });
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        if response.get("content").is_none() {
            response["content"] = content.clone();
        }
    }
    let otherwise = json!({ "description": "What is wrong, and what to do instead", "content": content });
    responses.insert("default".to_owned(), otherwise);
}

/// A path of all kinds as that of one.
fn of_kind(item: &Json, kind: Kind) -> Json {
    let mut item = item.clone();
    for operation in item.as_object_mut().into_iter().flat_map(|operations| operations.values_mut()) {
        operation["tags"] = json!([kind.section()]);
        if let Some(parameters) = operation["parameters"].as_array_mut() {
            parameters.retain(|parameter| parameter["name"] != "kind");
        }
        for text in ["summary", "description"] {
            if let Some(Json::String(text)) = operation.get_mut(text) {
                *text = text.replace("resource", kind.noun());
            }
        }
        refer_to(operation, kind);
    }
    item
}

/// Puts a kind in the place of any.
fn refer_to(schema: &mut Json, kind: Kind) {
    match schema {
        Json::Object(members) => {
            for (key, value) in members.iter_mut() {
                match value {
                    Json::String(target) if key == "$ref" => *target = target.replace(ANY_KIND, documents::name(kind)),
                    value => refer_to(value, kind),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| refer_to(item, kind)),
        _ => {}
    }
}

/// The page that shows the document. Everything it needs is in the binary; it asks nobody else.
#[must_use]
pub fn page() -> SwaggerUi {
    SwaggerUi::new("/docs/{_:.*}").config(Config::new([DOCUMENT_PATH]).validator_url("none"))
}
