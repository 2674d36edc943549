//! Opening the scope of a root request.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use daybreak_model::wire::{Baggage, UnreadableBaggage};
use daybreak_model::{Context, DrawKey};

use super::{Ended, HasOutcome, Inner, Outcome, Scope, eligible};
use crate::faults::{Faults, OpenRequest, Settings};

/// A request as it arrives, for [`Faults::open`].
#[derive(Clone, Debug)]
pub struct RootRequest {
    operation: String,
    context: Context,
    eligible: bool,
    baggage: Option<Baggage>,
}

/// The scope of a request, which is open until this is dropped. Who opened it says what it came to; dropped without
/// a word, its client is taken for gone.
#[derive(Debug)]
pub struct OpenScope {
    scope: Scope,
    /// `None` inside of another request, whose part this is.
    root: Option<Root>,
}

#[derive(Debug)]
struct Root {
    faults: Faults,
    _open: Option<OpenRequest>,
    head: Option<Duration>,
    outcome: Option<Outcome>,
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
    /// for it with `Daybreak-Fault: off`, are exempt. Names of headers are asked for in lower case; all values of
    /// a header are wanted.
    ///
    /// Where baggage is trusted, a request whose baggage has a member of Daybreak's that cannot be read is exempt
    /// too: it was drawn already, and nobody knows how.
    #[must_use]
    pub fn arriving<'h, V: Iterator<Item = &'h [u8]>>(
        self,
        settings: &Settings,
        path: &str,
        values: impl Fn(&'static str) -> V,
    ) -> Self {
        let baggage = if settings.trust_baggage { baggage(values("baggage")) } else { Ok(None) };
        let eligible = self.eligible && baggage.is_ok() && eligible::eligible(path, &settings.health_paths, values);
        Self { eligible, baggage: baggage.unwrap_or_default(), ..self }
    }
}

/// Baggage may be spread over several headers, which then count as one list (W3C Baggage, 3.2).
fn baggage<'h>(values: impl Iterator<Item = &'h [u8]>) -> Result<Option<Baggage>, UnreadableBaggage> {
    let header = values.collect::<Vec<_>>().join(&b',');
    // What is not text is no part of a member of ours that can be read.
    Baggage::from_header(&String::from_utf8_lossy(&header))
}

impl OpenScope {
    /// A part of a request that is open already.
    const fn inside(scope: Scope) -> Self {
        Self { scope, root: None }
    }

    /// The scope.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The head of the response goes out now: the request's latency is until here. It is not over: see
    /// [`OpenScope::end`].
    pub fn respond(&mut self) {
        let began = self.scope.began();
        if let Some(root) = &mut self.root {
            root.head.get_or_insert_with(|| root.faults.monotonic().saturating_sub(began));
            self.scope.draws().lock().respond();
        }
    }

    /// The request is over, and came to this. Only the first word counts.
    pub fn end(&mut self, outcome: Outcome) {
        let Some(root) = &mut self.root else { return };
        if root.outcome.is_none() {
            root.outcome = Some(outcome);
            self.finish();
        }
    }

    fn finish(&self) {
        let Some(root) = &self.root else { return };
        let elapsed = root.faults.monotonic().saturating_sub(self.scope.began());
        self.scope.finish(&Ended { outcome: root.outcome, head: root.head, elapsed });
    }
}

impl Drop for OpenScope {
    fn drop(&mut self) {
        if let Some(root) = &mut self.root
            && std::thread::panicking()
        {
            root.outcome.get_or_insert(Outcome::Failure);
        }
        self.finish();
    }
}

impl Faults {
    /// Opens a scope; inside of another one, which stays, a part of that.
    #[must_use]
    pub fn open(&self, root: impl FnOnce() -> RootRequest) -> OpenScope {
        Scope::current().map_or_else(|| self.open_root(root()), OpenScope::inside)
    }

    fn open_root(&self, root: RootRequest) -> OpenScope {
        let (key, operation, upstream) = match root.baggage {
            Some(baggage) => (baggage.key, baggage.operation, Some(baggage.draws)),
            None => (DrawKey::new(rand::random()), root.operation, None),
        };
        let counters = root.eligible.then(|| self.operations().get(&operation));
        let open = counters.as_ref().map(|counters| counters.open());
        let measured = if upstream.is_none() { self.measures().of(&operation) } else { None };
        let trace = self.settings().telemetry.and_then(|telemetry| telemetry.begin());
        if let (Some(trace), Some(draws)) = (&trace, &upstream) {
            trace.arrived(draws);
        }
        let inner = Inner {
            key,
            operation: operation.into(),
            context: root.context,
            counters,
            upstream,
            measured,
            began: self.monotonic(),
            trace,
            passed: Default::default(),
            draws: Default::default(),
        };
        let scope = Scope(Arc::new(inner));
        scope.0.measured.iter().flat_map(|all| all.iter()).for_each(|measured| measured.begin(&scope));
        self.draw_elsewhere(&scope);
        let root = Root { faults: self.clone(), _open: open, head: None, outcome: None };
        OpenScope { scope, root: Some(root) }
    }

