//! The dead man's switch: whatever breaks, nothing is injected outside a lease, and flags stay as they were.
//!
//! A lease counts from the moment a report was sent, which is before whatever broke. So no pass that *begins* later
//! than the break plus one lease may be struck; that it ends later is no matter, nor how busy the machine is.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use daybreak_tests::{BootTime, Proxy, Server, eventually};

use crate::application::{Application, BROKEN, start, wait_until};

const LEASE: Duration = Duration::from_secs(3);
const OPTIONS: &[&str] = &["--lease", "3s", "--max-blast-radius", "100%"];
/// How much longer than the lease things stay broken.
const LONGER: Duration = Duration::from_secs(1);
/// How long a process is suspended, or a proxy holds what it has: ten leases.
const HELD: Duration = Duration::from_secs(30);

/// A server and an application whose every pass is struck.
fn broken() -> Result<(Server, Application)> {
    let server = Server::with(BROKEN, OPTIONS)?;
    let application = struck(&server, &server.url(""))?;
    Ok((server, application))
}

/// The same, with a proxy between them.
fn broken_behind_a_proxy() -> Result<(Server, Proxy, Application)> {
    let server = Server::with(BROKEN, OPTIONS)?;
    let proxy = Proxy::to(server.address())?;
    let application = struck(&server, &proxy.url())?;
    Ok((server, proxy, application))
}

/// An application that is being struck.
fn struck(server: &Server, url: &str) -> Result<Application> {
    let application = Application::start(url)?;
    start(server, "")?;
    application.wait_for("a strike", |pass| pass.struck)?;
    Ok(application)
}

/// Waits for unharmed passes after the lease's end, and that none after it was struck.
fn inert_after(application: &Application, end: BootTime) -> Result<()> {
    application.wait_for_pass_after(end + LONGER)?;
    let struck = application.struck_after(end);
    ensure!(struck.is_empty(), "struck outside the lease, which ended at {end:?}: {struck:#?}");
    Ok(())
}

#[test]
fn invariant_2_a_server_that_is_killed() -> Result<()> {
    let (mut server, application) = broken()?;

    server.process().kill()?;
    let killed = BootTime::now();
    inert_after(&application, killed + LEASE)?;
    let last = application.wait_for_pass_after(killed + LEASE)?;
    ensure!(last.feature, "the flag lost its value with the server");

    server.restart()?;
    let restarted = BootTime::now();
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    application.wait_for("the toggle after the restart", |pass| pass.began > restarted && !pass.feature)?;
    inert_after(&application, killed + LEASE)
}

#[test]
fn invariant_2_a_process_that_was_suspended() -> Result<()> {
    let (mut server, application) = broken()?;

    application.process().suspend()?;
    let suspended = BootTime::now();
    server.process().kill()?;
    wait_until(suspended + HELD)?;
    application.process().resume()?;
    inert_after(&application, suspended + LEASE)
}

#[test]
fn invariant_2_a_proxy_that_holds_and_releases() -> Result<()> {
    let (server, proxy, application) = broken_behind_a_proxy()?;

    proxy.hold();
    let held = BootTime::now();
    inert_after(&application, held + LEASE)?;
    wait_until(held + HELD)?;
    // What is on its way now tells of a run that has ended.
    server.post("/api/v1/faults/broken/stop", "")?.expect_status(200)?;
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    proxy.release();
    application.wait_for("the toggle after the release", |pass| !pass.feature)?;
    inert_after(&application, held + LEASE)
}

#[test]
fn invariant_2_a_stream_that_stalls_while_reports_pass() -> Result<()> {
    let (server, proxy, application) = broken_behind_a_proxy()?;

    proxy.stall_streams();
    let stalled = BootTime::now();
    application
        .wait_for("a strike under a lease that reports renewed", |pass| pass.struck && pass.began > stalled + LEASE)?;
    server.post("/api/v1/faults/broken/stop", "")?.expect_status(200)?;
    let stopped = BootTime::now();
    inert_after(&application, stopped + LEASE)?;
    proxy.release();
    inert_after(&application, stopped + LEASE)
}

#[test]
fn invariant_2_polling() -> Result<()> {
    let mut server = Server::with(BROKEN, OPTIONS)?;
    let proxy = Proxy::to(server.address())?;
    // A proxy that swallows streams.
    proxy.stall_streams();
    let application = struck(&server, &proxy.url())?;
    application.wait_for("the flags", |pass| pass.feature)?;
    eventually("polling", || {
        let clients = server.get("/api/v1/clients")?.body;
        if clients.contains("\"polling\"") { Ok(()) } else { Err(anyhow!(clients)) }
    })?;
    let polling = BootTime::now();
    application.wait_for("a strike while it polls", |pass| pass.struck && pass.began > polling)?;

    server.process().kill()?;
    let killed = BootTime::now();
    inert_after(&application, killed + LEASE)
}
