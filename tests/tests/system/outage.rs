//! What applications do while the server is away.

use anyhow::{Result, anyhow, ensure};
use daybreak_tests::{Server, eventually};

use crate::shop::Shop;

const DOCUMENT: &str = r#"
slos:
  search: { objective: 99%, window: 28d, sli: { operation: "GET /search", good: { status: "<500" } } }
"#;

fn counted(server: &Server) -> Result<u64> {
    let budget = server.get("/api/v1/slos/search/status")?.expect_status(200)?.json()?;
    budget["total"].as_u64().ok_or_else(|| anyhow!("{budget}"))
}

/// How many reports the shop has sent.
fn reports(server: &Server) -> Result<u64> {
    let clients = server.get("/api/v1/clients")?.expect_status(200)?.json()?;
    clients["clients"][0]["sequence"].as_u64().ok_or_else(|| anyhow!("{clients}"))
}

/// Waits until the budget knows exactly so many requests.
fn known(server: &Server, requests: u64) -> Result<()> {
    eventually(&format!("{requests} requests in the budget"), || match counted(server)? {
        count if count == requests => Ok(()),
        count => Err(anyhow!("{count}")),
    })
}

#[test]
fn requests_of_the_time_when_the_server_was_away_are_in_the_budget() -> Result<()> {
    let mut server = Server::with(DOCUMENT, &[])?;
    let open = Shop::open(&server.url(""))?;
    // It counts from the answer on that tells it of the SLO.
    eventually("the first request in the budget", || {
        open.search(1)?;
        let count = counted(&server)?;
        ensure!(count > 0, "none yet");
        Ok(count)
    })?;
    let last = reports(&server)?;
    eventually("a report with all of them", || {
        let now = reports(&server)?;
        // One more may have been under way.
        ensure!(now > last + 1, "{now}");
        Ok(now)
    })?;
    let before = counted(&server)?;
    open.search(30)?;
    known(&server, before + 30)?;

    server.process().terminate()?;
    server.process().wait()?;
    open.search(40)?;
    server.start_again()?;
    known(&server, before + 70)?;
    open.search(10)?;
    known(&server, before + 80)?;
    Ok(())
}
