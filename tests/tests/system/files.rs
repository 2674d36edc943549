//! Files and curl together.

use anyhow::{Result, ensure};
use daybreak_tests::{Server, eventually};
use serde_json::Value;

const DOCUMENT: &str = "flags:\n  feature: { default: on, owner: payments }\n";

fn feature(server: &Server) -> Result<Value> {
    server.get("/api/v1/flags/feature")?.expect_status(200)?.json()
}

/// Waits until the flag's field has this value, wherever the answer keeps the resource.
fn wait_for(server: &Server, field: &str, value: &str) -> Result<()> {
    eventually(&format!("{field}: {value}"), || {
        let body = feature(server)?.to_string();
        let found = body.contains(&format!("\"{field}\":{value}"));
        if found { Ok(()) } else { Err(anyhow::anyhow!(body)) }
    })
}

#[test]
fn an_edit_is_applied() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    server.write("flags.yaml", &DOCUMENT.replace("payments", "storefront"))?;
    wait_for(&server, "owner", "\"storefront\"")
}

#[test]
fn a_toggle_survives_an_unrelated_edit() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    server.write("flags.yaml", &DOCUMENT.replace("payments", "storefront"))?;
    wait_for(&server, "owner", "\"storefront\"")?;
    wait_for(&server, "enabled", "false")
}

#[test]
fn a_field_that_the_file_changes_wins() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    server.write("flags.yaml", &DOCUMENT.replace("owner", "enabled: false, owner"))?;
    server.write("more.yaml", "flags:\n  other: { default: off }\n")?;
    eventually("the second file", || server.get("/api/v1/flags/other")?.expect_status(200))?;
    server.write("flags.yaml", &DOCUMENT.replace("owner", "enabled: true, owner"))?;
    eventually("the file's word", || {
        let body = feature(&server)?.to_string();
        if body.contains("\"enabled\":false") { Err(anyhow::anyhow!(body)) } else { Ok(()) }
    })
}

#[test]
fn invariant_9_a_broken_edit_changes_nothing() -> Result<()> {
    let mut server = Server::start(DOCUMENT)?;
    let before = server.state()?;
    server.write("flags.yaml", "flags:\n  feature: { default: on, percentage: 120% }\n")?;
    let log = eventually("the refusal in the log", || {
        let log = server.process().output();
        if log.contains("flags.yaml") && log.contains("percentage") { Ok(log) } else { Err("nothing yet") }
    })?;
    ensure!(log.contains(":2:") || log.contains("line 2"), "the place is missing: {log}");
    assert_eq!(server.state()?, before);

    server.write("flags.yaml", &DOCUMENT.replace("payments", "storefront"))?;
    wait_for(&server, "owner", "\"storefront\"")
}
