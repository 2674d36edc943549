//! The draws of one request, and what was already counted of it.

use std::sync::Arc;

use daybreak_model::wire::BaggageDraw;
use daybreak_model::{Arm, RunId};

use crate::faults::ActiveRun;

/// One draw for each run: made at the first pass, and kept.
#[derive(Debug, Default)]
pub(crate) struct Draws {
    runs: Vec<Draw>,
    /// A bit for each measure of the request's operation by which it was counted as too slow while it was open.
    overdue: u64,
    /// The head of the response is out: the request can no longer become too slow.
    responded: bool,
    /// The request has ended: nothing is drawn, and nothing struck, any more.
    finished: bool,
}

/// What came of one run's draw.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    pub(crate) run: Arc<ActiveRun>,
    /// The stage at the draw; it stays, whatever the run's stage is by now.
    pub(crate) stage: u32,
    /// `None` where the request is in neither arm.
    pub(crate) arm: Option<Arm>,
    /// It was counted as too slow while it was open.
    pub(crate) overdue: bool,
    /// Passes of a treated request so far.
    passes: u32,
    struck: bool,
}

/// A draw, as a pass sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    pub(crate) stage: u32,
    pub(crate) arm: Option<Arm>,
    /// It was made just now.
    pub(crate) new: bool,
}

impl Draws {
    /// The draw of a run, made now if there is none; `None` once the request has ended.
    pub(crate) fn get(&mut self, run: &Arc<ActiveRun>, make: impl FnOnce() -> (u32, Option<Arm>)) -> Option<Drawn> {
        if self.finished {
            return None;
        }
        if let Some(draw) = self.runs.iter().find(|draw| draw.run.id() == run.id()) {
            return Some(Drawn { stage: draw.stage, arm: draw.arm, new: false });
        }
        let (stage, arm) = make();
        self.runs.push(Draw { run: Arc::clone(run), stage, arm, overdue: false, passes: 0, struck: false });
        Some(Drawn { stage, arm, new: true })
    }

    /// Whether a run has drawn the request, and does not treat it.
    pub(crate) fn spared_by(&self, run: RunId) -> bool {
        self.runs.iter().find(|draw| draw.run.id() == run).is_some_and(|draw| draw.arm != Some(Arm::Treated))
    }

    fn of(&mut self, run: RunId) -> Option<&mut Draw> {
        self.runs.iter_mut().find(|draw| draw.run.id() == run)
    }

    /// Counts one pass of a treated request, and says which it is, from 0; none once the request has ended.
    pub(crate) fn pass(&mut self, run: RunId) -> Option<u32> {
        let draw = self.of(run)?;
        let pass = draw.passes;
        draw.passes = pass.saturating_add(1);
        Some(pass)
    }

    /// Notes that the request is struck; whether it is for the first time.
    pub(crate) fn strike(&mut self, run: RunId) -> bool {
        self.of(run).is_some_and(|draw| !std::mem::replace(&mut draw.struck, true))
    }

    /// Notes that the request is too slow for this run's measure; its stage and arm, if that is new.
    pub(crate) fn overdue_in(&mut self, run: RunId) -> Option<(u32, Arm)> {
        if self.finished || self.responded {
            return None;
        }
        let draw = self.of(run)?;
        let new = !std::mem::replace(&mut draw.overdue, true);
        draw.arm.filter(|_| new).map(|arm| (draw.stage, arm))
    }

    /// Notes that the request is too slow for the measure of this index; whether that is new.
    pub(crate) fn overdue_by(&mut self, measure: usize) -> bool {
        let bit = 1_u64.checked_shl(u32::try_from(measure).unwrap_or(u32::MAX)).unwrap_or_default();
        let new = !self.finished && !self.responded && self.overdue & bit != bit;
        if new {
            self.overdue |= bit;
        }
        new
    }

    /// The head of the response is out.
    pub(crate) fn respond(&mut self) {
        self.responded = true;
    }

    /// Ends the request; its draws, and by which measures it was counted as too slow. `None` where it had ended.
    pub(crate) fn finish(&mut self) -> Option<(Vec<Draw>, u64)> {
        if std::mem::replace(&mut self.finished, true) {
            return None;
        }
        // What hands the draws on after the end still finds none: the request is over.
        Some((std::mem::take(&mut self.runs), self.overdue))
    }

    pub(crate) fn to_baggage(&self) -> Vec<BaggageDraw> {
        let draw = |draw: &Draw| Some(BaggageDraw { run: draw.run.id(), stage: draw.stage, arm: draw.arm? });
        self.runs.iter().filter_map(draw).collect()
    }
}
