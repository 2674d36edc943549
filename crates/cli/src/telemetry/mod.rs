//! Where the server's traces and logs go: traces to a collector by OTLP where the environment names one, logs to standard
//! error.

mod log;

use std::time::Duration;

use anyhow::{Context, bail};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, filter};

use crate::args::Serve;

/// What the spans of a trace come from.
const SCOPE: &str = "daybreak";
/// The target of spans that are for traces, and not for the log.
const TRACE_TARGET: &str = daybreak_control::TRACE_TARGET;
/// How long the end of the server waits for spans to leave.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// Variables that name a collector; the first that is set counts.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// Variables that name how it is spoken to; the first that is set counts.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// What chooses the traces that are kept, and what each of it may be given.
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];
/// The one way in which it is spoken to.
const PROTOCOL: &str = "http/protobuf";

/// What is to be flushed in the end.
#[derive(Debug)]
pub(crate) struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Sets up the log, and traces where a collector is named. To be called once.
    ///
    /// # Errors
    /// When an option or a variable cannot be used.
    pub(crate) fn start(options: &Serve) -> anyhow::Result<Self> {
        let provider = provider(options)?;
        // Callers' traces are named in the log also where none are kept.
        global::set_text_map_propagator(TraceContextPropagator::new());
        let spans = provider.as_ref().map(|provider| {
            let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(SCOPE));
            let layer =
                layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_target(false);
            layer.with_filter(filter::filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACE_TARGET))
        });
        if let Some(provider) = &provider {
            global::set_tracer_provider(provider.clone());
        }
        let log = log::layer(options)?;
        tracing_subscriber::registry().with(spans).with(log).init();
        Ok(Self(provider))
    }

    /// Whether traces are kept.
    pub(crate) fn traces(&self) -> bool {
        self.0.is_some()
    }

    /// Sends what is left, but does not wait long for a collector that is slow or gone.
    pub(crate) fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_WAIT)
        {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// What makes and sends spans; nothing where no collector is named, or spans are switched off.
fn provider(options: &Serve) -> anyhow::Result<Option<SdkTracerProvider>> {
    let Some((variable, endpoint)) = first(&ENDPOINTS) else { return Ok(None) };
    let is = |variable: &str, value: &str| set(variable).is_some_and(|set| set.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        bail!("{variable}: `{endpoint}` is no URL of a collector; write `http://localhost:4318`");
    }
    if let Some((variable, protocol)) = first(&PROTOCOLS).filter(|(_, protocol)| protocol != PROTOCOL) {
        bail!("{variable}: `{protocol}` is not spoken; write `{PROTOCOL}`, which collectors take at port 4318");
    }
    check_sampler(set(SAMPLER).as_deref(), set(SAMPLER_ARG).as_deref())?;
    let exporter = SpanExporter::builder().with_http().build();
    let exporter = exporter.with_context(|| format!("no traces can be sent to `{endpoint}` ({variable})"))?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource(options)).build();
    Ok(Some(provider))
}

/// OpenTelemetry's SDK would keep all traces where it cannot read this, and say nothing.
fn check_sampler(sampler: Option<&str>, arg: Option<&str>) -> anyhow::Result<()> {
    let Some(sampler) = sampler else { return Ok(()) };
    if !SAMPLERS.contains(&sampler) {
        bail!("{SAMPLER}: `{sampler}` is no sampler; write one of {}", SAMPLERS.join(", "));
    }
    let is_share = |arg: &str| arg.parse().is_ok_and(|share: f64| (0.0..=1.0).contains(&share));
    match arg {
        Some(arg) if sampler.ends_with("ratio") && !is_share(arg) => {
            bail!("{SAMPLER_ARG}: `{arg}` is no share; write a number from 0 to 1, as `0.01`")
        }
        _ => Ok(()),
    }
}

/// What the spans are of. What the environment says of it counts.
fn resource(options: &Serve) -> Resource {
    let own = [
        KeyValue::new("service.name", SCOPE),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("deployment.environment.name", options.environment.clone()),
    ];
    let resource = Resource::builder_empty().with_attributes(own);
    let resource = resource.with_detector(Box::new(TelemetryResourceDetector));
    let resource = resource.with_detector(Box::new(EnvResourceDetector::new()));
    match set("OTEL_SERVICE_NAME") {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// The first of these variables that is set, and to what.
fn first(variables: &[&'static str]) -> Option<(&'static str, String)> {
    variables.iter().find_map(|variable| Some((*variable, set(variable)?)))
}

/// What a variable is set to. Empty is not set, as OpenTelemetry has it.
fn set(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampler_that_cannot_be_read_is_refused() {
        let refused = |sampler, arg| check_sampler(sampler, arg).err().map(|error| error.to_string());
        for (sampler, arg) in [
            (None, None),
            (None, Some("7")),
            (Some("always_on"), Some("7")),
            (Some("traceidratio"), None),
            (Some("parentbased_traceidratio"), Some("0.01")),
            (Some("traceidratio"), Some("1")),
        ] {
            assert_eq!(refused(sampler, arg), None, "{sampler:?} {arg:?}");
        }
        assert!(
            refused(Some("foo"), None).unwrap().starts_with("OTEL_TRACES_SAMPLER: `foo` is no sampler; write one of")
        );
        for arg in ["7", "-0.1", "many", "NaN"] {
            let expected =
                format!("OTEL_TRACES_SAMPLER_ARG: `{arg}` is no share; write a number from 0 to 1, as `0.01`");
            assert_eq!(refused(Some("parentbased_traceidratio"), Some(arg)), Some(expected));
        }
    }
}
