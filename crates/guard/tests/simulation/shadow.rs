//! Shadow runs whose instrumentation is broken: how many requests it takes until that is seen.

use daybreak_guard::evidence::{Arms, Evidence, GuardedMetric, Stage};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::scenario::{binomial, percent};

/// What is broken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    /// So much of the treated requests is counted.
    pub(crate) treated: f64,
    /// So much of control.
    pub(crate) control: f64,
    /// Treated requests count as bad so many times as often.
    pub(crate) bad: f64,
}

/// How many eligible requests have been counted at each of these moments.
pub(crate) const REQUESTS: [(u64, &str); 4] =
    [(1_000, "10³ requests"), (10_000, "10⁴ requests"), (100_000, "10⁵ requests"), (1_000_000, "10⁶ requests")];

/// Looks of the guard up to each moment.
const LOOKS: u64 = 50;

/// Whether a shadow run that treats so much has shown by each moment that something is broken.
pub(crate) fn seen_by(broken: &Broken, treated: u32, seed: u64) -> [bool; REQUESTS.len()] {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut arms = Arms {
        stages: vec![Stage::new(percent(treated))],
        metrics: GuardedMetric::ALL.to_vec(),
        sticky: false,
        full: false,
    };
    let (mut evidence, mut passed, mut shown) = (Evidence::default(), 0, false);
    REQUESTS.map(|(until, _)| {
        let step = (until - passed) / LOOKS;
        passed = until;
        for _ in 0..LOOKS {
            let drawn = binomial(step, percent(treated).ratio(), &mut rng);
            let stage = &mut arms.stages[0];
            let counted = binomial(drawn, broken.treated, &mut rng);
            stage.treated.requests += counted;
            stage.treated.error += binomial(counted, BASE * broken.bad, &mut rng);
            let counted = binomial(step - drawn, broken.control, &mut rng);
            stage.control.requests += counted;
            stage.control.error += binomial(counted, BASE, &mut rng);
            shown |= evidence.look(&arms).is_some();
        }
        shown
    })
}

/// The rate of bad requests.
const BASE: f64 = 0.001;
