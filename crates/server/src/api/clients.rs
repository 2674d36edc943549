//! Who is connected, and where faults could strike.

use actix_web::{HttpResponse, get, web};
use daybreak_control::Control;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{NoQuery, switch};
use crate::offload::Offload;
use crate::problem::Problem;

#[derive(Serialize)]
struct Clients<T> {
    clients: T,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
struct FaultPoints<T> {
    fault_points: T,
}

/// How much of each client.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ClientsQuery {
    /// Without their counters: who they are, and how they stand.
    #[param(default = false)]
    #[serde(deserialize_with = "switch")]
    summary: bool,
}

/// The clients that report, and what each of them has.
#[utoipa::path(
    tag = "clients",
    params(ClientsQuery),
    responses((status = 200, description = "Silent ones too, for some minutes", body = ref("#/components/schemas/Clients"))),
)]
#[get("/api/v1/clients")]
pub(crate) async fn clients(
    control: web::Data<Control>,
    query: web::Query<ClientsQuery>,
    offload: web::Data<Offload>,
) -> Result<HttpResponse, Problem> {
    match query.summary {
        true => offload.ok(move || Clients { clients: control.client_summaries() }).await,
        false => offload.ok(move || Clients { clients: control.clients() }).await,
    }
}

/// The fault points that clients know, with their traffic.
#[utoipa::path(
    tag = "clients",
    responses((status = 200, description = "By name", body = ref("#/components/schemas/FaultPoints"))),
)]
#[get("/api/v1/fault-points")]
pub(crate) async fn fault_points(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    offload: web::Data<Offload>,
) -> Result<HttpResponse, Problem> {
    offload.ok(move || FaultPoints { fault_points: control.fault_points() }).await
}
