//! Directly, and with spans of `tracing` under tracing-opentelemetry's layer.

use std::sync::{Arc, Mutex};

use daybreak_model::wire::{Baggage, BaggageDraw};
use daybreak_model::{Arm, DrawKey, RunId};
use daybreak_sdk::faults::Settings;
use daybreak_sdk::scope::{Outcome, RootRequest};
use daybreak_sdk::{Context, Telemetry, TestClient};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;

use crate::fixtures::{Attributes, attributes, cut_short, endless, grant, ready};

/// Spans that have ended.
#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Ended {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Ended {
    fn tracer(sampler: Sampler) -> (Self, SdkTracer) {
        let ended = Self::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(ended.clone()).with_sampler(sampler).build();
        (ended, provider.tracer("test"))
    }

    fn all(&self) -> Vec<SpanData> {
        self.0.lock().unwrap().clone()
    }

    fn of(&self, name: &str) -> SpanData {
        self.all().into_iter().find(|span| span.name == name).unwrap()
    }
}

/// Each name must be there once: OpenTelemetry's SDK would hand on two of a name.
fn read(pairs: &[KeyValue]) -> Attributes {
    let read: Attributes = pairs.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect();
    assert_eq!(read.len(), pairs.len(), "a name is there twice: {pairs:#?}");
    read
}

fn events(span: &SpanData) -> Vec<(String, Attributes)> {
    span.events.iter().map(|event| (event.name.to_string(), read(&event.attributes))).collect()
}

fn client(telemetry: Telemetry) -> TestClient {
    let client = TestClient::with_telemetry(telemetry);
    client.set("new-checkout", true).unwrap();
    client.set("limit", 7.0).unwrap();
    client
}

/// What is told of a flag of a test's client, which serves one variant, from a revision of its own.
fn evaluation(key: &str) -> Attributes {
    attributes(&[
        ("feature_flag.key", key),
        ("feature_flag.provider.name", "daybreak"),
        ("feature_flag.result.variant", "set"),
        ("feature_flag.result.reason", "static"),
        ("feature_flag.set.id", "test"),
        ("feature_flag.version", "2"),
    ])
}

fn evaluated(attributes: Attributes) -> (String, Attributes) {
    ("feature_flag.evaluation".to_owned(), attributes)
}

fn with(mut attributes: Attributes, pairs: &[(&str, &str)]) -> Attributes {
    attributes.extend(crate::fixtures::attributes(pairs));
    attributes
}

#[test]
fn an_evaluation_is_an_event_and_attributes_of_its_span() {
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
    let (client, context) = (client(Telemetry::opentelemetry()), Context::new("user-7"));
    let handle = client.flag::<bool>("new-checkout");
    // Outside of spans it remembers its answer: within one it tells of it all the same.
    assert!((0..3).all(|_| handle.get(&context, false)));
    tracer.in_span("request", |_| {
        assert!(client.bool("new-checkout", &context, false) && handle.get(&context, false));
        assert!(client.number_detail("limit", &context, 0.0).value > 6.0);
    });
    let span = ended.of("request");
    let checkout = || evaluated(evaluation("new-checkout"));
    assert_eq!(events(&span), [checkout(), checkout(), evaluated(evaluation("limit"))], "by key, by handle, in detail");
    let each = [("daybreak.flag.variant.new-checkout", "set"), ("daybreak.flag.variant.limit", "set")];
    let wanted = with(evaluation("new-checkout"), &each);
    assert_eq!(read(&span.attributes), wanted, "the first flag by the conventions, and each by its name");
}

