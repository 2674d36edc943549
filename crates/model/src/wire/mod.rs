//! What travels between server and SDK.
//!
//! These types ignore unknown fields. Resources travel in an [`Enveloped`] form that names the engine level
//! they need, and are decoded one by one, so that one that is too new spoils no other.

mod baggage;
mod keys;
mod lease;
mod outcome;
mod position;
mod report;
mod snapshot;

pub use baggage::{Baggage, BaggageDraw, UnreadableBaggage};
pub use keys::{ArmKeys, PointKeys, SketchWanted};
pub use lease::{Reply, RunGrant, RunSpec};
pub use outcome::{GOOD_DEFAULT, Measure, OPEN_MAX, SloCounts, deadline};
pub use position::{POSITION_HEADER, Position, PositionError, StoreId};
pub use report::{
    ArmCounts, ClientState, Evaluations, FaultSupport, Metric, OperationCounts, PointCounts, Report, Sdk,
};
pub use snapshot::{Change, EnvelopeError, Enveloped, Goodbye, Message, RunsChanged, Snapshot};
