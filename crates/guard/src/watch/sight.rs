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
    /// How many clients that had struck, or treated requests, are silent without a goodbye.
    pub lost: usize,
    /// Where the budget of its SLO stands; none without a guard.
    pub budget: Option<BudgetSight>,
    /// How its guard's on-call fares.
    pub people: PeopleSight,
    /// Whether its last requests are through.
    pub over: bool,
    told: Arms,
    feared: Arms,
    /// None where they are what is feared.
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
    /// a goodbye is feared to be bad, and once its last requests are through, and it is `over`, whatever is open still.
    #[must_use]
    pub fn new(
        run: &Run,
        counts: Option<&RunCounts>,
        silent: &BTreeSet<InstanceId>,
        (now, over): (Timestamp, bool),
    ) -> Self {
        let by_request = run.spec.by.is_request();
        let requests = counts.map(RunCounts::stages).unwrap_or_default();
        let told = if by_request { requests.clone() } else { counts.map(RunCounts::key_stages).unwrap_or_default() };
        let open = counts.map(|counts| counts.feared(silent, over)).unwrap_or_default();
        let full = !by_request && counts.is_some_and(RunCounts::are_keys_full);
        let of = |stages: &Stages| Arms { full, ..arms(run, stages) };
        let (told, feared) = (of(&told), of(&fearing(told, &open)));
        Self {
            now,
            last_report: counts.and_then(RunCounts::last_report),
            missing_since: counts.and_then(|counts| counts.missing_since(silent)),
            incomplete: counts.is_some_and(RunCounts::is_incomplete),
            lost: 0,
            budget: None,
            people: PeopleSight::default(),
            over,
            told,
            feared,
            requests: (!by_request).then(|| arms(run, &fearing(requests, &open))),
        }
    }

    /// Both arms in the units of the draw, stage by stage, as clients told of them: what evidence of harm is made of. Keys,
    /// where the run draws by an attribute.
    #[must_use]
    pub const fn told(&self) -> &Arms {
        &self.told
    }

    /// The same, where what nobody may ever tell of is bad: what resilience is read from. A fault that makes requests take
    /// longer has more of them open, so that this is no evidence of harm.
    #[must_use]
    pub const fn feared(&self) -> &Arms {
        &self.feared
    }

    /// What is feared in requests, whatever is drawn: what is spent, and how much traffic there is.
    #[must_use]
    pub fn requests(&self) -> &Arms {
        self.requests.as_ref().unwrap_or(&self.feared)
    }
}

/// Counts by ramp stage and arm.
type Stages = BTreeMap<(u32, Arm), ArmTotals>;

/// The same, where what is open is bad if it is treated: bad requests of control would make harm look smaller.
fn fearing(mut stages: Stages, open: &BTreeMap<(u32, Arm), u64>) -> Stages {
    for (at, open) in open.iter().filter(|((_, arm), open)| *arm == Arm::Treated && **open > 0) {
        let totals = stages.entry(*at).or_default();
        *totals = totals.with_feared(*open);
    }
    stages
}

fn arms(run: &Run, counted: &Stages) -> Arms {
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
