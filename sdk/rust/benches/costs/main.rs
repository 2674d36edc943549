//! What the SDK costs its host, as tables: counting an evaluation, a request in the middleware, the time until the first flag,
//! and memory by flags and by the ids of a segment.
//!
//! Times of evaluations and requests are what the thread itself worked, of rounds that take turns; those of a start are the
//! wall's. Bytes are those that were asked of the allocator.

#![allow(unsafe_code, reason = "a global allocator that counts can only be written with it; it adds nothing else")]

mod beginning;
mod counting;
mod held;
mod middleware;
mod plots;
mod rows;
mod snapshots;
#[path = "../measure/work.rs"]
mod work;

fn main() -> anyhow::Result<()> {
    counting::measure()?;
    middleware::measure()?;
    let mut plots = beginning::flags()?;
    plots.extend(beginning::ids()?);
    plots::write(&plots)
}
