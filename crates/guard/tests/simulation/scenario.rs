//! What a simulated run lives through: traffic, base rates, ramps and harm. Eight hours, minute by minute.

use daybreak_guard::evidence::{Arms, GuardedMetric, Stage};
use daybreak_model::Percentage;
use rand::{Rng, RngExt};
use rand_distr::{Binomial, Distribution};

/// Minutes of a run.
pub(crate) const MINUTES: u32 = 480;
/// Requests a minute, where they do not vary.
const TRAFFIC: f64 = 1_000.0;

/// How traffic and the base rate of bad requests move.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Both stay as they are.
    Flat,
    /// Traffic between 40 % and 160 %, the rate between 20 % and 180 %, out of step.
    Daily,
    /// Bursts of five minutes on average, once in 45: traffic twice, the rate twenty times as high.
    Bursty,
}

/// What the fault does to a request that it strikes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    /// Nothing.
    None,
    /// It is bad so many times as often.
    Times(f64),
    /// It is bad with so much more probability; this share of the treated requests is struck.
    Points(f64, f64),
}

/// One cell of the simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// The rate of bad requests without the fault, outside bursts.
    pub(crate) base: f64,
    pub(crate) shape: Shape,
    /// From which minute on which percentage is treated, in thousandths of a percent.
    pub(crate) ramp: &'static [(u32, u32)],
    pub(crate) harm: Harm,
    /// So many requests are struck in a minute at most: faults in flight have a cap.
    pub(crate) cap: u64,
    /// How many metrics are guarded; bad requests are spread over all three.
    pub(crate) metrics: usize,
}

/// One minute of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Minute {
    pub(crate) stage: usize,
    pub(crate) treated: u64,
    pub(crate) control: u64,
    pub(crate) struck: u64,
    pub(crate) treated_bad: u64,
    pub(crate) control_bad: u64,
    /// What the fault is expected to turn bad: what the bounds of harm must cover.
    pub(crate) excess: f64,
    /// The sums of the probabilities to be bad: what the intervals of the rates must cover.
    pub(crate) treated_expected: f64,
    pub(crate) control_expected: f64,
}

/// 5 % from the first minute on.
pub(crate) const FIVE: &[(u32, u32)] = &[(0, 5_000)];

impl Scenario {
    /// Harmless, flat, 5 % treated.
    pub(crate) const fn harmless(base: f64, shape: Shape) -> Self {
        Self { base, shape, ramp: FIVE, harm: Harm::None, cap: u64::MAX, metrics: 1 }
    }

    /// The arms before the first request.
    pub(crate) fn arms(&self) -> Arms {
        let stage = |(_, thousandths): &(u32, u32)| Stage::new(percent(*thousandths));
        let stages = self.ramp.iter().map(stage).collect();
        Arms { stages, metrics: GuardedMetric::ALL[..self.metrics].to_vec(), sticky: false, full: false }
    }

    /// In which way a request is bad: of three metrics an error half of the time.
    pub(crate) fn metric(&self, rng: &mut impl Rng) -> GuardedMetric {
        match if self.metrics > 1 { rng.random_range(0..10) } else { 0 } {
            0..5 => GuardedMetric::Error,
            5..8 => GuardedMetric::Slow,
            _ => GuardedMetric::Cancelled,
        }
    }

    /// One minute; `burst` is kept between minutes.
    pub(crate) fn minute(&self, at: u32, burst: &mut bool, rng: &mut impl Rng) -> Minute {
        let (traffic, base) = self.weather(at, burst, rng);
        let stage = self.ramp.iter().rposition(|(from, _)| *from <= at).unwrap_or(0);
        let rho = percent(self.ramp[stage].1).ratio();
        let requests = traffic as u64;
        let treated = binomial(requests, rho, rng);
        let control = requests - treated;
        let (share, harmed) = match self.harm {
            Harm::None => (1.0, base),
            Harm::Times(times) => (1.0, (base * times).min(1.0)),
            Harm::Points(points, share) => (share, (base + points).min(1.0)),
        };
        let struck = binomial(treated, share, rng).min(self.cap);
        let more = harmed - base;
        let reached = if self.cap == u64::MAX { traffic.floor() * rho * share } else { struck as f64 };
        Minute {
            stage,
            treated,
            control,
            struck,
            treated_bad: binomial(struck, harmed, rng) + binomial(treated - struck, base, rng),
            control_bad: binomial(control, base, rng),
            excess: reached * more,
            treated_expected: treated as f64 * base + struck as f64 * more,
            control_expected: control as f64 * base,
        }
    }

    /// Traffic and base rate of a minute.
    fn weather(&self, at: u32, burst: &mut bool, rng: &mut impl Rng) -> (f64, f64) {
        match self.shape {
            Shape::Flat => (TRAFFIC, self.base),
            Shape::Daily => {
                let phase = f64::from(at) / f64::from(MINUTES) * std::f64::consts::TAU;
                (TRAFFIC * (1.0 + 0.6 * (phase + 1.0).sin()), self.base * (1.0 + 0.8 * phase.sin()))
            }
            Shape::Bursty => {
                *burst = rng.random_bool(if *burst { 0.8 } else { 1.0 / 45.0 });
                if *burst { (TRAFFIC * 2.0, (self.base * 20.0).min(0.5)) } else { (TRAFFIC, self.base) }
            }
        }
    }
}

/// A percentage in thousandths of a percent.
pub(crate) fn percent(thousandths: u32) -> Percentage {
    Percentage::from_thousandths(thousandths).unwrap_or(Percentage::FULL)
}

/// How many of `n` come out, each with probability `p`.
pub(crate) fn binomial(n: u64, p: f64, rng: &mut impl Rng) -> u64 {
    Binomial::new(n, p).map_or(0, |binomial| binomial.sample(rng))
}
