//! How much harm is still possible: bounds that hold at every look at once, and what it takes for a verdict.
//!
//! Let A be the number of requests that the fault is expected to have turned bad: over all eligible requests, the sum
//! of ρ times the difference that treating makes to the probability to be bad. With Z treated, Y bad and
//! c = ρ/(1−ρ), each D = ZY − c(1−Z)Y has mean ρΔ, and
//!
//! ```text
//! S = Σ_s (k_s − c_s·m_s)    V = Σ_s (k_s + c_s²·m_s)    ψ(l) = −ln(1−l) − l    l ∈ {.03, .06, .12, .25, .5, .8}
//! upper = sup{A : mean over l of exp(l·(A−S) − ψ(l)·V) < 1/α}
//! lower = inf{A : mean over l of exp(l·(S−A) − Σ_s ψ(l·c_s)/c_s²·V_s) < 1/α}
//! ```
//!
//! D is 1 at most, and exp(−lD − ψ(l)D²) ≤ 1 − lD for such D and 0 ≤ l < 1 (Fan, Grama & Liu, EJP 2015); so what
//! stands behind the mean is a supermartingale at the true A, and Ville's inequality applies (Howard, Ramdas, McAuliffe
//! & Sekhon, Ann. Stat. 2021, arXiv 1810.08240). −D is c at most, hence the lower bound. Drift, bursts, ramps and any
//! time to stop are allowed.
//!
//! Divided by the struck requests that is harm per struck request: treated requests that met no injection count as
//! unharmed.

use serde::{Deserialize, Serialize};

use super::counts::Arms;
use super::mixture::{Member, count, psi, upper};

/// α of either bound: 5 %.
pub const ALPHA: f64 = 0.05;
/// Below this share of struck among treated requests, nothing is said of resilience.
pub const STRUCK_SHARE_MIN: f64 = 0.5;

/// The rates of the mixture.
const RATES: [f64; 6] = [0.03, 0.06, 0.12, 0.25, 0.5, 0.8];
/// More treated requests than any run will have: a verdict that needs more is out of reach.
const NEEDED_MAX: u64 = 1_000_000_000_000;

/// Harm, in shares of struck requests: 0.01 is one percentage point. Negative: the fault does good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HarmBounds {
    /// At least this.
    pub lower: f64,
    /// The estimate without bias.
    pub estimate: f64,
    /// At most this.
    pub upper: f64,
}

/// S, V and the bounds of A, in requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excess {
    /// S: bad treated requests beyond what control leads to expect.
    pub sum: f64,
    /// V: its variation.
    pub variation: f64,
    /// A is at least this; −∞ where everything is treated, so that there is no control.
    pub lower: f64,
    /// A is at most this.
    pub upper: f64,
}

/// What a verdict is planned from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The rate of bad requests without the fault, from 0 to 1.
    pub base_rate: f64,
    /// ρ/(1−ρ) of the stage in which the run will go on; 0 if everything is treated.
    pub odds: f64,
    /// The share of struck among treated requests, over 0.
    pub struck_share: f64,
    /// δ: the harm to be ruled out, as a share of struck requests.
    pub harm: f64,
}

/// The bad requests that are the fault's: S, V and bounds of A with probability 1 − α each.
#[must_use]
pub fn excess(arms: &Arms, alpha: f64) -> Excess {
    let (mut sum, mut variation) = (0.0, 0.0);
    let mut costs = [Some(0.0); RATES.len()];
    for stage in &arms.stages {
        let treated = count(stage.treated.bad_in(&arms.metrics));
        let control = count(stage.control.bad_in(&arms.metrics));
        // Where everything is treated, each bad request may be the fault's: that is what odds of 0 say.
        let odds = stage.odds().unwrap_or(0.0);
        sum += treated - odds * control;
        variation += treated + odds * odds * control;
        if stage.treated.requests == 0 && stage.control.requests == 0 {
            continue;
        }
        for (cost, rate) in costs.iter_mut().zip(RATES) {
            // A member whose bet a stage cannot bear ends with it: 0 is a supermartingale too.
            let bearable = odds > 0.0 && rate * odds < 1.0;
            let more = || psi(rate * odds) * (treated / (odds * odds) + control);
            *cost = cost.filter(|_| bearable).map(|cost| cost + more());
        }
    }
    let members = costs.iter().zip(RATES).filter_map(|(cost, rate)| cost.map(|cost| Member { rate, cost }));
    let members: Vec<Member> = members.collect();
    let lower = -upper(&members, RATES.len(), -sum, alpha);
    Excess { sum, variation, lower, upper: upper_excess(sum, variation, alpha) }
}

