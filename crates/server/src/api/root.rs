//! The root: where to go from here.

use actix_web::http::header::{ACCEPT, LOCATION, VARY};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;

use crate::answer;
use crate::openapi::DOCUMENT_PATH;

/// The page for people.
const PAGE: &str = "/docs/";

/// What the server is, and where its parts are.
#[derive(Serialize)]
struct Root {
    name: &'static str,
    version: &'static str,
    /// Paths by what is there.
    docs: &'static str,
    openapi: &'static str,
    api: &'static str,
    ofrep: &'static str,
    live: &'static str,
    ready: &'static str,
}

const ROOT: Root = Root {
    name: "Daybreak",
    version: env!("CARGO_PKG_VERSION"),
    docs: PAGE,
    openapi: DOCUMENT_PATH,
    api: "/api/v1",
    ofrep: "/ofrep/v1",
    live: "/healthz",
    ready: "/readyz",
};

/// What the server is, and where its parts are. Browsers, which accept `text/html`, are sent to `/docs/`.
#[utoipa::path(
    tag = "server",
    responses(
        (status = 200, description = "Paths", body = ref("#/components/schemas/Root")),
        (status = 303, description = "To the page for people", headers(("Location" = String))),
    ),
)]
#[get("/")]
pub(crate) async fn root(request: HttpRequest) -> HttpResponse {
    let mut accepted = request.headers().get_all(ACCEPT).filter_map(|accept| accept.to_str().ok());
    if accepted.any(|accept| accept.to_ascii_lowercase().contains("text/html")) {
        return HttpResponse::SeeOther().insert_header((LOCATION, PAGE)).insert_header((VARY, "Accept")).finish();
    }
    answer::finish(HttpResponse::Ok().insert_header((VARY, "Accept")), &ROOT)
}
