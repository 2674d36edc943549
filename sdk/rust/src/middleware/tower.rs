//! A layer for tower services (axum, hyper, tonic): it opens a scope around each request, and is the fault
//! point `http.server`.
//!
//! ```
//! use daybreak_sdk::{Context, faults::Faults, middleware::tower::DaybreakLayer};
//!
//! # fn layer(faults: &Faults) -> DaybreakLayer {
//! DaybreakLayer::new(faults).context(|head| {
//!     let user = head.headers().get("x-user").and_then(|user| user.to_str().ok());
//!     user.map(Context::new).unwrap_or_default()
//! })
//! # }
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as HttpBody;
use tower_layer::Layer;
use tower_service::Service;

use super::{Body, INJECTED_HEADER, SERVER_POINT};
use crate::faults::Faults;
use crate::scope::{Outcome, RootRequest};
use crate::{Context, InjectedFault, Point};

/// Opens a scope around each request: `DaybreakLayer::new(client.faults())`.
///
/// Health checks, WebSockets, event streams, and requests that ask for it with `Daybreak-Fault: off`, are never
/// struck. What a gRPC response came to is read off its `grpc-status`. An injected error is answered with its status and an empty body. No tower service can break a
/// connection, so an abort is answered with 503 and `Connection: close`.
#[derive(Clone)]
pub struct DaybreakLayer {
    faults: Faults,
    point: Point,
    operation: Seen<String>,
    context: Seen<Context>,
}

/// What is seen in the head of a request.
type Seen<T> = Arc<dyn Fn(&Request<()>) -> T + Send + Sync>;

/// A service inside the layer.
#[derive(Clone, Debug)]
pub struct Scoped<S> {
    inner: S,
    layer: DaybreakLayer,
}

impl DaybreakLayer {
    /// The layer of a client's faults. The operation is the method alone and the context is empty, unless
    /// [`DaybreakLayer::operation`] and [`DaybreakLayer::context`] say more.
    #[must_use]
    pub fn new(faults: &Faults) -> Self {
        let operation = |head: &Request<()>| head.method().to_string();
        let (operation, context) = (Arc::new(operation), Arc::new(|_: &Request<()>| Context::default()));
        Self { faults: faults.clone(), point: faults.point(SERVER_POINT), operation, context }
    }

    /// What flags and faults are evaluated with, from the request.
    #[must_use]
    pub fn context(mut self, context: impl Fn(&Request<()>) -> Context + Send + Sync + 'static) -> Self {
        self.context = Arc::new(context);
        self
    }

    /// The operation's name, by whatever the router leaves in the extensions: `GET /carts/{id}`, never with an
    /// identifier in it.
    #[must_use]
    pub fn operation(mut self, operation: impl Fn(&Request<()>) -> String + Send + Sync + 'static) -> Self {
        self.operation = Arc::new(operation);
        self
    }

    fn root(&self, head: &Request<()>) -> RootRequest {
        let root = RootRequest::new((self.operation)(head), (self.context)(head));
        let values =
            |name| head.headers().get_all(HeaderName::from_static(name)).into_iter().map(HeaderValue::as_bytes);
        root.arriving(self.faults.settings(), head.uri().path(), values)
    }
}

impl<S> Layer<S> for DaybreakLayer {
    type Service = Scoped<S>;

    fn layer(&self, inner: S) -> Scoped<S> {
        Scoped { inner, layer: self.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for Scoped<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: HttpBody + Default,
{
    type Response = Response<Body<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, poller: &mut Poller<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(poller)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let later = self.inner.clone();
        // The one that was polled ready is the one to call.
        let mut inner = std::mem::replace(&mut self.inner, later);
        let layer = self.layer.clone();
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts, ());
        let mut open = layer.faults.open(|| layer.root(&head));
        let head_only = head.method() == Method::HEAD;
        Box::pin(async move {
            let inside = async {
                match layer.point.pass().await {
                    Ok(_) => inner.call(head.map(|()| body)).await,
                    Err(injected) => Ok(answer(&injected)),
                }
            };
            match open.scope().clone().instrument(inside).await {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = Body::of_tower(body, open, &head, head_only);
                    Ok(Response::from_parts(head, body))
                }
                Err(error) => {
                    open.end(Outcome::Failure);
                    Err(error)
                }
            }
        })
    }
}

fn answer<R: Default>(injected: &InjectedFault) -> Response<R> {
    let mut answer = Response::new(R::default());
    *answer.status_mut() = StatusCode::from_u16(injected.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(key) = HeaderValue::from_str(injected.fault().as_str()) {
        answer.headers_mut().insert(INJECTED_HEADER, key);
    }
    if injected.is_abort() {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

impl fmt::Debug for DaybreakLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DaybreakLayer").field("faults", &self.faults).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use daybreak_model::Effect;
    use tower::{ServiceBuilder, ServiceExt as _, service_fn};

    use super::*;
    use crate::Scope;
    use crate::faults::Settings;
    use crate::faults::TestClock;
    use crate::faults::fixtures::{error, grant_all, spec};

    /// The status and the body, which is the operation of the scope that the handler ran in.
    async fn ask(effect: Option<Effect>, path: &str) -> (u16, String) {
        let faults = Faults::with_clock(Settings::default(), Arc::new(TestClock::new()));
        let only = |spec| daybreak_model::wire::RunSpec { operation: Some(format!("GET {path}")), ..spec };
        grant_all(&faults, effect.map(|effect| (1, only(spec(SERVER_POINT, effect)))));
        let layer = DaybreakLayer::new(&faults).operation(|head| format!("{} {}", head.method(), head.uri().path()));
        let handler = |_: Request<()>| async {
            let operation = Scope::current().map(|scope| scope.operation().to_owned());
            Ok::<_, Infallible>(Response::new(operation.unwrap_or_default()))
        };
        let service = ServiceBuilder::new().layer(layer).service(service_fn(handler));
        let answer = service.oneshot(Request::get(path).body(()).unwrap()).await.unwrap();
        let (status, mut body) = (answer.status().as_u16(), answer.into_body());
        let mut text = String::new();
        while let Some(frame) = std::future::poll_fn(|poller| Pin::new(&mut body).poll_frame(poller)).await {
            text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
        (status, text)
    }

    #[tokio::test]
    async fn requests_have_a_scope_and_pass_the_point() {
        let abort = || Effect { abort: true, ..Effect::default() };
        assert_eq!(ask(None, "/cart").await, (200, "GET /cart".to_owned()));
        assert_eq!(ask(Some(error(418)), "/cart").await, (418, String::new()));
        assert_eq!(ask(Some(abort()), "/cart").await, (503, String::new()));
        assert_eq!(ask(Some(abort()), "/healthz").await, (200, "GET /healthz".to_owned()), "never a health check");
    }
}