/// The upper bound of A from S and V.
#[must_use]
pub fn upper_excess(sum: f64, variation: f64, alpha: f64) -> f64 {
    let members = RATES.map(|rate| Member { rate, cost: psi(rate) * variation });
    upper(&members, RATES.len(), sum, alpha)
}

/// Harm per struck request, between −1 and 1; `None` while nothing is struck.
#[must_use]
pub fn harm(arms: &Arms, alpha: f64) -> Option<HarmBounds> {
    let struck = arms.treated().struck;
    let excess = excess(arms, alpha);
    let share = |of: f64| (of / count(struck)).clamp(-1.0, 1.0);
    let bounds = || HarmBounds { lower: share(excess.lower), estimate: share(excess.sum), upper: share(excess.upper) };
    (struck > 0).then(bounds)
}

/// How many treated requests show that harm is δ at most, if there is none: in a run that has not begun. Half of the
/// runs need more. `None` if no number does.
#[must_use]
pub fn treated_needed(plan: &Plan) -> Option<u64> {
    more_needed(plan, 0.0, 0.0, 0)
}

/// How many more, in a run that has these counts, if its fault does no harm from now on. The stage that goes on is the
/// last one with requests; the base rate is that of control. 0 if δ is ruled out; `None` if no number does, or if
/// there is nothing to tell the base rate from.
#[must_use]
pub fn treated_needed_more(arms: &Arms, harm: f64) -> Option<u64> {
    let (treated, control) = (arms.treated(), arms.control());
    let share = if treated.struck == 0 { 1.0 } else { count(treated.struck) / count(treated.requests) };
    let going_on = arms.stages.iter().rev().find(|stage| stage.treated.requests > 0 || stage.control.requests > 0);
    let base = if control.requests > 0 { &control } else { &treated };
    if base.requests == 0 {
        return None;
    }
    let plan = Plan {
        base_rate: count(base.bad_in(&arms.metrics)) / count(base.requests),
        odds: going_on.and_then(|stage| stage.odds()).unwrap_or(0.0),
        struck_share: share.min(1.0),
        harm,
    };
    let excess = excess(arms, ALPHA);
    more_needed(&plan, excess.sum, excess.variation, treated.struck)
}

fn more_needed(plan: &Plan, sum: f64, variation: f64, struck: u64) -> Option<u64> {
    // A treated request brings 1/odds of control along: its variation is rate·(1 + odds²/odds).
    let each = plan.base_rate * (1.0 + plan.odds);
    // Without control its bad requests count as harm.
    let drift = if plan.odds > 0.0 { 0.0 } else { plan.base_rate };
    let enough = |more: u64| {
        let more = count(more);
        let bound = upper_excess(sum + more * drift, variation + more * each, ALPHA);
        bound <= plan.harm * (count(struck) + more * plan.struck_share)
    };
    let (mut too_few, mut plenty) = (0, 1);
    if enough(0) {
        return Some(0);
    }
    while !enough(plenty) {
        too_few = plenty;
        plenty *= 2;
        if plenty > NEEDED_MAX {
            return None;
        }
    }
    while plenty - too_few > 1 {
        let middle = too_few.midpoint(plenty);
        if enough(middle) {
            plenty = middle;
        } else {
            too_few = middle;
        }
    }
    Some(plenty)
}
