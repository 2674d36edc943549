//! What a watch sees of a run at one moment.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::{Arm, InstanceId};
use jiff::Timestamp;

use super::stage;
use crate::clients::{ArmTotals, RunCounts};
use crate::evidence::{Arms, GuardedMetric, Outcomes};
use crate::run::Run;

/// What is seen of a run at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The moment.
    pub now: Timestamp,
    /// What was reported of it; none before the first report.
    pub counts: Option<&'a RunCounts>,
    /// Clients that are silent without a goodbye: what is open there counts as bad.
    pub silent: &'a BTreeSet<InstanceId>,
    /// Whether its last requests are through: what is open still counts as bad.
    pub over: bool,
    /// When a client that takes part last reported.
    pub last_report: Option<Timestamp>,
    /// Where the budget of its SLO stands; none without a guard.
    pub budget: Option<BudgetSight>,
    /// Pages of its guard's on-call since it started.
    pub pages: usize,
}

/// Where the error budget of a run's SLO stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetSight {
    /// It burns faster than people should sleep through.
    pub burning: bool,
    /// It burns so fast over 5 minutes and over 30 seconds that no run may go on.
    pub burns_fast: bool,
    /// Its source has brought nothing that can be read lately.
    pub stale: bool,
}

impl Sight<'_> {
    /// Both arms in the units of the draw, stage by stage: what evidence is made of. Keys, where the run draws by an
    /// attribute.
    #[must_use]
    pub fn arms(&self, run: &Run) -> Arms {
        if run.spec.by.is_request() {
            return self.requests(run);
        }
        let full = self.counts.is_some_and(RunCounts::are_keys_full);
        let counted = self.counts.map(|counts| counts.key_stages(self.silent, self.over));
        Arms { full, ..arms(run, &counted.unwrap_or_default()) }
    }

    /// Both arms in requests, whatever is drawn: what is spent, and how much traffic there is.
    #[must_use]
    pub fn requests(&self, run: &Run) -> Arms {
        let counted = self.counts.map(|counts| counts.stages(self.silent, self.over));
        arms(run, &counted.unwrap_or_default())
    }
}

fn arms(run: &Run, counted: &BTreeMap<(u32, Arm), ArmTotals>) -> Arms {
    let of = |number: u32, arm| counted.get(&(number, arm)).map(outcomes).unwrap_or_default();
    let stages =
        run.stages().map(|number| stage(run.percentage_of(number), of(number, Arm::Treated), of(number, Arm::Control)));
    let sticky = !run.spec.by.is_request();
    Arms { stages: stages.collect(), metrics: GuardedMetric::ALL.to_vec(), sticky, full: false }
}

fn outcomes(totals: &ArmTotals) -> Outcomes {
    let ArmTotals { requests, struck, error, slow, cancelled, .. } = *totals;
    Outcomes { requests, struck, error, slow, cancelled }
}
