//! Flags and faults in traces, attribute by attribute: through OpenTelemetry's own SDK, and through `tracing`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixtures;
mod opentelemetry;
mod tracing;
