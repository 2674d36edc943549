//! What happens at one pass of an armed fault point.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use daybreak_engine::{self as engine, Failure};
use daybreak_model::wire::RunSpec;
use daybreak_model::{Arm, Effect};
use serde::de::DeserializeOwned;

use super::in_flight::Permit;
use super::points::PointState;
use super::run::ActiveRun;
use super::{Faults, InjectedFault};
use crate::scope::Scope;
use crate::telemetry::{DrawTold, RequestTrace, StrikeTold, millis};

/// A pass that goes on. It may carry data that a fault hands to the application.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    data: Option<Arc<ActiveRun>>,
}

impl Pass {
    pub(super) const CLEAR: Self = Self { data: None };

    /// The injected data, where a fault brings some: the application decides what to do with it.
    #[must_use]
    pub fn data(&self) -> Option<&serde_json::Value> {
        self.data.as_ref()?.compiled().spec().effect.data.as_ref()
    }

    /// The injected data as a type of the application's; `None` also where it does not fit.
    #[must_use]
    pub fn data_as<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(self.data()?).ok()
    }
}

/// A pass that some runs drew, each at a stage.
#[derive(Debug)]
pub(super) struct Drawn {
    runs: Vec<(Arc<ActiveRun>, u32)>,
    scope: Scope,
}

/// One run's strike at one pass, with its place among the faults in flight.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) run: Arc<ActiveRun>,
    /// First the latency, then the hang.
    waits: [Option<Duration>; 2],
    data: bool,
    fails: bool,
    struck: Struck,
    _permit: Permit,
}

/// Counts the request as struck when the strike is over: it ran its course, or the application did not wait for it.
/// One that was cut short by the end of its run or lease shows nothing, unless it had held the request until that was too slow.
#[derive(Debug)]
struct Struck {
    run: Arc<ActiveRun>,
    scope: Scope,
    stage: u32,
    cut_short: bool,
}

impl Drop for Struck {
    fn drop(&mut self) {
        if !self.cut_short {
            self.run.count_struck(&self.scope, self.stage);
        }
    }
}

/// A strike under way.
pub(super) type Strike<'f> = Pin<Box<dyn Future<Output = Result<Pass, InjectedFault>> + Send + 'f>>;

impl Faults {
    /// Draws every run that concerns this pass, then lists those that drew it; `None` where there are none. All
    /// draws come before the first effect: what one run does to a request must not decide whether another one
    /// counts it.
    pub(super) fn draw(&self, point: &PointState, scope: Scope, host: Option<&str>) -> Option<Drawn> {
        if !scope.eligible() {
            return None;
        }
        let runs = point.runs();
        let concerned = runs.iter().filter(|run| run.concerns(host));
        let treated = concerned.filter_map(|run| Some((run, run.draw(&scope, || self.left(run).is_some())?)));
        let runs: Vec<_> = treated.map(|(run, stage)| (Arc::clone(run), stage)).collect();
        if runs.is_empty() { None } else { Some(Drawn { runs, scope }) }
    }

    /// Whether no run that concerns this pass strikes the request, as each has drawn it before and left it alone. Most
    /// passes of an armed point are of such requests: they touch the scope, and do not even hold it.
    pub(super) fn spares(&self, point: &PointState, scope: &Scope, host: Option<&str>) -> bool {
        let runs = point.runs();
        let mut concerned = runs.iter().filter(|run| run.concerns(host));
        !scope.eligible() || {
            let draws = scope.draws().lock();
            concerned.all(|run| draws.spared_by(run.id()))
        }
    }

    /// The strike of a run that drew the request, unless `times`, a lost lease or the cap spares this pass.
    pub(super) fn hit(&self, run: Arc<ActiveRun>, stage: u32, scope: &Scope) -> Option<Hit> {
        let pass = scope.draws().lock().pass(run.id())?;
        let strike = run.compiled().strike(scope.draw_key(), pass)?;
        let (waits, data, fails) = ([strike.latency, strike.hang], strike.data.is_some(), strike.then.is_some());
        self.left(&run)?;
        let cap = run.lease().cap.min(self.0.settings.in_flight_max);
        let Some(permit) = self.0.in_flight.enter(cap) else {
            run.count_spared(scope, stage);
            return None;
        };
        run.count_strike(scope, stage);
        self.count_injection(run.compiled().spec().fault.as_str(), scope.trace().and_then(RequestTrace::exemplar));
        if let Some(trace) = scope.trace() {
            let latency = strike.latency.map(|wait| wait.min(self.0.settings.wait_max));
            trace.struck(&told(&run, &effect(&strike), latency));
        }
        let struck = Struck { run: Arc::clone(&run), scope: scope.clone(), stage, cut_short: false };
        Some(Hit { waits, data, fails, run, struck, _permit: permit })
    }

