//! What every request and every answer passes.

use std::cell::RefCell;
use std::sync::Arc;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, UPGRADE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::{Error, HttpMessage, ResponseError, web};
use daybreak_control::tokens::AdminCall;
use daybreak_control::{Control, Right, Token};
use daybreak_model::wire::Position;

use crate::admission::{self, Admitted};
use crate::caller::Caller;
use crate::cors::{Crossing, Origins};
use crate::door::{self, Link};
use crate::long_answers::{DOCS, EVALUATIONS, LongAnswers, OTHERS};
use crate::problem::{Code, Problem};
use crate::rates::Rates;
use crate::roles::Row;
use crate::routes::Routes;
use crate::telemetry::facts;

const POSITION: HeaderName = HeaderName::from_static("daybreak-revision");
const ENVIRONMENT: HeaderName = HeaderName::from_static("daybreak-environment");

/// Characters of a path that the audit log keeps.
const PATH_LENGTH_MAX: usize = 200;
/// Nothing else is a page.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// The page under /docs/ asks nobody but this server, whatever it holds.
const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What it takes to let somebody in.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// What is known of tokens, and of where the server stands.
    pub(crate) control: Control,
    /// How often anybody may ask.
    pub(crate) rates: web::Data<Rates>,
    /// The paths that exist.
    pub(crate) routes: web::Data<Routes>,
    /// Whose pages may ask.
    pub(crate) origins: web::Data<Origins>,
    /// What bounds long answers.
    pub(crate) answers: LongAnswers,
}

