//! What every request passes, from the outside in, as one middleware: of several, each would cost every request two allocations.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_service::{Service, Transform};
use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse, forward_ready};
use futures_util::future::LocalBoxFuture;

use crate::door::{self, Held};
use crate::front::{self, Gate};
use crate::telemetry::{self, Telemetry};

/// The middleware: it keeps the connection busy, tells of the request, and lets it in or not.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    /// What tells of requests.
    pub(crate) telemetry: Telemetry,
    /// What lets them in.
    pub(crate) gate: Gate,
}

/// The same, with what is behind it.
#[derive(Debug)]
pub(crate) struct Passed<S> {
    service: Rc<S>,
    passage: Rc<Passage>,
}

impl<S, B> Transform<S, ServiceRequest> for Passage
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Held<EitherBody<B, BoxBody>>>;
    type Error = Error;
    type Transform = Passed<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Passed { service: Rc::new(service), passage: Rc::new(self.clone()) }))
    }
}

impl<S, B> Service<ServiceRequest> for Passed<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Held<EitherBody<B, BoxBody>>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        Box::pin(pass(Rc::clone(&self.service), Rc::clone(&self.passage), request))
    }
}

/// The way of one request to what is behind, and of its answer back.
async fn pass<S, B>(
    service: Rc<S>,
    passage: Rc<Passage>,
    request: ServiceRequest,
) -> Result<ServiceResponse<Held<EitherBody<B, BoxBody>>>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let Passage { telemetry, gate } = &*passage;
    let pass = |request, row| front::pass(gate, request, row, |request| service.call(request));
    door::hold(request, |request| telemetry::observe(telemetry, request, pass)).await
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use actix_web::{HttpResponse, web};

    use super::*;
    use crate::long_answers::LongAnswers;
    use crate::rates::{RateLimits, Rates};
    use crate::telemetry::testing;

    /// What the allocator hands out of what the thread keeps; beyond that, each request would cost it some thousand instructions.
    const KEPT_BY_THREAD: usize = 1_032;

    #[actix_web::test]
    async fn the_way_of_a_request_is_small() {
        let (control, telemetry) = testing::open().await;
        let rates = web::Data::new(Rates::new(&RateLimits::default()));
        let (routes, origins) = (web::Data::default(), web::Data::default());
        let gate = Gate { control, rates, routes, origins, answers: LongAnswers::default() };
        let answers = |request: ServiceRequest| {
            Box::pin(ready(Ok::<_, Error>(request.into_response(HttpResponse::Ok().finish()))))
        };
        let service = Rc::new(actix_service::fn_service(answers));
        let way = pass(service, Rc::new(Passage { telemetry, gate }), TestRequest::default().to_srv_request());
        let size = size_of_val(&way);
        assert!(size <= KEPT_BY_THREAD, "{size}");
        assert!(way.await.is_ok());
    }
}
