//! How long requests take, as quantiles with intervals that hold at every look at once.
//!
//! For each step x of a fixed grid of G steps, the rate of requests slower than x has the interval of
//! [`interval::rate`] with α/G. All of them hold together with probability 1 − α (Boole's inequality), and then
//!
//! ```text
//! slower(x) > 1 − q  ⇒  x < the q-quantile        slower(x) ≤ 1 − q  ⇒  the q-quantile ≤ x
//! ```
//!
//! for every q at once. So one α serves all quantiles. Howard & Ramdas (Bernoulli 2022, arXiv 1906.09712) have narrower
//! bounds for requests that are alike; these suppose no such thing: where times drift, it is the quantile of all
//! requests so far, taken together.

use std::collections::BTreeMap;

use serde::Serialize;

use super::interval;

/// The chance that an interval of any quantile ever misses: 5 %.
pub const ALPHA: f64 = 0.05;

/// Octaves of the grid: from 2^10 µs, a millisecond, to 2^26 µs, a minute.
const OCTAVES: std::ops::Range<u32> = 10..26;
/// Steps of an octave begin at so many quarters of it. The histogram of the SDK has a border at each.
const QUARTERS: std::ops::Range<u64> = 4..8;

/// Where a quantile is, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// It is more than this; 0 where nothing is known.
    pub lower: f64,
    /// It is this at most; none where nothing is known, or it is beyond a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
}

/// What is known of the quantiles of one arm.
#[derive(Clone, Debug)]
pub struct Quantiles {
    /// By step, in milliseconds: the least and the greatest rate of slower requests.
    slower: Vec<(f64, interval::Interval)>,
}

impl Quantiles {
    /// From counts by the longest time of each, in microseconds. A time between a step and the end of its count is taken
    /// for slower than the step; of the SDK's histogram there is none.
    #[must_use]
    pub fn new(latencies: &BTreeMap<u64, u64>, alpha: f64) -> Self {
        let steps: Vec<u64> = steps().collect();
        let total: u64 = latencies.values().fold(0, |sum, count| sum.saturating_add(*count));
        #[expect(clippy::cast_precision_loss, reason = "64 steps, of a minute at most")]
        let (each, millis) = (alpha / steps.len() as f64, |micros: u64| micros as f64 / 1_000.0);
        let slower = |step: &u64| {
            let beyond = latencies.range(step + 1..).fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
            (millis(*step), interval::rate(beyond, total, each))
        };
        Self { slower: steps.iter().map(slower).collect() }
    }

    /// Where the q-quantile is, for q from 0 to 1.
    #[must_use]
    pub fn bounds(&self, q: f64) -> Bounds {
        let tail = 1.0 - q;
        let beyond = self.slower.iter().rev().find(|(_, rate)| rate.lower > tail);
        let within = self.slower.iter().find(|(_, rate)| rate.upper <= tail);
        Bounds { lower: beyond.map_or(0.0, |(step, _)| *step), upper: within.map(|(step, _)| *step) }
    }
}

/// The grid, in microseconds: four steps to an octave, each the last moment before a quarter of it.
fn steps() -> impl Iterator<Item = u64> {
    OCTAVES.flat_map(|octave| QUARTERS.map(move |quarter| (quarter << (octave - 2)) - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_few_and_grow() {
        let steps: Vec<u64> = steps().collect();
        assert_eq!((steps.len(), steps.first(), steps.last()), (64, Some(&1_023), Some(&58_720_255)));
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1] && pair[1] <= pair[0] * 5 / 4 + 1));
    }

    #[test]
    fn bounds_narrow_with_requests() {
        // Half take up to 10 ms, the other half up to 100 ms.
        let of = |requests: u64, q| {
            let latencies = [(10_239, requests / 2), (102_399, requests - requests / 2)].into();
            let Bounds { lower, upper } = Quantiles::new(&latencies, ALPHA).bounds(q);
            (lower, upper)
        };
        let cases = [
            (0, 0.5, (0.0, None)),
            (2, 0.5, (0.0, None)),
            (60, 0.9, (98.303, None)),
            (100, 0.9, (98.303, Some(114.687))),
            (100_000, 0.4, (8.191, Some(10.239))),
            (100_000, 0.5, (8.191, Some(114.687))),
            (100_000, 0.9, (98.303, Some(114.687))),
            (100_000, 0.99, (98.303, Some(114.687))),
        ];
        for (requests, q, expected) in cases {
            assert_eq!(of(requests, q), expected, "{requests} {q}");
        }
    }

    proptest! {
        /// The quantile of the sample itself is never outside, whatever was counted.
        #[test]
        fn the_sample_is_inside(
            latencies in proptest::collection::btree_map(1_u64..100_000_000, 0_u64..10_000, 0..30), q in 0.0..1.0_f64
        ) {
            let Bounds { lower, upper } = Quantiles::new(&latencies, ALPHA).bounds(q);
            let total: u64 = latencies.values().sum();
            let mut passed = 0;
            let sample = latencies.iter().find(|(_, count)| {
                passed += **count;
                passed as f64 >= q * total as f64 && passed > 0
            });
            if let Some((micros, _)) = sample {
                let millis = *micros as f64 / 1_000.0;
                prop_assert!(lower <= millis && upper.is_none_or(|upper| millis <= upper), "{lower} {millis} {upper:?}");
            }
        }
    }

    /// Looked at after every tenth request, over drifting times: 200 runs, of which at most a few may ever miss.
    #[test]
    fn bounds_hold_at_every_look() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut missed = 0;
        for _ in 0..200 {
            let (mut latencies, mut misses) = (BTreeMap::new(), false);
            for number in 1..=400_u32 {
                // Exponential times, whose mean grows from 20 ms to 60 ms.
                let mean = 20_000.0 + f64::from(number) * 100.0;
                let micros = -mean * (1.0 - uniform()).ln();
                // Rounded up to the next step: what the histogram does, more coarsely.
                let step = steps().find(|step| *step as f64 >= micros).unwrap_or(u64::MAX);
                *latencies.entry(step).or_default() += 1;
                if number % 10 == 0 {
                    let quantiles = Quantiles::new(&latencies, ALPHA);
                    let truth = |millis: f64| {
                        let each =
                            (1..=number).map(|of| (-(millis * 1_000.0) / (20_000.0 + f64::from(of) * 100.0)).exp());
                        each.sum::<f64>() / f64::from(number)
                    };
                    misses |= [0.5, 0.9, 0.99].into_iter().any(|q| {
                        let Bounds { lower, upper } = quantiles.bounds(q);
                        (lower > 0.0 && truth(lower) <= 1.0 - q)
                            || upper.is_some_and(|upper| truth(upper) > 1.0 - q + 1e-9)
                    });
                }
            }
            missed += u32::from(misses);
        }
        assert!(missed <= 10, "{missed} of 200 runs missed, where 5 % may");
    }
}