    /// What the runs do that drew a pass. In a box, so that passes that nothing strikes carry nothing along.
    #[cold]
    pub(super) fn strike(&self, drawn: Drawn) -> Strike<'_> {
        Box::pin(self.strike_in_turn(drawn))
    }

    async fn strike_in_turn(&self, Drawn { runs, scope }: Drawn) -> Result<Pass, InjectedFault> {
        let mut pass = Pass::CLEAR;
        let mut budget = self.0.settings.wait_max;
        for (run, stage) in runs {
            let Some(mut hit) = self.hit(run, stage, &scope) else { continue };
            let mut going_on = true;
            for wait in hit.waits(&mut budget) {
                going_on = going_on && self.wait(&hit.run, wait).await;
            }
            hit.waited(going_on, self.monotonic());
            if going_on {
                hit.land(&mut pass)?;
            }
        }
        Ok(pass)
    }

    #[cold]
    pub(super) fn strike_blocking(&self, Drawn { runs, scope }: Drawn) -> Result<Pass, InjectedFault> {
        let mut pass = Pass::CLEAR;
        let mut budget = self.0.settings.wait_max;
        for (run, stage) in runs {
            let Some(mut hit) = self.hit(run, stage, &scope) else { continue };
            let going_on = hit.waits(&mut budget).into_iter().all(|wait| self.wait_blocking(&hit.run, wait));
            hit.waited(going_on, self.monotonic());
            if going_on {
                hit.land(&mut pass)?;
            }
        }
        Ok(pass)
    }
}

/// What a strike does: `latency+error`.
fn effect(strike: &engine::Strike<'_>) -> String {
    Effect::name_of(|part| match part {
        "latency" => strike.latency.is_some(),
        "hang" => strike.hang.is_some(),
        "data" => strike.data.is_some(),
        "error" => matches!(strike.then, Some(Failure::Error(_))),
        "abort" => matches!(strike.then, Some(Failure::Abort)),
        _ => false,
    })
}

fn told<'s>(run: &'s ActiveRun, effect: &'s str, latency: Option<Duration>) -> StrikeTold<'s> {
    let RunSpec { fault, point, .. } = run.compiled().spec();
    StrikeTold { run: run.id(), fault: fault.as_str(), point: point.as_str(), effect, latency_ms: latency.map(millis) }
}

impl Hit {
    /// The waits that this strike asks for, as far as the pass's budget of waiting goes.
    fn waits(&self, budget: &mut Duration) -> Vec<Duration> {
        let mut within_budget = |wait: Duration| {
            let wait = wait.min(*budget);
            *budget -= wait;
            wait
        };
        let waits = self.waits.into_iter().flatten().map(&mut within_budget);
        waits.filter(|wait| !wait.is_zero()).collect()
    }

    /// The waits are over. Where the run did not go on until then, the strike is cut short.
    fn waited(&mut self, going_on: bool, now: Duration) {
        self.struck.cut_short = !going_on && !self.run.is_too_slow(&self.struck.scope, now);
        if let (false, Some(trace)) = (going_on, self.struck.scope.trace()) {
            let RunSpec { fault, point, .. } = self.run.compiled().spec();
            let (fault, point) = (fault.as_str(), point.as_str());
            trace.cut_short(&DrawTold { run: self.run.id(), fault, point, arm: Arm::Treated });
        }
    }

    /// What comes after the waits, where the run goes on still.
    fn land(self, pass: &mut Pass) -> Result<(), InjectedFault> {
        if self.fails {
            return Err(InjectedFault::new(self.run));
        }
        if self.data {
            pass.data = Some(self.run);
        }
        Ok(())
    }
}
