//! The API's description: made from the handlers, served as JSON and as a page that needs no network.

use daybreak_model::Kind;
use serde_json::Value as Json;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Paths, Ref, RefOr, ResponseBuilder};
use utoipa::{OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::MEDIA_TYPE;

/// The path of the description.
pub const DOCUMENT_PATH: &str = "/openapi.json";

/// The scope that stands for the paths of all kinds of resources.
pub const KINDS_SCOPE: &str = "/api/v1/{kind:flags|segments|faults|hours|slos|on-call}";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Daybreak",
        description = "Feature flags whose flags can also break things on purpose. Bodies are JSON or YAML whatever \
                       the content type; errors are problem details (RFC 9457); every answer carries \
                       `Daybreak-Revision`."
    ),
    components(schemas(ProblemSchema))
)]
struct Base;

/// What every error is answered with (RFC 9457).
#[derive(Debug, ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "only its schema is used")]
struct ProblemSchema {
    /// `urn:daybreak:problem:` and the code.
    r#type: String,
    /// The same for every problem of this code.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The word that programs compare.
    code: String,
    /// What is wrong here, and what to do instead.
    detail: String,
    /// The faults of a document, each with its line, column and help.
    #[schema(value_type = Option<Vec<Object>>)]
    diagnostics: Option<Json>,
    /// Every reason that stands against a start.
    #[schema(value_type = Option<Vec<Object>>)]
    reasons: Option<Json>,
}

/// What the handlers' descriptions are added to.
#[must_use]
pub fn base() -> Document {
    Base::openapi()
}

/// Writes the paths that stand for all kinds once per kind, and gives every operation its errors.
#[must_use]
pub fn finish(mut document: Document) -> Document {
    let mut paths = Paths::new();
    for (path, item) in std::mem::take(&mut document.paths.paths) {
        match path.strip_prefix(KINDS_SCOPE) {
            Some(rest) => {
                for kind in Kind::ALL {
                    paths.paths.insert(format!("/api/v1/{}{rest}", kind.path()), of_kind(&item, kind));
                }
            }
            None => {
                paths.paths.insert(path, item);
            }
        }
    }
    for (path, item) in &mut paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
            describe_problems(operation);
        }
    }
    document.paths = paths;
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let operations = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// `post_flags_key_enable` for `POST /api/v1/flags/{key}/enable`.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// Whatever else is answered is a problem.
fn describe_problems(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem =
        ResponseBuilder::new().description("What is wrong, and what to do instead").content(MEDIA_TYPE, content);
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem.build()));
}

/// A path of all kinds as that of one.
fn of_kind(item: &PathItem, kind: Kind) -> PathItem {
    let mut item = item.clone();
    operations(&mut item).for_each(|(_, operation)| rename(operation, kind));
    item
}

fn rename(operation: &mut Operation, kind: Kind) {
    operation.tags = Some(vec![kind.section().to_owned()]);
    if let Some(parameters) = &mut operation.parameters {
        parameters.retain(|parameter| !matches!(parameter, RefOr::T(parameter) if parameter.name == "kind"));
    }
    let named = |text: &mut Option<String>| {
        if let Some(text) = text {
            *text = text.replace("resource", kind.noun());
        }
    };
    named(&mut operation.summary);
    named(&mut operation.description);
}

/// The page that shows the document. Everything it needs is in the binary; it asks nobody else.
#[must_use]
pub fn page() -> SwaggerUi {
    SwaggerUi::new("/docs/{_:.*}").config(Config::new([DOCUMENT_PATH]).validator_url("none"))
}
