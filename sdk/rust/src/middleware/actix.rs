//! Middleware for actix-web: it opens a scope around each request, and is the fault point `http.server`.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, dev::ServiceRequest};
//! use daybreak_sdk::{Client, Context, middleware::actix::Daybreak};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("http://localhost:8080").service("shop").build()?;
//! let scope = Daybreak::new(client).context(|request: &ServiceRequest| {
//!     Context::default().with("country", request.headers().get("cf-ipcountry").and_then(|v| v.to_str().ok()).unwrap_or(""))
//! });
//! HttpServer::new(move || App::new().wrap(scope.clone())).bind("127.0.0.1:8081")?.run().await?;
//! # Ok(())
//! # }
//! ```

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpResponse};
use daybreak_model::Context;

use super::{Body, INJECTED_HEADER, SERVER_POINT};
use crate::scope::Outcome;
use crate::scope::RootRequest;
use crate::{Client, InjectedFault, Point};

/// Opens a scope around each request: `App::new().wrap(Daybreak::new(client))`.
///
/// The root operation is the method and the route's pattern, `GET /users/{id}`, so that there are few; a
/// request that no route takes is of the operation `GET`. Health checks, WebSockets, event streams, and
/// requests that ask for it with `Daybreak-Fault: off`, are never struck.
#[derive(Clone)]
pub struct Daybreak {
    client: Client,
    context: ContextOf,
    point: Point,
}

type ContextOf = Arc<dyn Fn(&ServiceRequest) -> Context + Send + Sync>;

impl Daybreak {
    /// The middleware of a client. Requests have an empty context unless [`Daybreak::context`] says more.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let point = client.point(SERVER_POINT);
        Self { client, context: Arc::new(|_| Context::default()), point }
    }

    /// What flags and faults are evaluated with, from the request.
    #[must_use]
    pub fn context(mut self, context: impl Fn(&ServiceRequest) -> Context + Send + Sync + 'static) -> Self {
        self.context = Arc::new(context);
        self
    }

    fn root(&self, request: &ServiceRequest) -> RootRequest {
        let method = request.method().as_str();
        let operation = match request.match_pattern() {
            Some(pattern) => format!("{method} {pattern}"),
            None => method.to_owned(),
        };
        let values = |name: &'static str| request.headers().get_all(name).map(HeaderValue::as_bytes);
        let root = RootRequest::new(operation, (self.context)(request));
        root.arriving(self.client.faults().settings(), request.path(), values)
    }
}

impl<S, B> Transform<S, ServiceRequest> for Daybreak
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Body<EitherBody<B>>>;
    type Error = Error;
    type Transform = Scoped<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Scoped { service: Rc::new(service), daybreak: self.clone() }))
    }
}

/// A service inside the middleware.
pub struct Scoped<S> {
    service: Rc<S>,
    daybreak: Daybreak,
}

impl<S, B> Service<ServiceRequest> for Scoped<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Body<EitherBody<B>>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, daybreak) = (Rc::clone(&self.service), self.daybreak.clone());
        Box::pin(async move {
            let mut open = daybreak.client.faults().open(|| daybreak.root(&request));
            let head_only = request.method() == Method::HEAD;
            let inside = async {
                match daybreak.point.pass().await {
                    Ok(_) => Ok(service.call(request).await?.map_into_left_body()),
                    Err(injected) => Ok(request.into_response(answer(&injected)).map_into_right_body()),
                }
            };
            let answered: Result<_, Error> = open.scope().clone().instrument(inside).await;
            match answered {
                Ok(response) => {
                    let status = response.status().as_u16();
                    Ok(response.map_body(|_, body| Body::of_actix(body, open, status, head_only)))
                }
                Err(error) => {
                    open.respond();
                    open.end(Outcome::Status(error.as_response_error().status_code().as_u16()));
                    Err(error)
                }
            }
        })
    }
}

/// What a struck request is answered with. actix-web gives middleware no way to break a connection, so an
/// abort answers 503 and closes it.
fn answer(injected: &InjectedFault) -> HttpResponse {
    let status = if injected.is_abort() { 503 } else { injected.status() };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    if injected.is_abort() {
        answer.force_close();
    }
    answer.insert_header((INJECTED_HEADER, injected.fault().as_str()));
    answer.content_type("text/plain; charset=utf-8").body(format!("{injected}\n"))
}

impl std::fmt::Debug for Daybreak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daybreak").field("client", &self.client).finish_non_exhaustive()
    }
}

impl<S> std::fmt::Debug for Scoped<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scoped").field("daybreak", &self.daybreak).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpResponse, test, web};

    use super::*;
    use crate::Scope;

    /// Answers with the operation of the scope that it runs in.
    async fn operation() -> HttpResponse {
        let scope = Scope::current();
        HttpResponse::Ok().body(scope.map_or_else(|| "none".to_owned(), |scope| scope.operation().to_owned()))
    }

    async fn ask(method: &str, path: &str) -> String {
        // Nobody listens on that port: a client without its server serves all the same.
        let client = Client::builder("http://127.0.0.1:9").service("test").build().unwrap();
        let app = App::new()
            .wrap(Daybreak::new(client))
            .route("/users/{id}", web::to(operation))
            .default_service(web::to(operation));
        let app = test::init_service(app).await;
        let method = actix_web::http::Method::from_bytes(method.as_bytes()).unwrap();
        let request = test::TestRequest::with_uri(path).method(method).to_request();
        let body = test::call_and_read_body(&app, request).await;
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[actix_web::test]
    async fn an_operation_is_the_method_and_the_pattern() {
        assert_eq!(ask("GET", "/users/7").await, "GET /users/{id}");
        assert_eq!(ask("DELETE", "/users/8").await, "DELETE /users/{id}");
        assert_eq!(ask("GET", "/a/path/that/an/attacker/made/up").await, "GET");
        assert!(Scope::current().is_none(), "a scope ends with its request");
    }
}
