//! Daybreak over HTTP.
//!
//! This crate is thin: a handler parses, calls `daybreak-control`, and answers. It decides nothing about flags
//! or faults, and keeps nothing.

pub mod access;
pub mod admission;
pub mod answer;
pub mod api;
pub mod app;
pub mod bodies;
pub mod body;
pub mod caller;
pub mod cors;
pub mod credentials;
pub mod door;
mod encoding;
pub mod etag;
pub mod front;
pub mod limits;
mod long_answers;
pub mod metrics;
pub mod offload;
pub mod ofrep;
pub mod openapi;
mod passage;
mod pieces;
pub mod problem;
pub mod rates;
pub mod readable;
pub mod refusal;
pub mod report;
pub mod roles;
pub mod room;
pub mod routes;
pub mod serve;
pub mod stream;
pub mod telemetry;
pub mod tls;

pub use app::{Shared, app, document};
pub use cors::{Origin, Origins};
pub use door::Capacity;
pub use offload::Offload;
pub use problem::{Code, Problem};
pub use rates::RateLimits;
pub use serve::serve;
pub use tls::{Tls, TlsError, TlsFiles};
