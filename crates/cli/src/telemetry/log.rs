//! The log: lines of text or of JSON, each with the trace that it belongs to.

use std::fmt;

use anyhow::Context as _;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{FilterExt, LevelFilter};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, filter};

use super::TRACE_TARGET;
use crate::args::{LogFormat, Serve};
use crate::style::is_colored;

/// A layer of this kind of subscriber.
type Boxed<S> = Box<dyn Layer<S> + Send + Sync>;

/// What writes the log.
///
/// # Errors
/// When the filter cannot be read.
pub(super) fn layer<S>(options: &Serve) -> anyhow::Result<Boxed<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let wanted = EnvFilter::try_new(&options.log).with_context(|| format!("`{}` is no log filter", options.log))?;
    // Spans of traces go to the collector; a line is not to be longer for them.
    let not_traces = filter::filter_fn(|metadata| !(metadata.is_span() && metadata.target() == TRACE_TARGET));
    // It says so lest every line that is not wanted, of which the HTTP library has some for each request, be looked at.
    let not_traces = not_traces.with_max_level_hint(LevelFilter::TRACE);
    let color = is_colored(&std::io::stderr());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(color);
    let lines: Boxed<S> = match options.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.fmt_fields(JsonFields::new()).event_format(Traced(Format::default().json())).boxed(),
    };
    Ok(lines.with_filter(wanted.and(not_traces)).boxed())
}

/// Lines of JSON that say to what trace they belong, in the fields that OpenTelemetry gives logs in other formats.
struct Traced(Format<Json>);

impl<S, N> FormatEvent<S, N> for Traced
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let current = Context::current();
        let span = current.span().span_context().clone();
        if !span.is_valid() {
            return self.0.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        // What was written is an object: it goes on before its end.
        let line = line.trim_end();
        let Some(line) = line.strip_suffix('}') else { return writeln!(writer, "{line}") };
        let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags().to_u8());
        writeln!(writer, "{line},\"trace_id\":\"{trace}\",\"span_id\":\"{id}\",\"trace_flags\":\"{flags:02x}\"}}")
    }
}