#[test]
fn what_went_wrong_is_told_and_is_no_error_of_the_span() {
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
    let (client, context) = (client(Telemetry::opentelemetry()), Context::default());
    tracer.in_span("request", |_| {
        assert!(client.bool("nowhere", &context, true) && client.bool("limit", &context, true));
    });
    let span = ended.of("request");
    let failed = |key, error, message, more: &[(&str, &str)]| {
        let always = [
            ("feature_flag.key", key),
            ("feature_flag.provider.name", "daybreak"),
            ("feature_flag.result.reason", "error"),
            ("feature_flag.set.id", "test"),
            ("error.type", error),
            ("feature_flag.error.message", message),
        ];
        evaluated(with(attributes(&always), more))
    };
    let of_type = "the flag is of another type than asked for";
    let wanted = [
        failed("nowhere", "flag_not_found", "there is no such flag", &[]),
        failed("limit", "type_mismatch", of_type, &[("feature_flag.version", "2")]),
    ];
    assert_eq!(events(&span), wanted);
    assert!(read(&span.attributes).keys().all(|name| !name.contains("error")), "{span:#?}");
}

const RUN: (&str, &str) = ("daybreak.run.id", "0000000000000001");
const FAULT: (&str, &str) = ("daybreak.fault.key", "fault-1");
const POINT: (&str, &str) = ("daybreak.fault.point", "payment.gateway");
const TREATED: (&str, &str) = ("daybreak.run.arm", "treated");
const CONTROL: (&str, &str) = ("daybreak.run.arm", "control");
const STRIKE: [(&str, &str); 2] = [("daybreak.fault.effect", "latency+error"), ("daybreak.fault.latency_ms", "0")];
const OWN_ARM: (&str, &str) = ("daybreak.run.arm.0000000000000001", "treated");
const OWN_CONTROL: (&str, &str) = ("daybreak.run.arm.0000000000000001", "control");
const OWN_EFFECT: (&str, &str) = ("daybreak.run.effect.0000000000000001", "latency+error");
const MARKS: [(&str, &str); 2] = [("daybreak.treated", "true"), ("daybreak.struck", "true")];

/// Passes the point in a span within that of the request, as an application would.
fn pass(client: &TestClient, tracer: &SdkTracer, root: RootRequest) {
    tracer.in_span("POST /checkout", |_| {
        let mut open = client.faults().open(|| root);
        open.scope().enter(|| {
            tracer.in_span("pay", |_| {
                let _ = ready(client.fault_point("payment.gateway"));
                let _ = ready(client.fault_point("payment.gateway"));
            });
        });
        open.end(Outcome::Success);
    });
}

fn root() -> RootRequest {
    RootRequest::new("POST /checkout", Context::default())
}

fn effect() -> serde_json::Value {
    json!({ "latency": { "distribution": { "fixed": 0 }, "max": 1000 }, "error": {} })
}

#[test]
fn a_strike_is_told_where_it_happens_and_its_arm_on_the_requests_span() {
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
    let client = client(Telemetry::opentelemetry());
    grant(client.faults(), &[(1, true)], &effect());
    pass(&client, &tracer, root());
    let (request, inner) = (ended.of("POST /checkout"), ended.of("pay"));
    let drawn = attributes(&[RUN, TREATED, FAULT, POINT]);
    let strike = with(drawn.clone(), &STRIKE);
    let injected = || ("daybreak.injection".to_owned(), strike.clone());
    assert_eq!(events(&inner), [("daybreak.draw".to_owned(), drawn), injected(), injected()], "two passes, one draw");
    assert_eq!(read(&inner.attributes), strike);
    assert_eq!(read(&request.attributes), with(with(strike, &MARKS), &[OWN_ARM, OWN_EFFECT]));
    assert!(events(&request).is_empty(), "events are where they happened: {request:#?}");
    assert_eq!(ended.all().len(), 2, "no span is kept open or made");
}

#[test]
fn a_request_in_the_control_arm_says_so() {
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
    let client = client(Telemetry::opentelemetry());
    grant(client.faults(), &[(1, false)], &effect());
    pass(&client, &tracer, root());
    let drawn = attributes(&[RUN, CONTROL, FAULT, POINT]);
    assert_eq!(read(&ended.of("POST /checkout").attributes), with(drawn.clone(), &[OWN_CONTROL]));
    assert_eq!(events(&ended.of("pay")), [("daybreak.draw".to_owned(), drawn)]);
    assert!(ended.of("pay").attributes.is_empty());
}

