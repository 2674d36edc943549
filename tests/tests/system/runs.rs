//! Runs: nothing is injected but by them, and they end.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use daybreak_tests::{BootTime, Proxy, Server, eventually};

use crate::application::{Application, BROKEN, run, start};

#[test]
fn invariant_1_inert_but_for_the_length_of_a_run() -> Result<()> {
    let server = Server::with(BROKEN, &["--max-blast-radius", "100%"])?;
    let application = Application::start(&server.url(""))?;
    application.wait_for("the flags", |pass| pass.feature)?;

    start(&server, r#"{"duration": "2s"}"#)?;
    let struck = application.wait_for("a strike", |pass| pass.struck)?;
    let run = eventually("the end of the run", || match run(&server)? {
        run if run["active"] == false => Ok(run),
        run => Err(anyhow!("{run:#}")),
    })?;
    let ended = BootTime::now();
    ensure!(run["ended"] == "completed", "{run:#}");
    application.wait_for_pass_after(ended + Duration::from_secs(1))?;
    let after = application.struck_after(ended);
    ensure!(after.is_empty(), "struck after the run had ended: {after:#?}");
    let before = application.passes().into_iter().take_while(|pass| pass.began < struck.began);
    ensure!(before.filter(|pass| pass.struck).count() == 0, "struck before the run");
    Ok(())
}

#[test]
fn invariant_5_what_cannot_report_cannot_inject() -> Result<()> {
    let server = Server::with(BROKEN, &["--max-blast-radius", "100%"])?;
    let proxy = Proxy::to(server.address())?;
    proxy.hold_reports();
    let mute = Application::start(&proxy.url())?;
    mute.wait_for("the flags", |pass| pass.feature)?;
    let answer = server.post("/api/v1/faults/broken/start", "")?.expect_status(409)?;
    ensure!(answer.body.contains("no_clients"), "{}", answer.body);

    // Another one lets the run start; the first hears of it on the stream, and may not act.
    let heard = Application::start(&server.url(""))?;
    start(&server, "")?;
    heard.wait_for("a strike", |pass| pass.struck)?;
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    let toggled = mute.wait_for("the toggle", |pass| !pass.feature)?;
    mute.wait_for_pass_after(toggled.began + Duration::from_secs(1))?;
    let struck = mute.passes().into_iter().filter(|pass| pass.struck).count();
    ensure!(struck == 0, "{struck} passes were struck without a report");
    Ok(())
}
