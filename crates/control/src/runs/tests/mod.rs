//! Runs over a clock moved by hand, and a store that hangs when told to.

mod end;
mod guarded;
mod kept;
mod lease;
mod prometheus;
mod reported;
mod start;
mod sticky;
mod stop;

use daybreak_guard::admission::RefusalCode;

use crate::Refusal;

/// The codes of what stands against a start.
fn codes(refusal: &Refusal) -> Vec<RefusalCode> {
    match refusal {
        Refusal::NotAdmitted { refusals, .. } => refusals.iter().map(|refusal| refusal.code).collect(),
        other => panic!("{other}"),
    }
}
