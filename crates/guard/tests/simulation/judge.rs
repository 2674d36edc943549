//! One run, and what each test says of it: ours, and those that it is held against.

use daybreak_guard::evidence::{GuardedMetric, harm, interval, ratio, resilience};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

use crate::scenario::{MINUTES, Scenario};

/// One-sided 1 %, as the e-value's α.
const Z_TEST: f64 = 2.326_347_874_040_841;
/// One-sided 5 %, as that of the bounds.
const Z_BOUND: f64 = 1.644_853_626_951_472_7;
/// A normal approximation asks for so many expected events: we do not hold ours against one that is used wrongly.
const EXPECTED_MIN: f64 = 5.0;

/// When something was shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) minute: u32,
    pub(crate) treated: u64,
    pub(crate) treated_bad: u64,
}

/// What the tests said of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Judged {
    /// The e-value, looked at after each bad request.
    pub(crate) harm: Option<Shown>,
    /// The e-value of the arms' sizes, looked at each minute.
    pub(crate) ratio: bool,
    /// A z-test, looked at each minute.
    pub(crate) z_peeking: Option<Shown>,
    /// A z-test, looked at once, at the end.
    pub(crate) z_once: bool,
    /// Whether a bound or an interval ever missed.
    pub(crate) upper_missed: bool,
    pub(crate) lower_missed: bool,
    pub(crate) wald_missed: bool,
    pub(crate) rate_missed: bool,
    /// When resilience was shown first.
    pub(crate) resilient: Option<Shown>,
}

/// What has come together so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    treated: u64,
    control: u64,
    struck: u64,
    treated_bad: u64,
    control_bad: u64,
    excess: f64,
    treated_expected: f64,
    control_expected: f64,
}

/// Runs one; with `bounds` looks at bounds and intervals too, each minute, for a tolerated harm of this share.
pub(crate) fn run(scenario: &Scenario, bounds: Option<f64>, seed: u64) -> Judged {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut arms, mut judged, mut sums, mut burst) = (scenario.arms(), Judged::default(), Sums::default(), false);
    for at in 0..MINUTES {
        let minute = scenario.minute(at, &mut burst, &mut rng);
        let stage = &mut arms.stages[minute.stage];
        stage.treated.requests += minute.treated;
        stage.treated.struck += minute.struck;
        stage.control.requests += minute.control;
        sums.treated += minute.treated;
        sums.control += minute.control;
        sums.struck += minute.struck;
        sums.excess += minute.excess;
        sums.treated_expected += minute.treated_expected;
        sums.control_expected += minute.control_expected;
        for treated in shuffled(minute.treated_bad, minute.control_bad, &mut rng) {
            let stage = &mut arms.stages[minute.stage];
            *if treated { &mut sums.treated_bad } else { &mut sums.control_bad } += 1;
            let outcomes = if treated { &mut stage.treated } else { &mut stage.control };
            *match scenario.metric(&mut rng) {
                GuardedMetric::Error => &mut outcomes.error,
                GuardedMetric::Slow => &mut outcomes.slow,
                GuardedMetric::Cancelled => &mut outcomes.cancelled,
            } += 1;
            if treated && judged.harm.is_none() && harm::ln_e(&arms) >= harm::THRESHOLD.ln() {
                judged.harm = Some(sums.shown(at));
            }
        }
        judged.ratio |= ratio::ln_e(&arms) >= ratio::THRESHOLD.ln();
        judged.z_once = sums.z() > Z_TEST;
        if judged.z_once && judged.z_peeking.is_none() {
            judged.z_peeking = Some(sums.shown(at));
        }
        if let Some(tolerated) = bounds {
            let excess = resilience::excess(&arms, resilience::ALPHA);
            judged.look_at_bounds(&sums, excess, tolerated, at);
        }
    }
    judged
}

impl Judged {
    fn look_at_bounds(&mut self, sums: &Sums, excess: resilience::Excess, tolerated: f64, at: u32) {
        self.upper_missed |= sums.excess > excess.upper;
        self.lower_missed |= sums.excess < excess.lower;
        if sums.treated_bad as f64 >= EXPECTED_MIN {
            self.wald_missed |= sums.excess > excess.sum + Z_BOUND * excess.variation.sqrt();
        }
        for (bad, requests, expected) in [
            (sums.treated_bad, sums.treated, sums.treated_expected),
            (sums.control_bad, sums.control, sums.control_expected),
        ] {
            let rate = interval::rate(bad, requests, interval::ALPHA);
            let mean = expected / requests.max(1) as f64;
            self.rate_missed |= requests > 0 && (mean < rate.lower || rate.upper < mean);
        }
        // The harm test has the last word: a run that it stopped is not resilient.
        let ruled_out = excess.upper <= tolerated * sums.struck as f64 && sums.struck * 2 >= sums.treated;
        if ruled_out && self.resilient.is_none() && self.harm.is_none() {
            self.resilient = Some(sums.shown(at));
        }
    }
}

impl Sums {
    fn shown(&self, minute: u32) -> Shown {
        Shown { minute, treated: self.treated, treated_bad: self.treated_bad }
    }

    /// The z-statistic of two proportions, pooled over stages; 0 while a normal approximation says nothing.
    fn z(&self) -> f64 {
        let (n1, n0) = (self.treated as f64, self.control as f64);
        let pooled = (self.treated_bad + self.control_bad) as f64 / (n1 + n0);
        if n1 * pooled < EXPECTED_MIN || n0 * pooled < EXPECTED_MIN {
            return 0.0;
        }
        let difference = self.treated_bad as f64 / n1 - self.control_bad as f64 / n0;
        difference / (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0)).sqrt()
    }
}

/// The bad requests of a minute in an order by chance: true is treated.
fn shuffled(mut treated: u64, mut control: u64, rng: &mut impl Rng) -> Vec<bool> {
    let mut order = Vec::new();
    while treated + control > 0 {
        let next = rng.random_range(0..treated + control) < treated;
        *if next { &mut treated } else { &mut control } -= 1;
        order.push(next);
    }
    order
}
