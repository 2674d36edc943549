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

/// The request, until its body is out, with the status of its response.
#[derive(Debug)]
struct Open(Option<(OpenScope, u16)>);

impl Open {
    fn end(&mut self, whole: bool) {
        if let Some((mut open, status)) = self.0.take() {
            open.end(if whole { Outcome::Status(status) } else { Outcome::Failure });
        }
    }
}

impl<B> Body<B> {
    /// The head of the response goes out with this body.
    fn new(inner: B, mut open: OpenScope, status: u16, empty: bool) -> Self {
        open.respond();
        let mut request = Open(Some((open, status)));
        if empty {
            request.end(true);
        }
        Self { inner, request }
    }
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
            let empty = head_only || matches!(inner.size(), BodySize::None | BodySize::Sized(0));
            Self::new(inner, open, status, empty)
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
                Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
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

    use http_body::{Body as HttpBody, Frame, SizeHint};

    use super::*;

    impl<B: HttpBody> Body<B> {
        /// As it goes out with a response to a request that wants a body, or only its head.
        pub(in crate::middleware) fn of_tower(inner: B, open: OpenScope, status: u16, head_only: bool) -> Self {
            let empty = head_only || inner.is_end_stream();
            Self::new(inner, open, status, empty)
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
                // Nobody needs to ask again for what has ended.
                Poll::Ready(Some(Ok(_))) if this.inner.is_end_stream() => this.request.end(true),
                Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
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
            Self { inner: B::default(), request: Open(None) }
        }
    }
}
