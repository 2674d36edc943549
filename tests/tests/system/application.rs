//! A small application with the SDK, in a process of its own (`src/bin/application.rs`).

use std::process::Command;

use anyhow::{Context, Result};
use daybreak_tests::{BootTime, Process, Server, eventually};
use serde_json::Value;

/// The application's flags, two of the shop's, and a fault `broken` that fails every pass of its fault point.
pub(crate) const BROKEN: &str = r"
flags:
  feature: { default: on }
  burst: { enabled: false, default: on }
  new-checkout: { default: on }
  search-banner: { variants: { none: '', sale: all }, off: none, default: none }
faults:
  broken:
    point: payment.gateway
    percentage: 100%
    effect: { error: { status: 503, code: gateway_down } }
    hours: always
    guard: none
    max_duration: 10m
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ['00:00-24:00'] }
";

/// The application.
pub(crate) struct Application(Process);

/// One pass of its fault point.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    /// Right before it.
    pub(crate) began: BootTime,
    /// Right after it.
    pub(crate) ended: BootTime,
    /// Whether it returned a fault.
    pub(crate) struck: bool,
    /// Whether the flag `feature` was on.
    pub(crate) feature: bool,
}

impl Application {
    /// Starts it against a server.
    pub(crate) fn start(url: &str) -> Result<Self> {
        Self::with_burst(url, 0)
    }

    /// Starts it, for bursts of so many requests.
    pub(crate) fn with_burst(url: &str, requests: u64) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_application"));
        Ok(Self(Process::start("application", command.args([url, &requests.to_string()]))?))
    }

    /// The process.
    pub(crate) fn process(&self) -> &Process {
        &self.0
    }

    /// Its passes so far.
    pub(crate) fn passes(&self) -> Vec<Pass> {
        self.0.stdout().iter().filter_map(|line| Pass::read(line)).collect()
    }

    /// When its passes began that have not ended yet.
    pub(crate) fn open(&self) -> Vec<BootTime> {
        let lines = self.0.stdout();
        let began =
            lines.iter().filter_map(|line| Some(BootTime::from_micros(line.strip_prefix("pass ")?.parse().ok()?)));
        let ended: Vec<BootTime> = lines.iter().filter_map(|line| Pass::read(line)).map(|pass| pass.began).collect();
        began.filter(|began| !ended.contains(began)).collect()
    }

    /// Waits for a pass.
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&Pass) -> bool) -> Result<Pass> {
        self.0
            .wait_for(|line| Pass::read(line).filter(|pass| is_it(pass)))
            .with_context(|| format!("waiting for {what}"))
    }

    /// Waits until it has been passing its fault point, unharmed, after this moment.
    pub(crate) fn wait_for_pass_after(&self, moment: BootTime) -> Result<Pass> {
        self.wait_for("a pass that is not struck", |pass| pass.began > moment && !pass.struck)
    }

    /// Has it make a burst of requests, by its flag, and tells how many were struck and how many passed.
    pub(crate) fn burst(&self, server: &Server) -> Result<(u64, u64)> {
        let number = 1 + self.0.stdout().iter().filter(|line| line.starts_with("burst ")).count();
        server.post("/api/v1/flags/burst/enable", "")?.expect_status(200)?;
        let line = format!("burst {number} ");
        let counts = self.0.wait_for(|printed| {
            let (struck, passed) = printed.strip_prefix(&line)?.split_once(' ')?;
            Some((struck.parse().ok()?, passed.parse().ok()?))
        })?;
        server.post("/api/v1/flags/burst/disable", "")?.expect_status(200)?;
        Ok(counts)
    }

    /// The passes that began after `end` and were struck all the same: always to be none.
    pub(crate) fn struck_after(&self, end: BootTime) -> Vec<Pass> {
        self.passes().into_iter().filter(|pass| pass.struck && pass.began > end).collect()
    }
}

impl Pass {
    /// Reads `passed BEGAN ENDED STRUCK FEATURE`.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("passed ")?.split(' ');
        let mut moment = || words.next()?.parse().ok().map(BootTime::from_micros);
        let (began, ended) = (moment()?, moment()?);
        let struck = words.next()? == "struck";
        Some(Self { began, ended, struck, feature: words.next()? == "on" })
    }
}

/// Starts the fault of [`BROKEN`] as soon as the server knows an application that passes its point.
pub(crate) fn start(server: &Server, body: &str) -> Result<()> {
    eventually("a start", || server.post("/api/v1/faults/broken/start", body)?.expect_status(201)).map(drop)
}

/// The latest run of a server, as it shows it.
pub(crate) fn run(server: &Server) -> Result<Value> {
    let runs = server.get("/api/v1/runs")?.expect_status(200)?.json()?;
    runs["runs"].get(0).cloned().with_context(|| format!("no run: {runs:#}"))
}

/// Waits until the clock that leases are counted on has gone past a moment: what is tested is that very time.
pub(crate) fn wait_until(moment: BootTime) -> Result<()> {
    eventually("the clock", || if BootTime::now() > moment { Ok(()) } else { Err(moment) })
}
