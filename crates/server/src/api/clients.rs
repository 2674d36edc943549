//! Who is connected, and where faults could strike.

use actix_web::{HttpResponse, get, web};
use daybreak_control::{ClientView, Control};
use daybreak_model::InstanceId;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::events::page;
use super::{NoQuery, switch};
use crate::offload::Offload;
use crate::problem::{Code, Problem};

#[derive(Serialize)]
struct Clients<T> {
    clients: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<InstanceId>,
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
    /// Only those whose id is above this one: the `next` of the page before. Not with `summary`.
    #[param(value_type = Option<String>)]
    after: Option<InstanceId>,
    /// How many on a page at most: 100 unless said, 1,000 at most. Not with `summary`, which tells of all.
    limit: Option<usize>,
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
    let ClientsQuery { summary, after, limit } = query.into_inner();
    if !summary {
        let limit = page(limit)?;
        return offload.ok(move || page_of(control.clients(), after, limit)).await;
    }
    if after.is_some() || limit.is_some() {
        let detail = "`summary` tells of all clients at once: leave out `after` and `limit`";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    offload.ok(move || Clients { clients: control.client_summaries(), next: None }).await
}

/// A page of clients, which come in the order of their ids.
fn page_of(mut all: Vec<ClientView>, after: Option<InstanceId>, limit: usize) -> Clients<Vec<ClientView>> {
    all.retain(|view| after.is_none_or(|after| view.client.client > after));
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| more).map(|last| last.client.client);
    Clients { clients: all, next }
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