/// A span has one run's attributes by the names without a run; by those with one, of all.
#[test]
fn two_runs_that_draw_a_request_are_not_mixed() {
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
    let client = client(Telemetry::opentelemetry());
    grant(client.faults(), &[(1, false), (2, true)], &effect());
    pass(&client, &tracer, root());
    let draws = events(&ended.of("pay")).into_iter().filter(|(name, _)| name == "daybreak.draw").count();
    assert_eq!(draws, 2);
    let own = read(&ended.of("POST /checkout").attributes);
    let first = [("fault-1", "control"), ("fault-2", "treated")];
    assert!(first.contains(&(own["daybreak.fault.key"].as_str(), own["daybreak.run.arm"].as_str())), "{own:#?}");
    assert_eq!((own["daybreak.treated"].as_str(), own["daybreak.struck"].as_str()), ("true", "true"));
    let of_runs: Attributes = own.into_iter().filter(|(name, _)| name.contains(".000000000000000")).collect();
    let wanted = [
        OWN_CONTROL,
        ("daybreak.run.arm.0000000000000002", "treated"),
        ("daybreak.run.effect.0000000000000002", "latency+error"),
    ];
    assert_eq!(of_runs, attributes(&wanted), "each of the runs");
}

/// Its run's end is no effect of the fault.
#[test]
fn a_strike_that_is_cut_short_says_so() {
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
    let client = client(Telemetry::opentelemetry());
    grant(client.faults(), &[(1, true)], &endless());
    tracer.in_span("POST /checkout", |_| {
        let open = client.faults().open(root);
        open.scope().enter(|| tracer.in_span("pay", |_| cut_short(&client)));
    });
    let (request, inner) = (ended.of("POST /checkout"), ended.of("pay"));
    let drawn = attributes(&[RUN, TREATED, FAULT, POINT]);
    let names: Vec<_> = events(&inner).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["daybreak.draw", "daybreak.injection", "daybreak.cut_short"]);
    assert_eq!(events(&inner)[2].1, drawn);
    for span in [&request, &inner] {
        assert_eq!(read(&span.attributes)["daybreak.fault.cut_short"], "true", "{span:#?}");
    }
}

/// What leads from the number of injections to one of them.
#[cfg(feature = "metrics")]
#[test]
fn injections_have_the_last_sampled_trace_as_an_exemplar() {
    let client = client(Telemetry::opentelemetry());
    grant(client.faults(), &[(1, true)], &effect());
    let counted = || {
        let text = client.metrics();
        let line = text.lines().find(|line| line.starts_with("daybreak_sdk_injections_total"));
        line.map(str::to_owned).unwrap()
    };
    for (sampler, sampled) in [(Sampler::AlwaysOff, false), (Sampler::AlwaysOn, true)] {
        let (ended, tracer) = Ended::tracer(sampler);
        pass(&client, &tracer, root());
        let count = if sampled { 4 } else { 2 };
        let wanted = match sampled {
            true => {
                let trace = ended.of("pay").span_context.trace_id();
                format!("daybreak_sdk_injections_total{{fault=\"fault-1\"}} {count} # {{trace_id=\"{trace}\"}} 1.0 ")
            }
            false => format!("daybreak_sdk_injections_total{{fault=\"fault-1\"}} {count}"),
        };
        assert!(counted().starts_with(&wanted) && counted().contains('#') == sampled, "{wanted}: {}", counted());
    }
}

