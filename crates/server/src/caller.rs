//! Who asks.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use daybreak_control::Actor;

/// Who asks. Without tokens it is the machine's own user, who has no name here and may do everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller;

impl Caller {
    /// The caller as the one who changes something, and why.
    #[must_use]
    pub fn actor(&self, reason: Option<String>) -> Actor {
        Actor::default().because(reason)
    }

    /// Whether they may waive what stands against a start.
    #[must_use]
    pub const fn may_override(&self) -> bool {
        true
    }
}

impl FromRequest for Caller {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<Self>().cloned().unwrap_or_default()))
    }
}
