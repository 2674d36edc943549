//! `soak MINUTES CLIENTS CHANGES` soaks the real server, prints what came of it, and fails where it was not as it should
//! be. Where `DAYBREAK_PLOTS` names a folder, it writes `soak.json` there, for plots.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use daybreak_tests::Soak;

/// Evaluations by OFREP, a second.
const EVALUATIONS: u32 = 50;
/// Clients with the real SDK.
const SDKS: usize = 3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |what| arguments.next().context(what)?.parse::<u32>().context(what);
    let minutes = number("the minutes come first")?;
    let clients = number("the number of clients comes second")? as usize;
    let pace = number("the changes a second come third")?;
    let changes = minutes.saturating_mul(60).saturating_mul(pace);
    let followers = std::env::current_exe()?.with_file_name("followers");
    let soak = Soak { clients, sdks: SDKS, changes, pace, evaluations: EVALUATIONS, followers };
    let outcome = soak.run(|how| eprintln!("{how}")).await?;
    println!("{outcome}");
    if let Some(folder) = std::env::var_os("DAYBREAK_PLOTS") {
        let file = PathBuf::from(folder).join("soak.json");
        std::fs::write(&file, outcome.plots().to_string()).with_context(|| file.display().to_string())?;
    }
    let failures = outcome.failures();
    if !failures.is_empty() {
        bail!("it was not as it should be:\n- {}", failures.join("\n- "));
    }
    Ok(())
}
