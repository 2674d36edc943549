//! Daybreak's nouns.
//!
//! Every other crate speaks in these types. They are checked when they are made, so that a value of one of
//! them is always in range: a [`Percentage`] is never 120 %, a [`Pattern`] always compiles.
//!
//! Three forms of the same resource exist, and only one of them lives here:
//!
//! * the **document** form, which people write: strict, with positions; `daybreak-document` reads and writes it;
//! * the **wire** form, which programs exchange: the derived serde form of these types inside the envelopes of
//!   [`wire`]. It ignores unknown fields, so that an older SDK understands a newer server;
//! * the **compiled** form, which evaluates: `daybreak-engine`.
//!
//! This crate does no I/O, reads no clock and owns no randomness.

pub mod condition;
mod context;
mod draw_key;
mod effect;
mod event_kind;
mod fault;
mod flag;
mod hours;
mod key;
mod keys;
pub mod limits;
pub mod metadata;
mod millis;
mod pattern;
mod percentage;
mod ramp;
mod reason;
mod resources;
mod run;
mod same_bytes;
mod scalar;
mod shared_map;
mod shown_name;
mod slo;
mod value;
mod values;
mod version;
pub mod wire;
mod word;

pub use condition::Condition;
pub use context::{Attribute, Context, ContextError, ContextValue, TARGETING_KEY};
pub use draw_key::{DrawKey, DrawKeyError};
pub use effect::{Distribution, Effect, ErrorEffect, Hang, Latency};
pub use event_kind::{EventKind, Verb};
pub use fault::{DrawBy, Fault, Guard, GuardPolicy, Schedule, StopWhen};
pub use flag::{Flag, Rule, Segment, Serve};
pub use hours::{DateRange, Hours, TimeSpan, Weekdays};
pub use key::{Key, KeyError};
pub use keys::{KeyHash, KeyHashError, KeyHashes, KeySketch, SKETCH_HASHES_MAX};
pub use millis::{Millis, MillisError};
pub use pattern::{Pattern, PatternError};
pub use percentage::{Percentage, PercentageError};
pub use ramp::{RAMP_STEPS_MAX, Ramp, RampError, RampStep};
pub use reason::{ErrorCode, Reason};
pub use resources::{Kind, Reference, Resources};
pub use run::{Arm, Cause, Ended, InstanceId, RunId, RunIdError, Verdict};
pub use same_bytes::same_bytes;
pub use scalar::Scalar;
pub use shared_map::{SharedIntoIter, SharedIter, SharedMap};
pub use shown_name::shown_name;
pub use slo::{Freeze, Good, Indicator, OnCall, PageMatch, PrometheusQueries, Slo, StatusBound, Window};
pub use value::{Value, ValueType};
pub use values::{ScalarRef, TooManyValues, Values, ValuesBuilder};
pub use version::{Version, VersionComparator, VersionError, VersionRange};
pub use word::{is_long_word, name_word, short_word};
