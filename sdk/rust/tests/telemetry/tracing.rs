//! Through `tracing` alone.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use daybreak_sdk::scope::RootRequest;
use daybreak_sdk::{Context, Telemetry, TestClient};
use serde_json::json;
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{self, SubscriberExt};

use crate::fixtures::{Attributes, attributes, cut_short, endless, grant, ready};

/// An event's name, its target and its fields.
type Heard = (&'static str, String, Attributes);

/// What a subscriber is told.
#[derive(Clone, Default)]
struct Told {
    events: Arc<Mutex<Vec<Heard>>>,
    /// How often a field of a span was recorded, and its last value.
    records: Arc<Mutex<BTreeMap<String, (u32, String)>>>,
}

struct Fields(Vec<(String, String)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name().to_owned(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name().to_owned(), value.to_owned()));
    }
}

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        let (name, target) = (event.metadata().name(), event.metadata().target().to_owned());
        self.events.lock().unwrap().push((name, target, fields.0.into_iter().collect()));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: layer::Context<'_, S>) {
        let mut fields = Fields(Vec::new());
        values.record(&mut fields);
        for (name, value) in fields.0 {
            let mut records = self.records.lock().unwrap();
            let (times, last) = records.entry(name).or_default();
            (*times, *last) = (*times + 1, value);
        }
    }
}

#[test]
fn evaluations_draws_and_strikes_are_events_and_fields_of_spans_that_declare_them() {
    let told = Told::default();
    let subscriber = tracing_subscriber::registry().with(told.clone());
    let client = TestClient::with_telemetry(Telemetry::tracing());
    client.set("new-checkout", true).unwrap();
    grant(client.faults(), &[(1, true)], &json!({ "error": {} }));
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!(
            "request",
            feature_flag.key = Empty,
            feature_flag.result.variant = Empty,
            daybreak.run.arm = Empty,
            daybreak.struck = Empty,
        );
        let _entered = span.enter();
        let request = client.faults().open(|| RootRequest::new("POST /checkout", Context::default()));
        request.scope().enter(|| {
            let context = Context::default();
            assert!(client.bool("new-checkout", &context, false) && client.bool("new-checkout", &context, false));
            assert!(!client.bool("nowhere", &context, false));
            assert!(ready(client.fault_point("payment.gateway")).is_err());
        });
    });
    let evaluation = [
        ("feature_flag.key", "new-checkout"),
        ("feature_flag.provider.name", "daybreak"),
        ("feature_flag.result.variant", "set"),
        ("feature_flag.result.reason", "static"),
        ("feature_flag.set.id", "test"),
        ("feature_flag.version", "1"),
    ];
    let failure = [
        ("feature_flag.key", "nowhere"),
        ("feature_flag.provider.name", "daybreak"),
        ("feature_flag.result.reason", "error"),
        ("feature_flag.set.id", "test"),
        ("error.type", "flag_not_found"),
        ("feature_flag.error.message", "there is no such flag"),
    ];
    let draw = [
        ("daybreak.run.id", "0000000000000001"),
        ("daybreak.run.arm", "treated"),
        ("daybreak.fault.key", "fault-1"),
        ("daybreak.fault.point", "payment.gateway"),
    ];
    let strike = [&draw[..], &[("daybreak.fault.effect", "error")]].concat();
    let wanted = [
        ("feature_flag.evaluation", "daybreak::flag", &evaluation[..]),
        ("feature_flag.evaluation", "daybreak::flag", &evaluation),
        ("feature_flag.evaluation", "daybreak::flag", &failure),
        ("daybreak.draw", "daybreak::fault", &draw),
        ("daybreak.injection", "daybreak::fault", &strike),
    ];
    let wanted = wanted.map(|(name, target, pairs)| (name, target.to_owned(), attributes(pairs)));
    assert_eq!(*told.events.lock().unwrap(), wanted);
    let recorded = [
        ("feature_flag.key", "new-checkout"),
        ("feature_flag.result.variant", "set"),
        ("daybreak.run.arm", "treated"),
        ("daybreak.struck", "true"),
    ];
    let recorded = recorded.map(|(name, value)| (name.to_owned(), (1, value.to_owned())));
    assert_eq!(*told.records.lock().unwrap(), BTreeMap::from(recorded), "each once");
}

#[test]
fn a_strike_that_is_cut_short_is_an_event() {
    let told = Told::default();
    let client = TestClient::with_telemetry(Telemetry::tracing());
    grant(client.faults(), &[(1, true)], &endless());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(told.clone()), || {
        let span = tracing::info_span!("request", daybreak.fault.cut_short = Empty);
        let _entered = span.enter();
        let request = client.faults().open(|| RootRequest::new("POST /checkout", Context::default()));
        request.scope().enter(|| cut_short(&client));
    });
    let events: Vec<_> = told.events.lock().unwrap().iter().map(|(name, ..)| *name).collect();
    assert_eq!(events, ["daybreak.draw", "daybreak.injection", "daybreak.cut_short"]);
    let recorded = [("daybreak.fault.cut_short".to_owned(), (1, "true".to_owned()))];
    assert_eq!(*told.records.lock().unwrap(), BTreeMap::from(recorded));
}

/// What panics whenever it is told of something that is not the test's own.
struct Panics;

impl<S: Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        panic!("an event: {}", event.metadata().name());
    }

    fn on_record(&self, _: &Id, _: &Record<'_>, _: layer::Context<'_, S>) {
        panic!("a record");
    }

    fn on_close(&self, _: Id, _: layer::Context<'_, S>) {
        panic!("the end of a span");
    }
}

/// Neither evaluations nor draws nor strikes, and not the end of a request.
#[test]
fn invariant_6_who_is_told_and_panics_hurts_nobody() {
    let client = TestClient::with_telemetry(Telemetry::tracing());
    client.set("new-checkout", true).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Panics), || {
        for (run, effect) in [(1, json!({ "error": {} })), (2, endless())] {
            grant(client.faults(), &[(run, true)], &effect);
            let span = tracing::info_span!("request", daybreak.run.arm = Empty, daybreak.struck = Empty);
            let request = span.in_scope(|| {
                let request = client.faults().open(|| RootRequest::new("POST /checkout", Context::default()));
                request.scope().enter(|| {
                    assert!(client.bool("new-checkout", &Context::default(), false));
                    if run == 1 {
                        assert!(ready(client.fault_point("payment.gateway")).is_err(), "it is struck all the same");
                    } else {
                        cut_short(&client);
                    }
                });
                request
            });
            // The request is the last that holds the span.
            drop(span);
            drop(request);
        }
    });
}

#[test]
fn nothing_is_told_unless_it_is_asked_for() {
    let told = Told::default();
    let client = TestClient::new();
    client.set("new-checkout", true).unwrap();
    grant(client.faults(), &[(1, true)], &json!({ "error": {} }));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(told.clone()), || {
        let request = client.faults().open(|| RootRequest::new("POST /checkout", Context::default()));
        request.scope().enter(|| {
            assert!(client.bool("new-checkout", &Context::default(), false));
            assert!(ready(client.fault_point("payment.gateway")).is_err());
        });
    });
    assert!(told.events.lock().unwrap().is_empty() && told.records.lock().unwrap().is_empty());
}
