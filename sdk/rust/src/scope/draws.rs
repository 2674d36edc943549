//! The draws of one request.

use daybreak_model::wire::BaggageDraw;
use daybreak_model::{Arm, RunId};

/// One draw for each run: made at the first pass, and kept.
#[derive(Debug, Default)]
pub(crate) struct Draws(Vec<Draw>);

/// What came of one run's draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    run: RunId,
    /// The stage at the draw; it stays, whatever the run's stage is by now.
    pub(crate) stage: u32,
    /// `None` where the request is in neither arm.
    pub(crate) arm: Option<Arm>,
    /// Passes of a treated request so far.
    passes: u32,
    struck: bool,
}

impl Draws {
    /// The draw of a run, made now if there is none. Says whether it is new.
    pub(crate) fn get(&mut self, run: RunId, make: impl FnOnce() -> (u32, Option<Arm>)) -> (Draw, bool) {
        if let Some(draw) = self.0.iter().find(|draw| draw.run == run) {
            return (*draw, false);
        }
        let (stage, arm) = make();
        let draw = Draw { run, stage, arm, passes: 0, struck: false };
        self.0.push(draw);
        (draw, true)
    }

    /// Counts one pass of a treated request, and says which it is, from 0.
    pub(crate) fn pass(&mut self, run: RunId) -> u32 {
        let Some(draw) = self.0.iter_mut().find(|draw| draw.run == run) else { return 0 };
        let pass = draw.passes;
        draw.passes = pass.saturating_add(1);
        pass
    }

    /// Notes that the request is struck; whether it is for the first time.
    pub(crate) fn strike(&mut self, run: RunId) -> bool {
        let draw = self.0.iter_mut().find(|draw| draw.run == run);
        draw.is_some_and(|draw| !std::mem::replace(&mut draw.struck, true))
    }

    pub(crate) fn to_baggage(&self) -> Vec<BaggageDraw> {
        let draw = |draw: &Draw| Some(BaggageDraw { run: draw.run, stage: draw.stage, arm: draw.arm? });
        self.0.iter().filter_map(draw).collect()
    }
}