    /// Runs a future as one request of this operation. One that is ready with an error has failed; with `Ok` or `()`, it
    /// has succeeded. Inside another request it is part of that one.
    pub async fn request<F>(&self, operation: &str, context: Context, future: F) -> F::Output
    where
        F: Future<Output: HasOutcome>,
    {
        self.request_with(operation, context, future, HasOutcome::outcome).await
    }

    /// As [`Faults::request`], for any output: with what the request came to read off it.
    pub async fn request_with<F: Future>(
        &self,
        operation: &str,
        context: Context,
        future: F,
        outcome: impl FnOnce(&F::Output) -> Outcome,
    ) -> F::Output {
        let mut open = self.open(|| RootRequest::new(operation, context));
        let output = open.scope().clone().instrument(future).await;
        open.end(outcome(&output));
        output
    }
}

#[cfg(test)]
mod tests {
    use super::super::OFF_HEADER;
    use super::super::fixtures::values;
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
            let nested = faults.request_with("inner", Context::default(), inner(), |_| Outcome::Success).await;
            let spawned = Scope::current().map(|scope| tokio::spawn(scope.instrument(inner())));
            (own, nested, spawned.unwrap().await.unwrap())
        };
        let (own, nested, spawned) =
            faults.request_with("outer", Context::default(), outer, |_| Outcome::Success).await;
        assert_eq!(own.as_ref().map(|(_, operation)| operation.as_str()), Some("outer"));
        assert_eq!((&own, &own), (&nested, &spawned));
        assert_eq!(faults.operations().counts().keys().collect::<Vec<_>>(), ["outer"]);
        assert!(Scope::current().is_none(), "the scope ends with the request");
    }

    #[tokio::test]
    async fn keys_differ_and_open_requests_are_counted_until_dropped() {
        let faults = faults(Settings::default());
        let (first, second) = (RootRequest::new("a", Context::default()), RootRequest::new("a", Context::default()));
        let (first, second) = (faults.open(|| first), faults.open(|| second));
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
        let headers = [("baggage", header.as_str())];
        let headers = |name| values(&headers, name);
        for (trust_baggage, believed) in [(false, false), (true, true)] {
            let settings = Settings { trust_baggage, ..Settings::default() };
            let root = RootRequest::new("leaf", Context::default()).arriving(&settings, "/", headers);
            let open = faults(settings).open(|| root);
            assert_eq!(open.scope().draw_key() == DrawKey::new(7), believed);
            assert_eq!(open.scope().operation(), if believed { "root" } else { "leaf" });
            assert_eq!(open.scope().baggage().map(|baggage| baggage.to_string()) == Some(header.clone()), believed);
        }
    }

    #[test]
    fn invariant_4_a_request_that_was_drawn_is_not_drawn_anew() {
        let (key, other) = (format!("{:032x}", 7), format!("{:032x}", 8));
        let own = format!("daybreak={key};op=root");
        /// The headers, and the key that the request is drawn by; `None` where it is exempt.
        type Case = (Vec<String>, Option<DrawKey>);
        let cases: [Case; 8] = [
            (vec![own.clone()], Some(DrawKey::new(7))),
            (vec!["user=7".to_owned(), own.clone()], Some(DrawKey::new(7))),
            (vec![own.clone(), "user=7,trace=\u{e9}".to_owned()], Some(DrawKey::new(7))),
            (vec![own.clone(), own.clone()], Some(DrawKey::new(7))),
            (vec![own.clone(), format!("daybreak={other};op=root")], None),
            (vec!["user=7".to_owned(), "daybreak=x".to_owned()], None),
            (vec![format!("{own};1.0.t")], None),
            (vec![format!("{own}\u{e9}")], None),
        ];
        for (headers, expected) in cases {
            let settings = Settings { trust_baggage: true, ..Settings::default() };
            let pairs: Vec<_> = headers.iter().map(|value| ("baggage", value.as_str())).collect();
            let root = RootRequest::new("leaf", Context::default());
            let open = faults(settings.clone()).open(|| root.arriving(&settings, "/", |name| values(&pairs, name)));
            assert_eq!(open.scope().eligible().then(|| open.scope().draw_key()), expected, "{headers:?}");
        }
    }

    #[test]
    fn other_baggage_is_no_root() {
        let settings = Settings { trust_baggage: true, ..Settings::default() };
        let headers = |name| values(&[("baggage", "user=7,daybreakish=x")], name);
        let root = RootRequest::new("leaf", Context::default()).arriving(&settings, "/", headers);
        let open = faults(settings).open(|| root);
        assert_eq!((open.scope().eligible(), open.scope().operation()), (true, "leaf"));
    }

    #[test]
    fn who_is_exempt_hands_nothing_on() {
        let headers = |name| values(&[(OFF_HEADER, "off")], name);
        let root = RootRequest::new("a", Context::default()).arriving(&Settings::default(), "/", headers);
        let open = faults(Settings::default()).open(|| root);
        assert!(!open.scope().eligible() && open.scope().baggage().is_none());
    }
}
