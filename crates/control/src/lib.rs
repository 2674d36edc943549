//! Control: the one place of every change.
//!
//! The API, the dashboard, files, schedules and the guard all change things through here: each change is
//! checked, committed, audited and broadcast. It knows no HTTP.

mod actor;
pub mod clock;
mod options;
mod views;

pub use actor::{Actor, Precondition};
pub use options::{Options, OptionsError};
pub use views::{ClientView, FaultPointView, HaltView, RunCounts, RunView, StartRequest};
