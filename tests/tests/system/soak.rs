//! The short form of `cargo xtask soak`.

use anyhow::{Result, ensure};
use daybreak_tests::Soak;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_follow_a_hundred_changes() -> Result<()> {
    let followers = env!("CARGO_BIN_EXE_followers").into();
    let soak = Soak { clients: 200, sdks: 1, changes: 100, pace: 20, evaluations: 50, followers };
    let outcome = soak.run(|_| {}).await?;
    println!("{outcome}");
    // How fast it is beside other tests says nothing; that all of it arrives, and nothing fails, does.
    ensure!(outcome.errors.is_empty(), "{:#?}", outcome.errors);
    ensure!(outcome.was_of(100), "not everything was tried: {outcome}");
    Ok(())
}
