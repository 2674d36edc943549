//! Fault points: Daybreak's, and those of `fail`.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use daybreak_model::wire::{Enveloped, Position, Reply, RunGrant, RunSpec, StoreId};
use daybreak_model::{Context, DrawBy, Effect, Key, Millis, Percentage, RunId};
use daybreak_sdk::faults::{Faults, Settings};
use daybreak_sdk::scope::{OpenScope, RootRequest};
use daybreak_sdk::{InjectedFault, Pass, Point};
use futures_util::FutureExt;
use jiff::SignedDuration;

use crate::peer::{Contestant, Make, Work};

/// What runs while a point is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// Nothing.
    Nothing,
    /// A fault at another point.
    Another,
}

impl Scene {
    pub(crate) const ALL: [Self; 2] = [Self::Nothing, Self::Another];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Nothing => "nothing running",
            Self::Another => "another point's fault running",
        }
    }
}

/// The one who the others are compared to.
pub(crate) const BASE: &str = "Daybreak, by handle, blocking";

pub(crate) const CONTESTANTS: [Contestant<Scene>; 4] = [
    Contestant {
        name: BASE,
        package: "daybreak-sdk",
        how: "Passed again and again in one request's scope, where a fault may strike it.",
        make: |scene| {
            daybreak(scene, |point, _, times| (0..times).for_each(|_| take(black_box(point).pass_blocking())))
        },
    },
    Contestant {
        name: "Daybreak, by handle, async",
        package: "daybreak-sdk",
        how: "In such a scope, awaited.",
        make: |scene| daybreak(scene, |point, _, times| at_once(pass(point, times))),
    },
    Contestant {
        name: "Daybreak, by name, async",
        package: "daybreak-sdk",
        how: "In such a scope, awaited, with a look-up by name.",
        make: |scene| daybreak(scene, |_, faults, times| at_once(pass_by_name(faults, times))),
    },
    Contestant {
        name: "fail",
        package: "fail",
        how: "Built with its feature `failpoints`, by name, which is the only way.",
        make: fail,
    },
];

const POINT: &str = "payment.gateway";
const OTHER: &str = "catalogue.search";

async fn pass(point: &Point, times: u64) {
    for _ in 0..times {
        take(black_box(point).pass().await);
    }
}

async fn pass_by_name(faults: &Faults, times: u64) {
    for _ in 0..times {
        take(faults.fault_point(black_box(POINT)).await);
    }
}

/// Nothing waits here, so no runtime is needed.
fn at_once(passing: impl Future<Output = ()>) {
    let passed = passing.now_or_never();
    assert!(passed.is_some(), "nothing waits where nothing strikes");
}

fn take(passed: Result<Pass, InjectedFault>) {
    let _ = black_box(passed);
}

fn daybreak(scene: Scene, passes: fn(&Point, &Faults, u64)) -> Result<Option<Make>> {
    let faults = Arc::new(Faults::new(Settings::default()));
    let point = faults.point(POINT);
    // What is measured is a point that can be struck.
    grant(&faults, POINT, Percentage::FULL)?;
    let struck = open(&faults).scope().enter(|| point.pass_blocking());
    ensure!(struck.is_err(), "a fault of everyone strikes");

    let faults = Arc::new(Faults::new(Settings::default()));
    Ok(Some(Box::new(move || {
        let (faults, point) = (Arc::clone(&faults), faults.point(POINT));
        let request = open(&faults);
        let passed = request.scope().enter(|| point.pass_blocking());
        ensure!(passed.is_ok(), "nothing strikes here");
        Ok(Box::new(move |times: u64| {
            // A lease lapses; the next round has its own.
            let granted = scene != Scene::Another || grant(&faults, OTHER, Percentage::ZERO).is_ok();
            assert!(granted, "the run of the benchmark is sound");
            request.scope().enter(|| passes(&point, &faults, times));
        }) as Work)
    })))
}

fn open(faults: &Faults) -> OpenScope {
    faults.open(|| RootRequest::new("POST /checkout", Context::default()))
}

/// Grants a run at a point, and no other.
fn grant(faults: &Faults, point: &str, percentage: Percentage) -> Result<()> {
    let spec = RunSpec {
        fault: Key::new("slow")?,
        point: Key::new(point)?,
        operation: None,
        host: None,
        when: None,
        segments: Default::default(),
        protect: Vec::new(),
        by: DrawBy::Request,
        salt: "salt".to_owned(),
        effect: Effect { abort: true, ..Effect::default() },
        times: None,
        shadow: false,
        measure: None,
    };
    let now = faults.now();
    let run = RunGrant {
        id: RunId::new(1),
        stage: 0,
        percentage,
        cap: 64,
        ends_at: now.wall + SignedDuration::from_hours(1),
        spec: Some(Enveloped::new(1, &spec)?),
    };
    let reply = Reply {
        environment: "bench".to_owned(),
        position: Position { store: StoreId::new(1), revision: 1 },
        now: now.wall,
        lease: Millis::from_secs(30),
        interval: Millis::from_secs(2),
        halted: false,
        first: false,
        runs: vec![run],
        stale_after: None,
        measures: Vec::new(),
        sketches: Vec::new(),
    };
    faults.grant(&reply, now);
    Ok(())
}

/// Whether `fail` strikes here.
fn pass_fail() -> bool {
    fail::fail_point!("payment.gateway", |_| true);
    false
}

fn fail(scene: Scene) -> Result<Option<Make>> {
    let configure =
        |point: &str| fail::cfg(point, "return").map_err(anyhow::Error::msg).context("`fail` is configured");
    configure(POINT)?;
    ensure!(pass_fail(), "`fail` strikes where it is configured");
    fail::remove(POINT);
    fail::remove(OTHER);
    if scene == Scene::Another {
        configure(OTHER)?;
    }
    ensure!(!pass_fail(), "`fail` strikes nowhere else");
    Ok(Some(Box::new(|| {
        Ok(Box::new(|times: u64| {
            for _ in 0..times {
                black_box(pass_fail());
            }
        }))
    })))
}
