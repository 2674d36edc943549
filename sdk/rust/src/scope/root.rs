//! Opening the scope of a root request.

use std::future::Future;
use std::sync::Arc;

use daybreak_model::wire::Baggage;
use daybreak_model::{Context, DrawKey};

use super::{Inner, Scope, eligible};
use crate::faults::{Faults, OpenRequest, Settings};

/// A request as it arrives, for [`Faults::open`].
#[derive(Clone, Debug)]
pub struct RootRequest {
    operation: String,
    context: Context,
    eligible: bool,
    baggage: Option<Baggage>,
}

/// The scope of a request that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenScope {
    scope: Scope,
    _open: Option<OpenRequest>,
}

impl RootRequest {
    /// A request of this operation, served to this context.
    #[must_use]
    pub fn new(operation: impl Into<String>, context: Context) -> Self {
        Self { operation: operation.into(), context, eligible: true, baggage: None }
    }

    /// The same, but no fault may strike it.
    #[must_use]
    pub fn exempt(self) -> Self {
        Self { eligible: false, ..self }
    }

    /// The same, as its path and its headers have it: health checks, WebSockets, event streams, and who asks
    /// for it with `Daybreak-Fault: off`, are exempt. Names of headers are asked for in lower case.
    #[must_use]
    pub fn arriving<'h>(
        self,
        settings: &Settings,
        path: &str,
        header: impl Fn(&'static str) -> Option<&'h str>,
    ) -> Self {
        let eligible = self.eligible && eligible::eligible(path, &settings.health_paths, &header);
        let baggage = header("baggage").filter(|_| settings.trust_baggage).and_then(Baggage::from_header);
        Self { eligible, baggage, ..self }
    }
}

impl OpenScope {
    /// The scope.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl Faults {
    /// Opens a scope. Inside another scope this is not what you want: the outer root stays. Then use
    /// [`Faults::request`], which knows.
    #[must_use]
    pub fn open(&self, root: RootRequest) -> OpenScope {
        let (key, operation, upstream) = match root.baggage {
            Some(baggage) => (baggage.key, baggage.operation, Some(baggage.draws)),
            None => (DrawKey::new(rand::random()), root.operation, None),
        };
        let counters = root.eligible.then(|| self.operations().get(&operation));
        let open = counters.as_ref().map(|counters| counters.open());
        let inner = Inner {
            key,
            operation: operation.into(),
            context: root.context,
            counters,
            upstream,
            passed: Default::default(),
            draws: Default::default(),
        };
        OpenScope { scope: Scope(Arc::new(inner)), _open: open }
    }

    /// Runs a future as one request of this operation. Inside another request it is part of that one.
    pub async fn request<F: Future>(&self, operation: &str, context: Context, future: F) -> F::Output {
        self.arriving(|| RootRequest::new(operation, context), future).await
    }

    /// As [`Faults::request`], with the request described only where it is the root.
    pub async fn arriving<F: Future>(&self, root: impl FnOnce() -> RootRequest, future: F) -> F::Output {
        let open = match Scope::current() {
            Some(scope) => OpenScope { scope, _open: None },
            None => self.open(root()),
        };
        open.scope.clone().instrument(future).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::OFF_HEADER;
    use super::*;

    fn faults(settings: Settings) -> Faults {
        Faults::new(settings)
    }

    #[tokio::test]
    async fn invariant_4_a_request_inside_a_request_mints_no_key() {
        let faults = faults(Settings::default());
        let inner = || async { Scope::current().map(|scope| (scope.draw_key(), scope.operation().to_owned())) };
        let outer = async {
            let own = inner().await;
            let nested = faults.request("inner", Context::default(), inner()).await;
            let spawned = Scope::current().map(|scope| tokio::spawn(scope.instrument(inner())));
            (own, nested, spawned.unwrap().await.unwrap())
        };
        let (own, nested, spawned) = faults.request("outer", Context::default(), outer).await;
        assert_eq!(own.as_ref().map(|(_, operation)| operation.as_str()), Some("outer"));
        assert_eq!((&own, &own), (&nested, &spawned));
        assert_eq!(faults.operations().counts().keys().collect::<Vec<_>>(), ["outer"]);
        assert!(Scope::current().is_none(), "the scope ends with the request");
    }

    #[tokio::test]
    async fn keys_differ_and_open_requests_are_counted_until_dropped() {
        let faults = faults(Settings::default());
        let (first, second) = (RootRequest::new("a", Context::default()), RootRequest::new("a", Context::default()));
        let (first, second) = (faults.open(first), faults.open(second));
        assert_ne!(first.scope().draw_key(), second.scope().draw_key());
        assert_eq!(faults.operations().counts()["a"].open, 2);
        let pending = faults.request("a", Context::default(), std::future::pending::<()>());
        drop((first, second));
        assert!(tokio::time::timeout(std::time::Duration::ZERO, pending).await.is_err());
        assert_eq!(faults.operations().counts()["a"].open, 0, "a dropped future is not open");
    }

    #[test]
    fn baggage_is_believed_only_where_it_is_trusted() {
        let header = format!("daybreak={};op=root;0000000000000001.0.t", "0".repeat(31) + "7");
        let headers = |name: &str| (name == "baggage").then_some(header.as_str());
        for (trust_baggage, believed) in [(false, false), (true, true)] {
            let settings = Settings { trust_baggage, ..Settings::default() };
            let root = RootRequest::new("leaf", Context::default()).arriving(&settings, "/", headers);
            let open = faults(settings).open(root);
            assert_eq!(open.scope().draw_key() == DrawKey::new(7), believed);
            assert_eq!(open.scope().operation(), if believed { "root" } else { "leaf" });
            assert_eq!(open.scope().baggage().map(|baggage| baggage.to_string()) == Some(header.clone()), believed);
        }
    }

    #[test]
    fn who_is_exempt_hands_nothing_on() {
        let headers = |name: &str| (name == OFF_HEADER).then_some("off");
        let root = RootRequest::new("a", Context::default()).arriving(&Settings::default(), "/", headers);
        let open = faults(Settings::default()).open(root);
        assert!(!open.scope().eligible() && open.scope().baggage().is_none());
    }
}
