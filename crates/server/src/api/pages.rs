//! Pages: Alertmanager's and PagerDuty's webhooks, and a form for all others.

use actix_web::{HttpRequest, HttpResponse, post, web};
use daybreak_control::{Control, PlainPage, Urgency};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{NoQuery, switch};
use crate::answer;
use crate::bodies::{Limited, PAGES};
use crate::body::{Command, Options};
use crate::caller::Caller;
use crate::limits::{ALERTS_BYTES_MAX, WEBHOOK_BYTES_MAX};
use crate::problem::{Code, Problem};

/// Where PagerDuty signs.
const SIGNATURE: &str = "x-pagerduty-signature";

/// A page, or a sign of life of what would send one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// Whose it is.
    #[schema(required, example = "payments")]
    on_call: Option<String>,
    /// What tells it from others: sent again it is the same page. Without one each is a page of its own.
    #[schema(example = "INC-7")]
    key: Option<String>,
    /// What it says.
    title: Option<String>,
    /// When people were paged, in RFC 3339; now unless said.
    #[schema(format = DateTime)]
    at: Option<String>,
    /// `high`, or `low` if it could wait: then it is no page.
    #[schema(value_type = String, example = "high")]
    urgency: Urgency,
    /// Who worked on it, at the time of the page; whether that was off-hours the calendar tells.
    person: Option<String>,
    /// Whether somebody worked on it off-hours, whatever the calendar says.
    off_hours_work: Option<bool>,
    /// It is no page: it only shows that its sender lives.
    heartbeat: bool,
    /// Why, for the audit log.
    reason: Option<String>,
}

impl Options for Page {
    const EXAMPLE: &'static str = r#"{"on_call": "payments", "key": "INC-7"}"#;
}

/// Tell of a page. The same key again is the same page: it changes nothing, or adds who worked on it.
#[utoipa::path(
    tag = "on_call",
    request_body(content = Page),
    responses(
        (status = 200, description = "What became of it", body = ref("#/components/schemas/ReceivedPages")),
        (status = 404, description = "There is no such on-call"),
    ),
)]
#[post("/api/v1/pages")]
pub(crate) async fn plain(
    control: web::Data<Control>,
    caller: Caller,
    _query: web::Query<NoQuery>,
    page: Command<Page>,
) -> Result<HttpResponse, Problem> {
    let Page { on_call, key, title, at, urgency, person, off_hours_work, heartbeat, reason } = page.0;
    let missing = || Problem::new(Code::BadRequest, "whose page is it? write `{\"on_call\": \"payments\", …}`");
    let on_call = on_call.ok_or_else(missing)?;
    let at = at.map(|text| text.parse::<Timestamp>()).transpose().map_err(|error| {
        let help = "write a time in RFC 3339, as in `2026-11-23T10:00:00Z`, or leave it out for now";
        Problem::new(Code::BadRequest, format!("`at`: {error}; {help}"))
    })?;
    let page = PlainPage { on_call, key, title, at, urgency, person, off_hours_work, heartbeat };
    Ok(answer::ok(&control.receive_page(page, caller.actor(reason)).await?))
}

/// How Alertmanager's notifications are taken.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Alerts {
    /// What comes in is no page, whosever it is: it only shows that Alertmanager lives.
    #[serde(deserialize_with = "switch")]
    heartbeat: bool,
}

/// Alertmanager's webhook, version 4. A notification that comes again is no further page. One that is of no on-call counts for
/// nobody, and does not show that Alertmanager lives: the log tells of it.
#[utoipa::path(
    tag = "on_call",
    params(Alerts),
    request_body(content = ref("#/components/schemas/AlertmanagerNotification"), description = "As Alertmanager sends it"),
    responses((status = 200, description = "What became of it", body = ref("#/components/schemas/ReceivedPages"))),
)]
#[post("/api/v1/pages/alertmanager")]
pub(crate) async fn alertmanager(
    control: web::Data<Control>,
    caller: Caller,
    query: web::Query<Alerts>,
    body: Limited<ALERTS_BYTES_MAX, PAGES>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&control.receive_alerts(&body.0, query.heartbeat, caller.actor(None)).await?))
}

/// PagerDuty's webhook, version 3. It shows no token: it signs what it sends.
#[utoipa::path(
    tag = "on_call",
    params(("X-PagerDuty-Signature" = Option<String>, Header, description = "`v1=` and the HMAC-SHA256 of the body")),
    request_body(content = ref("#/components/schemas/PagerDutyDelivery"), description = "As PagerDuty sends it"),
    responses(
        (status = 200, description = "What became of it", body = ref("#/components/schemas/ReceivedPages")),
        (status = 401, description = "It is not signed, or by another secret"),
        (status = 409, description = "The server was told no secret by which to know PagerDuty"),
        (status = 503, description = "The secret cannot be read, or the page not be stored"),
    ),
)]
#[post("/api/v1/pages/pagerduty")]
pub(crate) async fn pagerduty(
    control: web::Data<Control>,
    request: HttpRequest,
    _query: web::Query<NoQuery>,
    body: Limited<WEBHOOK_BYTES_MAX, PAGES>,
) -> Result<HttpResponse, Problem> {
    let signature = request.headers().get(SIGNATURE).and_then(|signature| signature.to_str().ok());
    Ok(answer::ok(&control.receive_pagerduty(signature, &body.0).await?))
}
