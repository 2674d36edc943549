//! The conclusion: what is remembered from look to look, when a run must end, and its verdict with the reason.

use std::fmt;

use daybreak_model::{Cause, Percentage, Verdict};
use serde::{Deserialize, Serialize};

use super::counts::{Arms, Outcomes};
use super::interval::{self, Interval};
use super::mixture::{Greatest, count};
use super::resilience::{self, HarmBounds, STRUCK_SHARE_MIN};
use super::{harm, ratio};

/// What the looks at a run's counts have shown so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    harm: Greatest,
    ratio: Greatest,
    shown: Option<Shown>,
}

/// What was shown first; nothing later takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    Harm,
    InstrumentationBroken,
}

/// Why a verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Because {
    /// The e-value of harm reached its threshold.
    HarmShown,
    /// The upper bound of harm is within the tolerance.
    HarmRuledOut,
    /// The arms do not come out as drawn, so nothing can be read from them.
    InstrumentationBroken,
    /// No request met an injection that ran its course, or held it until it was too slow.
    NothingStruck,
    /// Too small a share of the treated requests met one.
    StruckTooFew {
        /// That share, from 0 to 1.
        share: f64,
    },
    /// The fault draws by an attribute and was ramped: keys moved from one arm to the other.
    StickyRamp,
    /// More keys were bad than are counted.
    KeysFull,
    /// Clients that had struck, or treated requests, went silent: nobody knows what became of them.
    ClientsLost,
    /// It was ended as reports went stale: nobody knows what became of what was not told.
    StaleReports,
    /// What clients had counted of it did not come, or not all of it was counted.
    ArmsMissing,
    /// More requests are needed.
    TooFewRequests {
        /// So many treated ones, about, at the present rate of bad requests and if there is no harm.
        treated: u64,
    },
    /// No number of requests would rule out so little harm at this rate of bad requests.
    OutOfReach,
}

/// One arm, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmFinding {
    /// Its counts.
    #[serde(flatten)]
    pub outcomes: Outcomes,
    /// Bad requests in any guarded metric.
    pub bad: u64,
    /// The rate of bad requests: 95 %, at every look.
    pub rate: Interval,
}

/// Everything that is known of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// Its reason.
    pub because: Because,
    /// The greatest e-value of harm, as its natural logarithm.
    pub harm_ln_e: f64,
    /// The anytime-valid p-value of harm.
    pub harm_p: f64,
    /// The greatest e-value of the arms' sizes, as its natural logarithm.
    pub ratio_ln_e: f64,
    /// Harm per struck request, each bound with 95 %; `None` while nothing is struck.
    pub harm: Option<HarmBounds>,
    /// How many more treated requests would show resilience, if there is no harm; `None` if no number would, or
    /// while there is nothing to tell it from.
    pub treated_needed: Option<u64>,
    /// Eligible and drawn.
    pub treated: ArmFinding,
    /// Eligible and not drawn.
    pub control: ArmFinding,
}

impl Evidence {
    /// Takes a look at the counts. Says why the run must be aborted, if it must: again at each later look.
    pub fn look(&mut self, arms: &Arms) -> Option<Cause> {
        self.ratio.look(ratio::ln_e(arms));
        self.harm.look(harm::ln_e(arms));
        // Harm is read from the arms; so if both come at once, the arms come first.
        if self.shown.is_none() && self.ratio.reached(ratio::THRESHOLD) {
            self.shown = Some(Shown::InstrumentationBroken);
        }
        if self.shown.is_none() && self.harm.reached(harm::THRESHOLD) {
            self.shown = Some(Shown::Harm);
        }
        self.shown.map(|shown| match shown {
            Shown::Harm => Cause::Harm,
            Shown::InstrumentationBroken => Cause::InstrumentationBroken,
        })
    }

    /// The greatest e-value of harm so far.
    #[must_use]
    pub const fn harm(&self) -> Greatest {
        self.harm
    }

