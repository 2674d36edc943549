//! The guard: whether a fault may run, for how long, and what ends it.
//!
//! Everything here is a function of state and time. The guard reads no clock, owns no randomness and does no
//! I/O: control feeds it with facts and does what it says.
//!
//! * [`hours`]: is a calendar open, and does a run fit before it closes?
//! * [`budget`]: how much of an error budget is left, and how fast it burns;
//! * [`admission`]: every reason that stands against a start, at once;
//! * [`run`]: the life of a run, from its start to its one end;
//! * [`clients`]: what clients report, as counters that duplicates and reorderings cannot spoil;
//! * [`traffic`]: how much of it there was over the last 15 minutes;
//! * [`blast_radius`]: how much of the traffic runs may touch, and whether they touch more;
//! * [`lease`]: whether a client may inject, and what;
//! * [`evidence`]: what a run shows: harm, resilience, or neither yet;
//! * [`people`]: how often people were paged, and whether that leaves room for a run;
//! * [`readable`]: numbers as people read them;
//! * [`schedule`]: when Daybreak starts a fault by itself;
//! * [`watch`]: what all of that means for a run that is active.

pub mod admission;
pub mod blast_radius;
pub mod budget;
pub mod clients;
pub mod evidence;
#[cfg(test)]
mod fixtures;
pub mod hours;
pub mod lease;
pub mod people;
pub mod readable;
pub mod run;
pub mod schedule;
mod span;
pub mod traffic;
pub mod watch;
