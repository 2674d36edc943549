//! Bodies of responses: a request is over when the whole of its body is out.

use pin_project_lite::pin_project;

use crate::scope::{OpenScope, Outcome};

pin_project! {
    /// The body of a response whose request ends with it.
    #[derive(Debug)]
    pub struct Body<B> {
        #[pin]
        inner: B,
        request: Open,
    }
}

/// The request, until its body is out.
#[derive(Debug)]
struct Open {
    scope: Option<OpenScope>,
    /// The status of its response; none where it comes after the body.
    status: Option<u16>,
    /// Bytes that are still to go out, where that is known. A server need not ask for what follows the last of them.
    left: Option<u64>,
}

impl Open {
    fn end(&mut self, whole: bool) {
        if let Some(mut open) = self.scope.take() {
            // A status that never came is a response that broke off.
            open.end(self.status.filter(|_| whole).map_or(Outcome::Failure, Outcome::Status));
        }
    }

    /// So many bytes go out.
    fn pass(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.left = self.left.map(|left| left.saturating_sub(bytes));
        if self.left == Some(0) && self.status.is_some() {
            self.end(true);
        }
    }
}

impl<B> Body<B> {
    /// The head of the response goes out with this body. Of one that is `empty` nothing is asked for.
    fn new(inner: B, mut request: Open, empty: bool) -> Self {
        if let Some(open) = &mut request.scope {
            open.respond();
        }
        if empty {
            request.end(true);
        }
        Self { inner, request }
    }
}

/// Whether a response of this status has no body, whatever its head says of one (RFC 9110, 6.4.1).
const fn is_without_body(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

#[cfg(feature = "actix")]
mod actix {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use actix_web::body::{BodySize, MessageBody};
    use actix_web::web::Bytes;

    use super::*;

    impl<B: MessageBody> Body<B> {
        /// As it goes out with a response to a request that wants a body, or only its head.
        pub(in crate::middleware) fn of_actix(inner: B, open: OpenScope, status: u16, head_only: bool) -> Self {
            let left = match inner.size() {
                BodySize::None => Some(0),
                BodySize::Sized(bytes) => Some(bytes),
                BodySize::Stream => None,
            };
            let empty = head_only || left == Some(0) || is_without_body(status);
            Self::new(inner, Open { scope: Some(open), status: Some(status), left }, empty)
        }
    }

    impl<B: MessageBody> MessageBody for Body<B> {
        type Error = B::Error;

        fn size(&self) -> BodySize {
            self.inner.size()
        }

        fn poll_next(self: Pin<&mut Self>, poller: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
            let this = self.project();
            let next = this.inner.poll_next(poller);
            match &next {
                Poll::Ready(None) => this.request.end(true),
                Poll::Ready(Some(Err(_))) => this.request.end(false),
                Poll::Ready(Some(Ok(bytes))) => this.request.pass(bytes.len()),
                Poll::Pending => {}
            }
            next
        }

        fn try_into_bytes(mut self) -> Result<Bytes, Self> {
            match self.inner.try_into_bytes() {
                Ok(bytes) => {
                    self.request.end(true);
                    Ok(bytes)
                }
                Err(inner) => Err(Self { inner, request: self.request }),
            }
        }
    }
}

#[cfg(feature = "tower")]
mod tower {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http::header::CONTENT_LENGTH;
    use http::response::Parts;
    use http_body::{Body as HttpBody, Frame, SizeHint};

    use super::super::grpc;
    use super::*;

    impl<B: HttpBody> Body<B> {
        /// As it goes out with the head of a response to a request that wants a body, or only the head.
        pub(in crate::middleware) fn of_tower(inner: B, open: OpenScope, head: &Parts, head_only: bool) -> Self {
            let length = || head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
            let left = length().or_else(|| inner.size_hint().exact());
            let empty = head_only || inner.is_end_stream() || is_without_body(head.status.as_u16());
            Self::new(inner, Open { scope: Some(open), status: grpc::status(head), left }, empty)
        }
    }

    impl Open {
        /// Something of the body goes out, perhaps the last of it.
        fn pass_frame<D: bytes::Buf>(&mut self, frame: &Frame<D>, last: bool) {
            if let Some(data) = frame.data_ref() {
                self.pass(data.remaining());
            }
            if let Some(trailers) = frame.trailers_ref() {
                self.status = self.status.or_else(|| grpc::status_in(trailers));
            }
            // Nobody needs to ask again for what has ended.
            if last || frame.is_trailers() {
                self.end(true);
            }
        }
    }

    impl<B: HttpBody> HttpBody for Body<B> {
        type Data = B::Data;
        type Error = B::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            poller: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
            let mut this = self.project();
            let next = this.inner.as_mut().poll_frame(poller);
            match &next {
                Poll::Ready(None) => this.request.end(true),
                Poll::Ready(Some(Err(_))) => this.request.end(false),
                Poll::Ready(Some(Ok(frame))) => this.request.pass_frame(frame, this.inner.is_end_stream()),
                Poll::Pending => {}
            }
            next
        }

        fn is_end_stream(&self) -> bool {
            self.inner.is_end_stream()
        }

        fn size_hint(&self) -> SizeHint {
            self.inner.size_hint()
        }
    }

    impl<B: Default> Default for Body<B> {
        /// A body of no request.
        fn default() -> Self {
            Self { inner: B::default(), request: Open { scope: None, status: None, left: None } }
        }
    }
}

#[cfg(all(test, feature = "tower"))]
mod tests;