    /// The greatest e-value of the arms' sizes so far.
    #[must_use]
    pub const fn ratio(&self) -> Greatest {
        self.ratio
    }

    /// What counts that have been looked at show, where `tolerated` is the harm to be ruled out, in percentage points
    /// of struck requests.
    #[must_use]
    pub fn finding(&self, arms: &Arms, tolerated: Percentage) -> Finding {
        let bounds = resilience::harm(arms, resilience::ALPHA);
        let needed = resilience::treated_needed_more(arms, tolerated.ratio());
        let (verdict, because) = self.conclude(arms, tolerated.ratio(), bounds, needed);
        let arm = |outcomes: Outcomes| {
            let bad = outcomes.bad_in(&arms.metrics);
            ArmFinding { outcomes, bad, rate: interval::rate(bad, outcomes.requests, interval::ALPHA) }
        };
        Finding {
            verdict,
            because,
            harm_ln_e: self.harm.ln(),
            harm_p: self.harm.p(),
            ratio_ln_e: self.ratio.ln(),
            harm: bounds,
            treated_needed: needed,
            treated: arm(arms.treated()),
            control: arm(arms.control()),
        }
    }

    fn conclude(
        &self,
        arms: &Arms,
        tolerated: f64,
        bounds: Option<HarmBounds>,
        needed: Option<u64>,
    ) -> (Verdict, Because) {
        match self.shown {
            Some(Shown::Harm) => return (Verdict::Harmful, Because::HarmShown),
            Some(Shown::InstrumentationBroken) => {
                return (Verdict::Inconclusive, Because::InstrumentationBroken);
            }
            None => {}
        }
        let treated = arms.treated();
        let share = count(treated.struck) / count(treated.requests.max(1));
        let because = match bounds {
            None => Because::NothingStruck,
            Some(_) if arms.full => Because::KeysFull,
            Some(_) if arms.sticky && arms.is_ramped() => Because::StickyRamp,
            Some(_) if share < STRUCK_SHARE_MIN => Because::StruckTooFew { share },
            Some(bounds) if bounds.upper <= tolerated => return (Verdict::Resilient, Because::HarmRuledOut),
            Some(_) => needed.map_or(Because::OutOfReach, |treated| Because::TooFewRequests { treated }),
        };
        (Verdict::Inconclusive, because)
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HarmShown => f.write_str("treated requests did worse than control"),
            Self::HarmRuledOut => f.write_str("more harm than is tolerated is ruled out"),
            Self::InstrumentationBroken => {
                f.write_str("the arms do not come out as drawn, so nothing can be read from them")
            }
            Self::NothingStruck => f.write_str("no request met an injection that ran its course"),
            Self::StruckTooFew { share } => {
                let (share, least) = (share * 100.0, STRUCK_SHARE_MIN * 100.0);
                write!(f, "only {share:.0} % of the treated requests met an injection; {least:.0} % are needed")
            }
            Self::StickyRamp => f.write_str(
                "keys moved from control to treated as the run was ramped; run it without a ramp to show resilience",
            ),
            Self::KeysFull => f.write_str("more keys had a bad outcome than are counted, so nothing rules harm out"),
            Self::ClientsLost => f.write_str(
                "clients that had struck, or treated requests, went silent; as long as nobody knows why, that may be the fault's doing",
            ),
            Self::StaleReports => f.write_str(
                "reports went stale, which ended it; as long as nobody knows why, that may be the fault's doing",
            ),
            Self::ArmsMissing => {
                f.write_str("not all that clients counted of it has come, so nothing rules harm out in what is missing")
            }
            Self::TooFewRequests { treated } => {
                write!(f, "about {treated} more treated requests are needed if the fault does no harm")
            }
            Self::OutOfReach => f.write_str(
                "so little harm cannot be ruled out at this rate of bad requests; tolerate more, or mend it first",
            ),
        }
    }
}
