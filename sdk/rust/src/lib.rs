//! Daybreak's client: it evaluates flags locally, passes fault points, and reports.
//!
//! ```no_run
//! use daybreak_sdk::{Client, Context};
//!
//! # fn main() -> Result<(), daybreak_sdk::BuildError> {
//! let client = Client::builder("http://localhost:8080").service("shop").build()?;
//! let context = Context::new("user-7").with("country", "DE");
//! if client.bool("new-checkout", &context, false) {
//!     // the rewritten checkout
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The client never hurts its host: it has a thread and a connection of its own, evaluating waits for nothing,
//! and a server that is lost costs nothing. Flags keep their last values for ever; faults stop with their lease.

mod acknowledgements;
mod affected;
mod at_hand;
mod builder;
mod client;
mod core;
mod counters;
mod current;
mod detail;
mod errand;
pub mod faults;
mod flag;
mod latch;
mod listeners;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod middleware;
#[cfg(feature = "openfeature")]
pub mod openfeature;
mod reported;
pub mod scope;
mod served;
mod telemetry;
mod test_client;
mod unknown;
mod usage;
mod worker;

/// The page on the SDK, whose examples have to compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk.md")]
struct Page;

pub use builder::{BuildError, Builder};
pub use client::{Client, Evaluation, Status};
pub use daybreak_engine::ValueRef;
pub use daybreak_model::wire::ClientState;
pub use daybreak_model::{Context, ContextValue, ErrorCode, Key, KeyError, Reason, Value};
pub use detail::Detail;
pub use faults::{Faults, InjectedFault, Pass, Point};
pub use flag::{Flag, FlagType};
pub use scope::{HasOutcome, Outcome, Scope};
pub use telemetry::Telemetry;
pub use test_client::TestClient;
