//! Many change things at once.

use std::time::Duration;

use anyhow::{Result, ensure};
use daybreak_tests::load;

/// The benchmark `changes` does the same for a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_lost_and_none_is_seen_by_half() -> Result<()> {
    let load = load::changes(40, Duration::from_secs(2)).await?;
    ensure!(load.changes > 0 && load.reads > 0, "nothing was tried: {load:?}");
    ensure!(load.syncs > 0, "nothing was forced to disk: {load:?}");
    Ok(())
}
