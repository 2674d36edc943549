//! The dead man's switch: whatever breaks, nothing is injected outside a lease, and flags stay as they were.
//!
//! A lease counts from the moment a report was sent, which is before whatever broke. So no pass that *begins* later
//! than the break plus one lease may be struck; that it ends later is no matter, nor how busy the machine is.
//!
//! Each test watches two applications at once, so that the long waits are shared: a small one that passes its fault
//! point every few milliseconds, and the real shop under its load, with middleware, retries and a fall-back queue.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{BootTime, Process, Proxy, Server, eventually};

use crate::application::{Application, BROKEN, start, wait_until};
use crate::shop::{Customers, Order, Shop};

const LEASE: Duration = Duration::from_secs(3);
const OPTIONS: &[&str] = &["--lease", "3s", "--max-blast-radius", "100%"];
/// How much longer than the lease things stay broken.
const LONGER: Duration = Duration::from_secs(1);
/// How long a process is suspended, or a proxy holds what it has: ten leases.
const HELD: Duration = Duration::from_secs(30);

/// Two applications whose every pass is struck.
struct Struck {
    application: Application,
    shop: Shop,
    customers: Customers,
}

impl Struck {
    /// Starts both, and the fault; waits until each has been struck.
    fn start(server: &Server, url: &str) -> Result<Self> {
        let (application, shop) = (Application::start(url)?, Shop::open(url)?);
        let customers = Customers::of(&shop)?;
        let applications = Self { application, shop, customers };
        applications.have_flags(true, BootTime::from_micros(0))?;
        eventually("both to report", || {
            let clients = server.get("/api/v1/clients")?.body;
            let known = clients.contains("\"application\"") && clients.contains("\"shop\"");
            if known { Ok(()) } else { Err(anyhow!(clients)) }
        })?;
        start(server, "")?;
        applications.are_struck_after(BootTime::from_micros(0))?;
        Ok(applications)
    }

    fn processes(&self) -> [&Process; 2] {
        [self.application.process(), self.shop.process()]
    }

    /// Waits for a strike that began after this moment, in each.
    fn are_struck_after(&self, moment: BootTime) -> Result<()> {
        self.application.wait_for("a strike", |pass| pass.struck && pass.began > moment)?;
        self.customers.wait_for("a struck order", |order| order.struck.iter().any(|struck| *struck > moment))?;
        Ok(())
    }

    /// Waits until each, after this moment, has its flag on or off.
    fn have_flags(&self, on: bool, moment: BootTime) -> Result<()> {
        self.application.wait_for("the flag", |pass| pass.began > moment && pass.feature == on)?;
        self.customers.wait_for("the shop's flag", |order| {
            order.began > moment && order.is_served() && order.new_checkout == on
        })?;
        Ok(())
    }

    /// Waits for unharmed passes after the lease's end, that none after it was struck, and that every order until
    /// then was served, the fall-back helping.
    fn are_inert_after(&self, end: BootTime) -> Result<()> {
        let failed = self.are_inert_until(end + LONGER, end)?;
        ensure!(failed.is_empty(), "orders failed: {failed:#?}");
        Ok(())
    }

    /// Waits for unharmed passes after a moment, and that none after the lease's end was struck. The orders that
    /// failed; none hangs.
    fn are_inert_until(&self, moment: BootTime, end: BootTime) -> Result<Vec<Order>> {
        self.application.wait_for_pass_after(moment)?;
        let order = self.customers.wait_for_order_after(moment)?;
        let failed = self.customers.failed_before(&order)?;
        let struck = self.application.struck_after(end);
        ensure!(struck.is_empty(), "struck outside the lease, which ended at {end:?}: {struck:#?}");
        let struck = self.customers.struck_after(end);
        ensure!(struck.is_empty(), "the shop was struck outside the lease, which ended at {end:?}: {struck:#?}");
        Ok(failed)
    }
}

