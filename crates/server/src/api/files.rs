//! The folder of documents that the server watches.

use actix_web::{HttpResponse, post, web};
use daybreak_control::{Actor, Control, LoadError};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Wait;
use super::documents::Applied;
use crate::answer;
use crate::caller::Caller;
use crate::problem::{Code, Problem};
use crate::telemetry::facts;

/// How to apply the files.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct FilesQuery {
    /// Why, for the audit log.
    reason: Option<String>,
    /// Why a freeze of changes is overridden; an admin's alone.
    r#override: Option<String>,
    /// Answer once every client that follows the stream has the change, or after this time, 30 s at most: `2s`.
    wait: Option<String>,
}

/// Take what the files of the watched folder say now, merged as an edit of them is. With `override` it brings through an
/// edit that a freeze of changes holds back, and nothing else.
#[utoipa::path(
    tag = "documents",
    params(FilesQuery),
    responses(
        (status = 200, description = "What changed", body = ref("#/components/schemas/Changed")),
        (status = 404, description = "No files are served, or they cannot be read"),
        (status = 409, description = "Changes are frozen, or something that others name would go"),
        (status = 422, description = "Every fault of the files, with its line and column"),
    ),
)]
#[post("/api/v1/files/apply")]
pub(crate) async fn apply(
    control: web::Data<Control>,
    caller: Caller,
    query: web::Query<FilesQuery>,
) -> Result<HttpResponse, Problem> {
    let FilesQuery { reason, r#override, wait } = query.into_inner();
    let wait = Wait::read(wait.as_deref())?;
    facts::note(|facts| facts.override_reason.clone_from(&r#override));
    let actor = Actor { waits: wait.is_asked(), ..caller.actor(reason).overriding(r#override) };
    match control.take_files(actor).await {
        Ok(changed) => {
            facts::note(|facts| facts.changed(&changed));
            let reached = wait.reached(&control, changed.position).await;
            Ok(answer::ok(&Applied { changed, reached }))
        }
        Err(LoadError::Files(error)) => Err(Problem::new(Code::NotFound, error.to_string())),
        Err(LoadError::Refused { refusal, .. }) => Err(refusal.into()),
    }
}
