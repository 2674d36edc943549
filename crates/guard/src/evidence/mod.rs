//! What a run shows: harm, resilience, or neither yet.
//!
//! All of it is computed from cumulative counts ([`counts`]), and all of it may be looked at as often as one likes:
//! each statement holds at every look at once, so a run may be stopped at any of them.
//!
//! * [`harm`]: does the treated arm do worse? An e-value, which aborts a run;
//! * [`ratio`]: do the arms come out as drawn? Another, which tells that the instrumentation is broken;
//! * [`resilience`]: how much harm is still possible, at most and at least, and how many more requests would tell;
//! * [`interval`]: the rate of bad outcomes in one arm, as an interval;
//! * [`quantile`]: how long requests take in one arm, likewise;
//! * [`verdict`]: the conclusion, with its reason.
//!
//! The formulae, their sources and what simulation says of them stand in docs/statistics.md.

pub mod counts;
pub mod harm;
pub mod interval;
mod mixture;
pub mod quantile;
pub mod ratio;
pub mod resilience;
pub mod verdict;

pub use counts::{Arms, GuardedMetric, Outcomes, Stage};
pub use interval::Interval;
pub use verdict::{Because, Evidence, Finding};

#[cfg(test)]
mod tests;
