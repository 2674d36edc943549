//! Refusals of control as problems: the one place where they meet HTTP.

use actix_web::http::header::{ETAG, RETRY_AFTER};
use daybreak_control::tokens::TokenRefusal;
use daybreak_control::{PageRefusal, Refusal, ReportRefusal};
use daybreak_model::Reference;
use serde::Serialize;

use crate::etag::quoted;
use crate::problem::{Code, Problem};
use crate::telemetry::facts;

/// Who names a resource.
#[derive(Serialize)]
struct User {
    /// The path of the resource: `flags/new-checkout`; `protect` is the list of that name.
    user: String,
    /// What it names.
    names: String,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Invalid(diagnostics) => Self::new(Code::Invalid, detail).with("diagnostics", diagnostics),
            Refusal::NotFound { nearest, .. } => {
                let problem = Self::new(Code::NotFound, detail);
                nearest.iter().fold(problem, |problem, nearest| problem.with("nearest", nearest))
            }
            Refusal::PreconditionFailed { at } => {
                let problem = Self::new(Code::PreconditionFailed, detail);
                match at {
                    Some(at) => problem.with("revision", at.revision).header(ETAG, &quoted(at)),
                    None => problem,
                }
            }
            Refusal::Referenced(references) => {
                Self::new(Code::InUse, detail).with("users", references.iter().map(user).collect::<Vec<_>>())
            }
            Refusal::Key { .. } | Refusal::NoSwitch { .. } => Self::new(Code::BadRequest, detail),
            Refusal::NotAdmitted { refusals, warnings, after } => {
                facts::note(|facts| facts.refusals = refusals.iter().map(|refusal| refusal.code).collect());
                let problem = Self::new(Code::NotAdmitted, detail).with("reasons", refusals).with("warnings", warnings);
                let seconds = after.map(|after| after.get().div_ceil(1_000).max(1).to_string());
                seconds.iter().fold(problem, |problem, seconds| problem.header(RETRY_AFTER, seconds))
            }
            Refusal::StoppedNotRecorded { runs, .. } => Self::new(Code::StoppedNotRecorded, detail).with("runs", runs),
            Refusal::HaltedNotDurable { halt, .. } => Self::new(Code::HaltedNotDurable, detail).with("halt", halt),
            Refusal::Token(why) => Self::new(token(&why), detail),
            Refusal::StoppedMeanwhile(_) => Self::new(Code::StoppedMeanwhile, detail),
            Refusal::OtherEnvironment { .. } => Self::new(Code::OtherEnvironment, detail),
            Refusal::NotCounted(ReportRefusal::TooManyClients) => Self::new(Code::NotCounted, detail),
            Refusal::NotCounted(_) => Self::new(Code::BadRequest, detail),
            Refusal::Page(why) => Self::new(page(&why), detail),
            Refusal::Frozen(frozen) => {
                let problem = Self::new(Code::Frozen, detail).with("on_calls", &frozen.on_calls);
                frozen.clears_at.iter().fold(problem, |problem, at| problem.with("clears_at", at))
            }
            Refusal::NotInHistory(_) => Self::new(Code::NotInHistory, detail),
            Refusal::Conflict { .. } => Self::new(Code::Conflict, detail),
            Refusal::Unknown(_) => Self::new(Code::OutcomeUnknown, detail),
            Refusal::TooManyChanges { .. } => Self::new(Code::Overloaded, detail).header(RETRY_AFTER, "1"),
            Refusal::Store(_) => Self::new(Code::StoreFailed, detail),
            Refusal::BackupUnderWay => Self::new(Code::BackupUnderWay, detail).header(RETRY_AFTER, "5"),
            Refusal::Backup(_) => Self::new(Code::BadBackup, detail),
            Refusal::ShuttingDown => Self::new(Code::ShuttingDown, detail),
        }
    }
}

const fn page(why: &PageRefusal) -> Code {
    match why {
        PageRefusal::Malformed(_) => Code::BadRequest,
        PageRefusal::NoSecret => Code::NoSecret,
        PageRefusal::SecretUnreadable(_) => Code::SecretUnreadable,
        PageRefusal::BadSignature(_) => Code::BadSignature,
        PageRefusal::NotRecorded(_) => Code::PageNotRecorded,
    }
}

const fn token(why: &TokenRefusal) -> Code {
    match why {
        TokenRefusal::NameTaken(_) => Code::NameTaken,
        TokenRefusal::FirstIsAdmin | TokenRefusal::LastAdmin => Code::NoAdmin,
        TokenRefusal::TooMany(_) => Code::TooMany,
        TokenRefusal::Lifetime { .. } => Code::BadRequest,
        TokenRefusal::RevokedNotRecorded(_) => Code::RevokedNotRecorded,
    }
}

fn user(reference: &Reference) -> User {
    User {
        user: reference
            .from
            .as_ref()
            .map_or_else(|| "protect".to_owned(), |(kind, key)| format!("{}/{key}", kind.path())),
        names: format!("{}/{}", reference.kind.path(), reference.key),
    }
}