/// A server and applications that are being struck.
fn broken() -> Result<(Server, Struck)> {
    let server = Server::with(BROKEN, OPTIONS)?;
    let applications = Struck::start(&server, &server.url(""))?;
    Ok((server, applications))
}

/// The same, with a proxy between them.
fn broken_behind_a_proxy() -> Result<(Server, Proxy, Struck)> {
    let server = Server::with(BROKEN, OPTIONS)?;
    let proxy = Proxy::to(server.address())?;
    let applications = Struck::start(&server, &proxy.url())?;
    Ok((server, proxy, applications))
}

/// Turns each application's flag off.
fn toggle(server: &Server) -> Result<()> {
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    server.post("/api/v1/flags/new-checkout/disable", "")?.expect_status(200)?;
    Ok(())
}

#[test]
fn invariant_2_a_server_that_is_killed() -> Result<()> {
    let (mut server, applications) = broken()?;

    server.process().kill()?;
    let killed = BootTime::now();
    applications.are_inert_after(killed + LEASE)?;
    applications.have_flags(true, killed + LEASE).context("a flag lost its value with the server")?;

    server.restart()?;
    let restarted = BootTime::now();
    toggle(&server)?;
    applications.have_flags(false, restarted).context("the toggle after the restart")?;
    applications.are_inert_after(killed + LEASE)
}

#[test]
fn invariant_2_a_process_that_was_suspended() -> Result<()> {
    let (mut server, applications) = broken()?;

    applications.processes().iter().try_for_each(|process| process.suspend())?;
    let suspended = BootTime::now();
    server.process().kill()?;
    wait_until(suspended + HELD)?;
    applications.processes().iter().try_for_each(|process| process.resume())?;
    let resumed = BootTime::now();
    let failed = applications.are_inert_until(resumed + LONGER, suspended + LEASE)?;
    // A web server that wakes up may find that a connection's time has run out before it reads what it holds; then
    // it answers 408 or closes it.
    let is_excused = |order: &Order| ["unreachable", "408"].contains(&order.outcome.as_str());
    ensure!(failed.iter().all(is_excused), "orders failed: {failed:#?}");
    Ok(())
}

#[test]
fn invariant_2_a_proxy_that_holds_and_releases() -> Result<()> {
    let (server, proxy, applications) = broken_behind_a_proxy()?;

    proxy.hold();
    let held = BootTime::now();
    applications.are_inert_after(held + LEASE)?;
    wait_until(held + HELD)?;
    // What is on its way now tells of a run that has ended.
    server.post("/api/v1/faults/broken/stop", "")?.expect_status(200)?;
    toggle(&server)?;
    proxy.release();
    applications.have_flags(false, held + HELD).context("the toggle after the release")?;
    applications.are_inert_after(held + LEASE)
}

#[test]
fn invariant_2_a_stream_that_stalls_while_reports_pass() -> Result<()> {
    let (server, proxy, applications) = broken_behind_a_proxy()?;

    proxy.stall_streams();
    let stalled = BootTime::now();
    applications.are_struck_after(stalled + LEASE).context("a strike under a lease that reports renewed")?;
    server.post("/api/v1/faults/broken/stop", "")?.expect_status(200)?;
    let stopped = BootTime::now();
    applications.are_inert_after(stopped + LEASE)?;
    proxy.release();
    applications.are_inert_after(stopped + LEASE)
}

#[test]
fn invariant_2_polling() -> Result<()> {
    let mut server = Server::with(BROKEN, OPTIONS)?;
    let proxy = Proxy::to(server.address())?;
    // A proxy that swallows streams.
    proxy.stall_streams();
    let applications = Struck::start(&server, &proxy.url())?;
    eventually("polling", || {
        let clients = server.get("/api/v1/clients")?.body;
        if clients.matches("\"polling\"").count() == 2 { Ok(()) } else { Err(anyhow!(clients)) }
    })?;
    let polling = BootTime::now();
    applications.are_struck_after(polling).context("a strike while they poll")?;

    server.process().kill()?;
    let killed = BootTime::now();
    applications.are_inert_after(killed + LEASE)
}
