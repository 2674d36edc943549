//! Stopping is instant, and wakes what sleeps.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use daybreak_tests::{BootTime, Server, eventually};

use crate::application::{Application, BROKEN, start};

/// [`BROKEN`], with a sleep in place of the error.
fn document() -> String {
    BROKEN.replace("error: { status: 503, code: gateway_down }", "latency: { fixed: 5s, max: 5s }")
}

/// How soon a request goes on after a stop: what the issue asks for, ten times the goal.
const SOON: Duration = Duration::from_millis(500);

/// Has a request sleep for 5 s, stops the run as `stop` does, and tells how long after the request went on.
fn wakes_up(stop: impl Fn(&Server) -> Result<()>) -> Result<()> {
    let server = Server::with(&document(), &["--max-blast-radius", "100%"])?;
    let application = Application::start(&server.url(""))?;
    start(&server, "")?;
    let asleep = Duration::from_millis(300);
    let began = eventually("a pass that sleeps", || {
        let open = application.open();
        open.into_iter().find(|began| BootTime::now() - *began > asleep).context("none yet")
    })?;

    let asked = BootTime::now();
    stop(&server)?;
    let stopped = BootTime::now();
    let pass = application.wait_for("the pass that slept", |pass| pass.began == began)?;
    ensure!(pass.ended > asked, "it went on before the stop: its sleep was not 5 s");
    let after = pass.ended - stopped;
    ensure!(after < SOON, "it went on {after:?} after the stop");
    println!("the request went on {after:?} after the stop was answered");
    Ok(())
}

#[test]
fn invariant_3_a_stop_wakes_sleepers() -> Result<()> {
    wakes_up(|server| server.post("/api/v1/faults/broken/stop", "")?.expect_status(200).map(drop))
}

#[test]
fn invariant_3_a_halt_wakes_sleepers() -> Result<()> {
    wakes_up(|server| server.send("PUT", "/api/v1/halt", "")?.expect_status(200).map(drop))
}

#[test]
fn invariant_3_disabling_the_fault_wakes_sleepers() -> Result<()> {
    wakes_up(|server| {
        server.send("PATCH", "/api/v1/faults/broken", r#"{"enabled": false}"#)?.expect_status(200).map(drop)
    })
}
