//! What a watch sees of a run at one moment.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::{Arm, InstanceId};
use jiff::Timestamp;

use super::stage;
use crate::clients::{ArmTotals, RunCounts};
use crate::evidence::{Arms, GuardedMetric, Outcomes};
use crate::run::Run;

/// What is seen of a run at one moment. It holds no reference, so that what was counted is not kept from counting on while it
/// is looked at.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The moment.
    pub now: Timestamp,
    /// When a client that takes part last reported.
    pub last_report: Option<Timestamp>,
    /// Since when a client that goes on reporting does not say what became of what it counted.
    pub missing_since: Option<Timestamp>,
    /// Whether not all that clients counted of it has come.
    pub incomplete: bool,
    /// How many clients that had struck are silent without a goodbye.
    pub lost: usize,
    /// Where the budget of its SLO stands; none without a guard.
    pub budget: Option<BudgetSight>,
    /// How its guard's on-call fares.
    pub people: PeopleSight,
    /// Whether its last requests are through.
    pub over: bool,
    arms: Arms,
    /// None where they are the same.
    requests: Option<Arms>,
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

/// How the on-call of a run's guard fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeopleSight {
    /// Its pages since the run started.
    pub pages: usize,
    /// Why its budget leaves no room for the run any more, in words; none where it does.
    pub no_room: Option<String>,
}

impl Sight {
    /// What was reported of a run by now; nothing before the first report. What is open at clients that are `silent` without
    /// a goodbye counts as bad, and once its last requests are through, and it is `over`, whatever is open still.
    #[must_use]
    pub fn new(
        run: &Run,
        counts: Option<&RunCounts>,
        silent: &BTreeSet<InstanceId>,
        (now, over): (Timestamp, bool),
    ) -> Self {
        let counted = counts.map(|counts| counts.stages(silent, over)).unwrap_or_default();
        let requests = arms(run, &counted);
        let keys = || counts.map(|counts| counts.key_stages(silent, over)).unwrap_or_default();
        let (arms, requests) = match run.spec.by.is_request() {
            true => (requests, None),
            false => {
                let full = counts.is_some_and(RunCounts::are_keys_full);
                (Arms { full, ..arms(run, &keys()) }, Some(requests))
            }
        };
        Self {
            now,
            last_report: counts.and_then(RunCounts::last_report),
            missing_since: counts.and_then(|counts| counts.missing_since(silent)),
            incomplete: counts.is_some_and(RunCounts::is_incomplete),
            lost: 0,
            budget: None,
            people: PeopleSight::default(),
            over,
            arms,
            requests,
        }
    }

    /// Both arms in the units of the draw, stage by stage: what evidence is made of. Keys, where the run draws by an
    /// attribute.
    #[must_use]
    pub const fn arms(&self) -> &Arms {
        &self.arms
    }

    /// Both arms in requests, whatever is drawn: what is spent, and how much traffic there is.
    #[must_use]
    pub fn requests(&self) -> &Arms {
        self.requests.as_ref().unwrap_or(&self.arms)
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
