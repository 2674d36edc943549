//! A connection is busy until the body of its answer is written, or given up.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::web::Bytes;
use pin_project_lite::pin_project;

use super::Link;
use super::link::Busy;

pin_project! {
    /// A body that keeps its connection busy.
    #[derive(Debug)]
    pub struct Held<B> {
        #[pin]
        body: B,
        busy: Option<Busy>,
    }
}

/// Keeps the connection of a request busy until its answer is written.
///
/// # Errors
/// Those of what is behind it.
pub(crate) async fn hold<B, F>(
    request: ServiceRequest,
    next: impl FnOnce(ServiceRequest) -> F,
) -> Result<ServiceResponse<Held<B>>, Error>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    let busy = request.conn_data::<Link>().map(Link::busy);
    Ok(next(request).await?.map_body(|_, body| Held { body, busy }))
}

impl<B: MessageBody> MessageBody for Held<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(context)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, busy } = self;
        body.try_into_bytes().map_err(|body| Self { body, busy })
    }
}
