//! Who asks.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use daybreak_control::tokens::Role;
use daybreak_control::{Actor, Control, Right, Token};
use tokio::sync::watch;

use crate::telemetry::facts;

/// Who asks.
#[derive(Clone, Debug, Default)]
pub enum Caller {
    /// Somebody without a token, where one is asked for. They get what is public.
    #[default]
    Anonymous,
    /// The machine's own user, where there are no tokens. They have no name here, and may do everything.
    Local,
    /// A page in a browser, of an origin that an operator named, where there are no tokens. It sees what it would see with
    /// a token for pages: what an application is tried with is what it gets.
    Page,
    /// The holder of a token.
    Holder(Arc<Token>),
}

impl Caller {
    /// The caller as the one who changes something, and why.
    #[must_use]
    pub fn actor(&self, reason: Option<String>) -> Actor {
        let actor = self.token().map_or_else(Actor::default, |token| Actor::named(token.name()));
        facts::note(|facts| facts.reason.clone_from(&reason));
        Actor { may_override: self.may_override(), ..actor }.because(reason)
    }

    /// Their token.
    #[must_use]
    pub fn token(&self) -> Option<&Arc<Token>> {
        match self {
            Self::Holder(token) => Some(token),
            Self::Anonymous | Self::Local | Self::Page => None,
        }
    }

    /// Whether they have a right.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Local => true,
            Self::Page => Role::Evaluate.may(right),
            Self::Holder(token) => token.may(right),
        }
    }

    /// Whether they may waive what stands against a start.
    #[must_use]
    pub fn may_override(&self) -> bool {
        self.may(Right::Administer)
    }

    /// Whether they see all flags, with rules and prerequisites; if not, only those that are marked `client: true`.
    #[must_use]
    pub fn sees_all_flags(&self) -> bool {
        self.may(Right::Follow)
    }

    /// Becomes true when they are let in no longer: then what is still open to them ends.
    #[must_use]
    pub fn ends(&self, control: &Control) -> watch::Receiver<bool> {
        self.token().map_or_else(|| control.tokens_become_required(), |token| token.ends())
    }
}

impl FromRequest for Caller {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        // Whoever was not let in is nobody.
        ready(Ok(request.extensions().get::<Self>().cloned().unwrap_or_default()))
    }
}