/// Lets in whom [`admission`] lets in, answers HEAD as GET, names the position on every answer, and turns the
/// framework's own errors into problem details. `row` is the route that is asked for.
///
/// # Errors
/// None of its own: what is refused is answered.
pub(crate) async fn pass<B, F>(
    gate: &Gate,
    mut request: ServiceRequest,
    row: Option<&'static Row>,
    next: impl FnOnce(ServiceRequest) -> F,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error>
where
    B: MessageBody + 'static,
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    let head = request.method() == Method::HEAD;
    if head {
        // The encoder leaves the body out, and the length in.
        request.head_mut().method = Method::GET;
    }
    let page = request.path().starts_with("/docs");
    let openfeature = request.path().starts_with("/ofrep/");
    let room = if openfeature {
        EVALUATIONS
    } else if page {
        DOCS
    } else {
        OTHERS
    };
    let (upgrade, secure) = (request.head().upgrade(), door::is_secure(&request));
    // The path that the router looks at, which is not always written as the URL's.
    let crossing = Crossing::of(request.head(), request.match_info().unprocessed(), &gate.origins);
    let admitted = no_web_socket(&request).and_then(|()| admit(gate, &request, row, &crossing));
    let tells = admitted.as_ref().is_ok_and(|admitted| !matches!(admitted.caller, Caller::Anonymous));
    let mut response = match (admitted, crossing.preflight()) {
        (Ok(_), Some(answer)) => request.into_response(answer).map_into_right_body(),
        (Ok(admitted), None) => {
            let usage = usage(&request, &admitted);
            facts::note(|facts| facts.caller = Some(admitted.caller.clone()));
            let changed_nothing = admitted.row.is_none_or(|row| !row.changes() && !row.unlimited);
            request.extensions_mut().insert(admitted.caller);
            let response = mend(next(request).await?, head);
            let response = if head { response } else { gate.answers.bound(response, room, changed_nothing) };
            let response = if openfeature { tell_openfeature(response) } else { response };
            if let Some(usage) = usage {
                gate.control.record_use(&usage.token, &usage.call, response.status().as_u16());
            }
            response
        }
        (Err(problem), _) => {
            let problem = if openfeature { problem.for_openfeature() } else { problem };
            request.into_response(problem.error_response()).map_into_right_body()
        }
    };
    if upgrade {
        // Nothing is upgraded to; the framework would say that something is.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    crossing.tell(response.headers_mut());
    secure_headers(response.headers_mut(), page, secure);
    if tells || !gate.control.tokens_required() {
        say_where(&gate.control, response.headers_mut());
    }
    Ok(response)
}

/// What answers say of the server, as they said it last.
struct Said {
    position: Position,
    environment: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Says where the server stands, and in which environment. Most answers say the same as the one before.
fn say_where(control: &Control, headers: &mut HeaderMap) {
    // By thread, so that none waits for another.
    thread_local! { static LAST: RefCell<Option<Said>> = const { RefCell::new(None) }; }
    let (position, environment) = (control.position(), &control.options().environment);
    LAST.with_borrow_mut(|last| {
        let said = last.take().filter(|said| said.position == position && said.environment == *environment);
        let said = said.unwrap_or_else(|| {
            let own = [(POSITION, position.to_string()), (ENVIRONMENT, environment.clone())];
            // A name that no header can hold stands in snapshots and reports all the same.
            let value = |(name, value): (HeaderName, String)| Some((name, HeaderValue::from_str(&value).ok()?));
            Said { position, environment: environment.clone(), headers: own.into_iter().filter_map(value).collect() }
        });
        for (name, value) in &said.headers {
            headers.insert(name.clone(), value.clone());
        }
        *last = Some(said);
    });
}

/// Lets somebody in, or says why not.
fn admit(
    gate: &Gate,
    request: &ServiceRequest,
    row: Option<&'static Row>,
    crossing: &Crossing,
) -> Result<Admitted, Problem> {
    if let Some(link) = request.conn_data::<Link>() {
        link.admit(row)?;
    }
    let path = request.match_info().unprocessed();
    admission::admit(request, (row, path), crossing, &gate.control, &gate.rates, &gate.routes)
}

/// An admin's call, to be recorded.
struct Usage {
    token: Arc<Token>,
    call: AdminCall,
}

fn usage(request: &ServiceRequest, admitted: &Admitted) -> Option<Usage> {
    let row = admitted.row.filter(|row| row.right == Some(Right::Administer))?;
    let token = admitted.caller.token()?;
    let path = request.path().chars().take(PATH_LENGTH_MAX).collect();
    let call = AdminCall { method: request.method().to_string(), path, only_reads: row.only_reads() };
    Some(Usage { token: Arc::clone(token), call })
}

/// What browsers are not to do with an answer.
fn secure_headers(headers: &mut HeaderMap, page: bool, secure: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = if page { PAGE_POLICY } else { POLICY };
    // A report has one of its own, for its style.
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    if secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// Refuses who wants to speak WebSocket: its requests have a body without end, which nobody should wait for.
fn no_web_socket(request: &ServiceRequest) -> Result<(), Problem> {
    let mut wanted = request.headers().get_all(UPGRADE).filter_map(|value| value.to_str().ok());
    let web_socket = |wanted: &str| wanted.to_ascii_lowercase().contains("websocket");
    if request.head().upgrade() && wanted.any(web_socket) {
        let detail = "this server speaks no WebSocket; changes come as server-sent events: GET /api/v1/stream";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    Ok(())
}

/// Replaces errors that carry no JSON, and bodies without end that nobody will read.
fn mend<B: MessageBody>(response: ServiceResponse<B>, head: bool) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    if (status.is_client_error() || status.is_server_error()) && !is_json(&response) {
        let problem = of_status(status);
        return response.into_response(problem.error_response()).map_into_right_body();
    }
    if head && response.response().body().size() == BodySize::Stream {
        return response.map_body(|_, _| BoxBody::new(())).map_into_right_body();
    }
    response.map_into_left_body()
}

/// Has a problem say what OFREP's clients look for.
fn tell_openfeature<B: MessageBody>(
    response: ServiceResponse<EitherBody<B, BoxBody>>,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let problem = response.response().error().and_then(Error::as_error::<Problem>);
    match problem.map(|problem| problem.clone().for_openfeature().error_response()) {
        Some(answer) => response.into_response(answer).map_into_right_body(),
        None => response,
    }
}

fn is_json<B>(response: &ServiceResponse<B>) -> bool {
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|media_type| media_type.contains("json"))
}

fn of_status(status: StatusCode) -> Problem {
    let code = match status {
        StatusCode::NOT_FOUND => Code::NoRoute,
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
        _ if status.is_client_error() => Code::BadRequest,
        _ => Code::Internal,
    };
    Problem::new(code, status.canonical_reason().unwrap_or("no more is known"))
}
