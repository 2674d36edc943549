//! Asks any server whether it speaks OFREP 0.3.0, the OpenFeature remote evaluation protocol, as it is specified.
//!
//! The server holds the flags of `fixture/`. Each check names the paragraph of the specification that it holds the server
//! to, and says whether that demands it, or whether published clients need it although nothing demands it.

mod access;
mod bulk;
mod events;
mod report;
mod shape;
mod single;
mod sse;
mod target;

use std::time::Duration;

pub use report::{Check, Demand, Outcome, Report};
pub use target::{Options, Target};

/// How long anything that a server is asked for may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Takes every check.
///
/// # Errors
/// When the server cannot be reached at all, or cannot be switched as it was said to be.
pub async fn run(options: Options) -> anyhow::Result<Report> {
    let target = Target::new(options)?;
    target.reach().await?;
    let mut report = Report::default();
    single::run(&target, &mut report).await;
    bulk::run(&target, &mut report).await;
    events::run(&target, &mut report).await;
    access::run(&target, &mut report).await;
    Ok(report)
}
