//! One trace of a customer's order: what the shop asked of its flags, what struck it in the service behind, and how it fell
//! back. Its picture is in `docs/observability.md`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use daybreak_tests::{Server, eventually};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::collector::{Attributes, Collector, Told, attributes};
use crate::guard::begin;
use crate::shop::{Customers, Gateway, Shop};

const DOCUMENT: &str = r#"
flags:
  new-checkout: { default: on }
  payment-fallback: { default: on }
  gateway-timeout: { variants: { patient: 2000 }, off: patient, default: patient }
  search-banner: { variants: { none: "" }, off: none, default: none }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
slos:
  checkout: { objective: 95%, window: 28d, sli: { operation: "POST /checkout", good: { status: "<500", latency: "<10s" } } }
faults:
  charge-fails:
    point: gateway.charge
    percentage: 20%
    effect: { latency: 20ms, error: { status: 503 } }
    hours: always
    guard: { slo: checkout, min_budget: 0%, max_spend: 50%, harm: 5% }
    max_duration: 5m
"#;

/// The page that has the picture, and what is around it there.
const PAGE: &str = "../docs/observability.md";
const BEGIN: &str = "<!-- the trace: UPDATE=1 cargo test -p daybreak-tests --test system one_trace -->\n```text\n";
const END: &str = "```\n";

/// What differs from one run of the test to the next, or is of no interest here.
const LEFT_OUT: [&str; 9] = [
    "daybreak.run.id",
    "feature_flag.provider.name",
    "feature_flag.set.id",
    "feature_flag.version",
    "url.full",
    "shop.payment.failure",
    "http.request.method",
    "http.route",
    "error.type",
];
/// The same, of names that end with a run.
const OF_RUNS: [&str; 2] = ["daybreak.run.arm.", "daybreak.run.effect."];

/// An order of this trace: spans by their parent.
struct Trace(Vec<Told>);

impl Trace {
    fn children<'t>(&'t self, parent: &'t [u8]) -> Vec<&'t Told> {
        let mut children: Vec<&Told> = self.0.iter().filter(|told| told.span.parent_span_id == parent).collect();
        children.sort_by_key(|told| told.span.start_time_unix_nano);
        children
    }

    /// The picture: spans and events in their order, those inside others further in.
    fn draw(&self) -> String {
        let mut picture = String::new();
        for root in self.children(&[]) {
            self.draw_span(root, 0, &mut picture);
        }
        picture
    }

    fn draw_span(&self, told: &Told, depth: usize, picture: &mut String) {
        let service = told.resource.get("service.name").map_or("", String::as_str);
        line(picture, depth, &format!("{service}: {}", told.span.name), &told.attributes());
        let events = told.span.events.iter().map(|event| (event.time_unix_nano, Part::Event(event)));
        let children = self.children(&told.span.span_id);
        let spans = children.into_iter().map(|child| (child.span.start_time_unix_nano, Part::Span(child)));
        let mut parts: Vec<_> = events.chain(spans).collect();
        parts.sort_by_key(|(at, _)| *at);
        for (_, part) in parts {
            match part {
                Part::Span(child) => self.draw_span(child, depth + 1, picture),
                Part::Event(event) => {
                    line(picture, depth + 1, &format!("* {}", event.name), &attributes(&event.attributes));
                }
            }
        }
    }
}

