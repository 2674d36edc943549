//! What people read of a run, alike in its report and in the terminal: numbers, effects, and a run as the API tells of
//! it. Runs outlive versions of the server, so nothing of it needs to be there.

mod effect;
mod latency;
mod seen;

pub use daybreak_guard::readable::{e_value, percent, short};
pub use effect::effect;
pub use latency::{Bounds, Latencies, Latency};
pub use seen::{Arm, Evidence, Harm, Interval, Moment, Seen, Spent, Stage, Warning};