/// What the root drew is told by a service that has no such point, and by one that strikes.
#[test]
fn a_service_downstream_tells_what_its_root_drew() {
    for (granted, arm) in [(false, Arm::Treated), (false, Arm::Control), (true, Arm::Treated)] {
        let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
        let client = client(Telemetry::opentelemetry());
        if granted {
            grant(client.faults(), &[(1, true)], &effect());
        }
        let draws = vec![BaggageDraw { run: RunId::new(1), stage: 0, arm }];
        let header = Baggage { key: DrawKey::new(7), operation: "POST /checkout".to_owned(), draws }.to_string();
        let trusting = Settings { trust_baggage: true, ..Settings::default() };
        let values = |name: &'static str| (name == "baggage").then_some(header.as_bytes()).into_iter();
        pass(&client, &tracer, root().arriving(&trusting, "/checkout", values));
        let own = read(&ended.of("POST /checkout").attributes);
        let wanted = match (granted, arm) {
            (true, _) => {
                let struck = [&STRIKE[..], &MARKS, &[OWN_ARM, OWN_EFFECT]].concat();
                with(attributes(&[RUN, TREATED, FAULT, POINT]), &struck)
            }
            (false, Arm::Treated) => attributes(&[RUN, TREATED, OWN_ARM, ("daybreak.treated", "true")]),
            (false, Arm::Control) => attributes(&[RUN, CONTROL, OWN_CONTROL]),
        };
        assert_eq!(own, wanted, "granted: {granted}, {arm:?}");
    }
}

#[test]
fn a_trace_has_all_of_its_evaluations_or_none_and_strikes_always() {
    const TRACES: usize = 400;
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
    let client = client(Telemetry::opentelemetry().share(0.25));
    grant(client.faults(), &[(1, true)], &effect());
    let context = Context::default();
    for _ in 0..TRACES {
        tracer.in_span("outer", |_| {
            let _ = client.bool("new-checkout", &context, false);
            tracer.in_span("inner", |_| {
                let _ = client.number("limit", &context, 0.0);
                let request = client.faults().open(root);
                request.scope().enter(|| assert!(ready(client.fault_point("payment.gateway")).is_err()));
            });
        });
    }
    let spans = ended.all();
    let told = |name: &str, event: &str| {
        let named = spans.iter().filter(|span| span.name == name);
        let told = named.filter(|span| span.events.iter().any(|told| told.name == event));
        told.map(|span| span.span_context.trace_id()).collect::<std::collections::HashSet<_>>()
    };
    let outer = told("outer", "feature_flag.evaluation");
    assert_eq!(outer, told("inner", "feature_flag.evaluation"));
    // Six standard deviations to each side: once in five hundred million.
    assert!((48..=152).contains(&outer.len()), "{}", outer.len());
    assert_eq!(told("inner", "daybreak.injection").len(), TRACES);
}

#[test]
fn a_trace_that_is_not_recorded_is_told_nothing() {
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOff);
    let client = client(Telemetry::opentelemetry());
    grant(client.faults(), &[(1, true)], &effect());
    pass(&client, &tracer, root());
    assert!(client.bool("new-checkout", &Context::default(), false), "without any span");
    assert!(ended.all().is_empty());
}

/// The layer makes its spans current in OpenTelemetry.
#[test]
fn spans_of_tracing_are_told_too() {
    let (ended, tracer) = Ended::tracer(Sampler::AlwaysOn);
    let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
    let client = client(Telemetry::opentelemetry());
    grant(client.faults(), &[(1, true)], &effect());
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("POST /checkout").entered();
        let request = client.faults().open(root);
        request.scope().enter(|| {
            assert!(client.bool("new-checkout", &Context::default(), false));
            assert!(ready(client.fault_point("payment.gateway")).is_err());
        });
        drop(span);
        assert_eq!(ended.all().len(), 1, "an open request holds no span open");
        drop(request);
    });
    let span = ended.of("POST /checkout");
    let own: Attributes = span.attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect();
    let wanted = [TREATED, RUN, ("feature_flag.key", "new-checkout"), ("daybreak.struck", "true")];
    for (name, value) in wanted {
        assert_eq!(own.get(name).map(String::as_str), Some(value), "{name}: {own:#?}");
    }
    let names: Vec<_> = span.events.iter().map(|event| event.name.to_string()).collect();
    assert_eq!(names, ["feature_flag.evaluation", "daybreak.draw", "daybreak.injection"]);
}
