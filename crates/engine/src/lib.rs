//! Daybreak's engine: it turns resources into an immutable [`Snapshot`] and answers from it.
//!
//! One engine serves everywhere: the server, the SDK, OFREP and `daybreak eval` give the same variant for the
//! same flag, context and revision. Evaluating takes no lock, makes no shared write and allocates nothing.
//!
//! This crate does no I/O, reads no clock and owns no randomness.

mod assemble;
pub mod bucket;
mod bytes;
mod code;
mod cost;
mod detail;
mod evaluate;
mod explain;
mod flags;
mod index;
mod joined;
mod matcher;
mod operand;
mod program;
mod rare;
mod run;
mod segments;
mod snapshot;
mod text;
mod time;
mod truth;
mod value;

pub use detail::Detail;
pub use explain::{Explanation, PrerequisiteTrace, RuleOutcome, RuleTrace};
pub use run::{Failure, Run, RunError, Strike, key_hash};
pub use snapshot::{FlagIndex, FlagInfo, Snapshot, compile};
pub use truth::Truth;
pub use value::ValueRef;