enum Part<'t> {
    Span(&'t Told),
    Event(&'t opentelemetry_proto::tonic::trace::v1::span::Event),
}

fn line(picture: &mut String, depth: usize, what: &str, attributes: &Attributes) {
    let left_out = |name: &str| LEFT_OUT.contains(&name) || OF_RUNS.iter().any(|prefix| name.starts_with(prefix));
    let shown = attributes.iter().filter(|(name, _)| !left_out(name));
    let shown: Vec<String> = shown.map(|(name, value)| format!("{name}={value}")).collect();
    let margin = "    ".repeat(depth);
    picture.push_str(format!("{margin}{what}\n").as_str());
    for pair in shown {
        picture.push_str(&format!("{margin}        {pair}\n"));
    }
}

/// A whole trace of an order that was struck and whose payment was queued.
fn struck(collector: &Collector) -> Result<Trace> {
    eventually("a struck order", || {
        let mut traces: BTreeMap<Vec<u8>, Vec<Told>> = BTreeMap::new();
        for told in collector.spans() {
            traces.entry(told.span.trace_id.clone()).or_default().push(told);
        }
        let queued = |told: &Told| told.span.events.iter().any(|event| event.name == "payment queued");
        // Both tries, each with its two sides.
        traces.into_values().find(|spans| spans.len() == 5 && spans.iter().any(queued)).ok_or("none yet")
    })
    .map(Trace)
}

fn event(told: &Told, name: &str) -> Vec<Attributes> {
    let named = told.span.events.iter().filter(|event| event.name == name);
    named.map(|event| attributes(&event.attributes)).collect()
}

fn expected(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn one_trace_has_flags_fault_and_fall_back_over_two_services() -> Result<()> {
    let collector = Collector::start()?;
    let server = Server::with(DOCUMENT, &["--max-blast-radius", "50%", "--environment", "staging"])?;
    let gateway = Gateway::open_traced(&server.url(""), collector.url())?;
    let open = Shop::open_traced(&server.url(""), &gateway, collector.url())?;
    let _customers = Customers::of(&open)?;
    let run = begin(&server, "charge-fails")?;
    let trace = struck(&collector)?;
    ensure!(trace.0.iter().all(|told| told.span.trace_id == trace.0[0].span.trace_id), "one trace");

    // The root: asked by a customer, so that it has no parent.
    let roots = trace.children(&[]);
    let [root] = roots.as_slice() else { anyhow::bail!("{} roots", roots.len()) };
    ensure!(root.span.name == "POST /checkout" && root.span.kind() == SpanKind::Server, "{root:#?}");
    let wanted = expected(&[
        ("http.request.method", "POST"),
        ("http.route", "/checkout"),
        ("http.response.status_code", "200"),
        ("feature_flag.key", "gateway-timeout"),
        ("feature_flag.provider.name", "daybreak"),
        ("feature_flag.result.variant", "patient"),
        ("feature_flag.result.reason", "static"),
        ("feature_flag.set.id", "staging"),
        ("feature_flag.version", &root.attribute("feature_flag.version")),
        ("daybreak.flag.variant.gateway-timeout", "patient"),
        ("daybreak.flag.variant.payment-fallback", "on"),
        ("daybreak.flag.variant.new-checkout", "on"),
        ("daybreak.run.id", &run),
        ("daybreak.run.arm", "treated"),
        (&format!("daybreak.run.arm.{run}"), "treated"),
        ("daybreak.fault.key", "charge-fails"),
        ("daybreak.fault.point", "gateway.charge"),
        ("daybreak.treated", "true"),
    ]);
    ensure!(root.attributes() == wanted, "{root:#?}\nis not\n{wanted:#?}");
    let keys: Vec<_> =
        event(root, "feature_flag.evaluation").iter().map(|one| one["feature_flag.key"].clone()).collect();
    ensure!(keys == ["gateway-timeout", "payment-fallback", "new-checkout"], "{keys:?}");
    // Drawn once, by the root, for both tries.
    let draws: Vec<_> = trace.0.iter().flat_map(|told| event(told, "daybreak.draw")).collect();
    let drawn = expected(&[
        ("daybreak.run.id", &run),
        ("daybreak.run.arm", "treated"),
        ("daybreak.fault.key", "charge-fails"),
        ("daybreak.fault.point", "gateway.charge"),
    ]);
    ensure!(draws == [drawn.clone()] && event(root, "daybreak.draw") == draws, "{draws:#?}");

    let calls = trace.children(&root.span.span_id);
    ensure!(calls.len() == 2, "two tries: {calls:#?}");
    for call in calls {
        ensure!(call.span.kind() == SpanKind::Client && call.resource["service.name"] == "shop", "{call:#?}");
        ensure!(call.attribute("http.response.status_code") == "503", "{call:#?}");
        let behind = trace.children(&call.span.span_id);
        let [behind] = behind.as_slice() else { anyhow::bail!("{behind:#?}") };
        ensure!(behind.resource["service.name"] == "gateway" && behind.span.name == "POST /charges", "{behind:#?}");
        let strike = [("daybreak.fault.effect", "latency+error"), ("daybreak.fault.latency_ms", "20")];
        let mut injected = drawn.clone();
        injected.extend(expected(&strike));
        ensure!(event(behind, "daybreak.injection") == [injected.clone()], "{behind:#?}");
        injected.extend(expected(&[
            ("daybreak.treated", "true"),
            ("daybreak.struck", "true"),
            (&format!("daybreak.run.arm.{run}"), "treated"),
            (&format!("daybreak.run.effect.{run}"), "latency+error"),
            ("http.request.method", "POST"),
            ("http.route", "/charges"),
            ("http.response.status_code", "503"),
            ("error.type", "503"),
        ]));
        ensure!(behind.attributes() == injected, "{behind:#?}\nis not\n{injected:#?}");
    }
    printed(&trace.draw())
}

/// The page has this picture.
fn printed(picture: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no place for the trace")?;
    let (old, after) = rest.split_once(END).context("the trace has no end")?;
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{picture}{END}{after}"))?;
        return Ok(());
    }
    ensure!(old == picture, "docs/observability.md has another trace; UPDATE=1 prints this one:\n{picture}");
    Ok(())
}
