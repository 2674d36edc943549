//! What an evaluation costs that is told to traces: nobody asks for it; it is counted, as all are; nobody records it; it
//! becomes an event and attributes of a span. All of them take turns, so that what else the machine does falls on each.

#![allow(unsafe_code, reason = "a global allocator that counts can only be written with it; it adds nothing else")]

use std::hint::black_box;
use std::time::Duration;

use daybreak_sdk::{Context, Flag, Telemetry, TestClient};
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanProcessor};
use tracing_subscriber::layer::SubscriberExt;

mod measure;

/// Takes spans, and lets them go: what it costs to make them is the subject, not to send them.
#[derive(Debug)]
struct Nowhere;

impl SpanProcessor for Nowhere {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}
    fn on_end(&self, span: SpanData) {
        drop(black_box(span));
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Rounds of each row, and repetitions in one.
const ROUNDS: usize = 41;
const TIMES: u64 = 20_000;

struct Row<'w> {
    name: &'static str,
    work: Box<dyn FnMut() + 'w>,
    nanos: Vec<f64>,
    allocations: f64,
}

impl<'w> Row<'w> {
    fn new(name: &'static str, work: impl FnMut() + 'w) -> Self {
        Self { name, work: Box::new(work), nanos: Vec::new(), allocations: 0.0 }
    }

    fn round(&mut self) {
        let (allocated, began) = (measure::allocations(), measure::worked());
        (0..TIMES).for_each(|_| (self.work)());
        let took = measure::worked().saturating_sub(began);
        self.nanos.push(took.as_nanos() as f64 / TIMES as f64);
        self.allocations = (measure::allocations() - allocated) as f64 / TIMES as f64;
    }

    fn print(&mut self) {
        self.nanos.sort_by(f64::total_cmp);
        let at = |part: usize| self.nanos.get(self.nanos.len() * part / 10).copied().unwrap_or_default();
        let (name, median, low, high, allocations) = (self.name, at(5), at(1), at(9), self.allocations);
        println!("| {name} | {median:.1} | {low:.1} to {high:.1} | {allocations:.2} |");
    }
}

fn measure(rows: &mut [Row<'_>]) {
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(Row::round);
    }
}

fn client(telemetry: Option<Telemetry>) -> TestClient {
    let client = telemetry.map_or_else(TestClient::new, TestClient::with_telemetry);
    // The key is good.
    let _ = client.set("new-checkout", true);
    client
}

fn main() {
    let clients = [
        None,
        Some(Telemetry::tracing()),
        Some(Telemetry::opentelemetry()),
        Some(Telemetry::tracing().share(0.01)),
        Some(Telemetry::opentelemetry().share(0.01)),
    ]
    .map(client);
    let [off, tracing, otel, tracing_hundredth, otel_hundredth] =
        clients.each_ref().map(|client| client.flag::<bool>("new-checkout"));
    let context = &Context::new("user-7");
    let get = move |flag: &Flag<bool>| {
        black_box(flag.get(black_box(context), false));
    };

    // Before anything subscribes: from then on nobody can be sure that he is not heard.
    let mut unrecorded = [
        Row::new("off, by handle; counted, as all are", || get(&off)),
        Row::new("off, by key", || {
            black_box(clients[0].bool(black_box("new-checkout"), context, false));
        }),
        Row::new("`tracing`, nobody subscribes", || get(&tracing)),
        Row::new("OpenTelemetry, no span", || get(&otel)),
    ];
    measure(&mut unrecorded);

    let provider = SdkTracerProvider::builder().with_span_processor(Nowhere).build();
    let tracer = provider.tracer("bench");
    let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer.clone()));
    let dispatch = tracing::Dispatch::new(subscriber);
    let in_otel = |flag: Option<&Flag<bool>>| tracer.in_span("request", |_| flag.into_iter().for_each(get));
    let in_tracing = |flag: Option<&Flag<bool>>| {
        tracing::dispatcher::with_default(&dispatch, || {
            let span = tracing::info_span!(
                "request",
                feature_flag.key = tracing::field::Empty,
                feature_flag.provider.name = tracing::field::Empty,
                feature_flag.result.variant = tracing::field::Empty,
                feature_flag.result.reason = tracing::field::Empty,
            );
            span.in_scope(|| flag.into_iter().for_each(get));
        });
    };
    let mut recorded = [
        Row::new("`tracing`, somebody subscribes elsewhere", || get(&tracing)),
        Row::new("a span of OpenTelemetry alone", || in_otel(None)),
        Row::new("… with an evaluation, off", || in_otel(Some(&off))),
        Row::new("… told in 1 % of traces", || in_otel(Some(&otel_hundredth))),
        Row::new("… told: an event and the span's attributes", || in_otel(Some(&otel))),
        Row::new("a span of `tracing` alone, to OpenTelemetry", || in_tracing(None)),
        Row::new("… with an evaluation, off", || in_tracing(Some(&off))),
        Row::new("… told in 1 % of requests", || in_tracing(Some(&tracing_hundredth))),
        Row::new("… told: an event and the span's fields", || in_tracing(Some(&tracing))),
    ];
    measure(&mut recorded);
    println!("| one evaluation | ns, median | eight of ten rounds | allocations |\n|---|---|---|---|");
    unrecorded.iter_mut().for_each(Row::print);
    recorded.iter_mut().for_each(Row::print);

    let mut scrape = Row::new("all metrics of the client, as OpenMetrics text", || {
        black_box(clients[0].metrics());
    });
    for _ in 0..5 {
        scrape.round();
    }
    scrape.print();
}
