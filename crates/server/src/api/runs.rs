//! Runs: what is being broken, and what was.

use actix_web::{HttpResponse, get, web};
use daybreak_control::Control;
use daybreak_model::RunId;
use serde::Serialize;

use super::NoQuery;
use crate::answer;
use crate::offload::Offload;
use crate::problem::{Code, Problem};

#[derive(Serialize)]
struct Runs<T> {
    runs: T,
}

/// All runs, the latest first.
#[utoipa::path(
    tag = "runs",
    responses((status = 200, description = "Also those that ended lately", body = ref("#/components/schemas/Runs"))),
)]
#[get("/api/v1/runs")]
pub(crate) async fn list(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    offload: web::Data<Offload>,
) -> Result<HttpResponse, Problem> {
    offload.ok(move || Runs { runs: control.runs() }).await
}

/// One run.
#[utoipa::path(
    tag = "runs",
    params(("id" = String, Path, description = "16 hexadecimal digits")),
    responses(
        (status = 200, description = "The run", body = ref("#/components/schemas/Run")),
        (status = 404, description = "There is no such run"),
    ),
)]
#[get("/api/v1/runs/{id}")]
pub(crate) async fn read(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let missing = || Problem::new(Code::NotFound, format!("there is no run `{id}`; an id has 16 hexadecimal digits"));
    let id: RunId = id.parse().map_err(|_| missing())?;
    Ok(answer::ok(&control.run(id)?))
}
