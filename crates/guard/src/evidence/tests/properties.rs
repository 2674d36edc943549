//! What makes the tests valid, step by step: no factor of an e-value or a bound has a mean over 1.

use proptest::prelude::*;

use super::super::mixture::psi;
use super::super::{harm, interval, ratio, resilience};
use super::*;

const RATES: [f64; 6] = [0.03, 0.06, 0.12, 0.25, 0.5, 0.8];

fn any_stage(most: u64) -> impl Strategy<Value = Stage> {
    let outcomes = move || (0..=most, 0..=most, 0..=most, 0..=most, 0..=most);
    (0..=100_000u32, outcomes(), outcomes()).prop_map(|(thousandths, treated, control)| {
        let of = |(requests, struck, error, slow, cancelled)| Outcomes { requests, struck, error, slow, cancelled };
        stage(percent(thousandths), of(treated), of(control))
    })
}

fn any_arms(most: u64) -> impl Strategy<Value = Arms> {
    let metrics = proptest::sample::subsequence(GuardedMetric::ALL.to_vec(), 0..=3);
    (prop::collection::vec(any_stage(most), 0..5), metrics, any::<bool>()).prop_map(|(stages, metrics, sticky)| Arms {
        stages,
        metrics,
        sticky,
        full: false,
    })
}

proptest! {
    /// Whatever clients report, everything is a number and in order.
    #[test]
    fn nothing_overflows(arms in any_arms(u64::MAX), alpha in 0.001..0.5) {
        prop_assert!(harm::ln_e(&arms).is_finite());
        prop_assert!(!ratio::ln_e(&arms).is_nan());
        let excess = resilience::excess(&arms, alpha);
        prop_assert!(excess.lower <= excess.sum && excess.sum <= excess.upper, "{excess:?}");
        prop_assert!(!excess.lower.is_nan() && excess.upper.is_finite());
        if let Some(bounds) = resilience::harm(&arms, alpha) {
            prop_assert!(-1.0 <= bounds.lower && bounds.lower <= bounds.estimate);
            prop_assert!(bounds.estimate <= bounds.upper && bounds.upper <= 1.0);
        }
        let (bad, requests) = (arms.treated().bad_in(&arms.metrics), arms.treated().requests);
        let rate = interval::rate(bad, requests, alpha);
        prop_assert!(0.0 <= rate.lower && rate.lower <= rate.upper && rate.upper <= 1.0, "{rate:?}");
        let _ = resilience::treated_needed_more(&arms, 0.01);
    }

    /// The next bad request is treated with probability ρ, and leaves E on average where it was.
    #[test]
    fn the_e_value_of_harm_is_a_martingale(thousandths in 1..100_000u32, k in 0..200u64, m in 0..200u64) {
        let rho = percent(thousandths).ratio();
        let ln_e = |k, m| harm::ln_e(&errors(&[(thousandths, 999, k, 999, m)]));
        let next = rho * (ln_e(k + 1, m) - ln_e(k, m)).exp() + (1.0 - rho) * (ln_e(k, m + 1) - ln_e(k, m)).exp();
        prop_assert!((next - 1.0).abs() < 1e-9, "{next}");
    }

    /// Two stages with one percentage are as one, and the order of stages does not matter.
    #[test]
    fn stages_add_up(thousandths in 1..100_000u32, a in 0..99u64, b in 0..99u64, c in 0..99u64, d in 0..99u64) {
        let split = errors(&[(thousandths, 99, a, 99, b), (50_000, 9, c, 9, 5), (thousandths, 99, c, 99, d)]);
        let merged = errors(&[(50_000, 9, c, 9, 5), (thousandths, 198, a + c, 198, b + d)]);
        prop_assert!((harm::ln_e(&split) - harm::ln_e(&merged)).abs() < 1e-9);
        let (split, merged) = (resilience::excess(&split, 0.05), resilience::excess(&merged, 0.05));
        prop_assert!((split.upper - merged.upper).abs() < 1e-6 * merged.upper.abs().max(1.0));
        prop_assert!(split.lower == merged.lower || (split.lower - merged.lower).abs() < 1e-6 * merged.lower.abs().max(1.0));
    }

    #[test]
    fn the_e_value_of_the_ratio_is_a_martingale(thousandths in 1..100_000u32, n1 in 0..5_000u64, n0 in 0..5_000u64) {
        let rho = percent(thousandths).ratio();
        let ln_e = |n1, n0| ratio::ln_e(&errors(&[(thousandths, n1, 0, n0, 0)]));
        let next = rho * (ln_e(n1 + 1, n0) - ln_e(n1, n0)).exp() + (1.0 - rho) * (ln_e(n1, n0 + 1) - ln_e(n1, n0)).exp();
        prop_assert!((next - 1.0).abs() < 1e-6, "{next}");
    }

    /// The factors behind both bounds of harm, for one request with any probabilities to be bad.
    #[test]
    fn the_bounds_of_harm_bet_on_no_gain(rho in 0.0001..0.9999f64, with in 0.0..=1.0f64, without in 0.0..=1.0f64) {
        let odds = rho / (1.0 - rho);
        let mean = rho * (with - without);
        // (D, its probability): bad treated, bad control, and not bad.
        let treated = rho * with;
        let control = (1.0 - rho) * without;
        let outcomes = [(1.0, treated), (-odds, control), (0.0, 1.0 - treated - control)];
        for rate in RATES {
            let factor = |(d, p): (f64, f64)| p * (rate * (mean - d) - psi(rate) * d * d).exp();
            prop_assert!(outcomes.into_iter().map(factor).sum::<f64>() <= 1.0 + 1e-12);
            if rate * odds < 1.0 {
                let cost = psi(rate * odds) / (odds * odds);
                let factor = |(d, p): (f64, f64)| p * (rate * (d - mean) - cost * d * d).exp();
                prop_assert!(outcomes.into_iter().map(factor).sum::<f64>() <= 1.0 + 1e-9);
            }
        }
    }

    /// The factor behind the interval, for one request with any probability to be bad.
    #[test]
    fn the_interval_bets_on_no_gain(sum in 0.0..1_000.0f64, bad in 0..1_000u32, p in 0.0..=1.0f64) {
        let ln = |sum: f64, bad: u32| interval::ln_mixture(sum, f64::from(bad));
        let now = ln(sum, bad);
        let next = p * (ln(sum + p, bad + 1) - now).exp() + (1.0 - p) * (ln(sum + p, bad) - now).exp();
        prop_assert!(next <= 1.0 + 1e-9, "{next}");
    }

    /// More bad treated requests never make harm look smaller, nor more bad control larger.
    #[test]
    fn bounds_move_with_the_counts(thousandths in 1..100_000u32, k in 0..500u64, m in 0..500u64) {
        let of = |k, m| resilience::excess(&errors(&[(thousandths, 1_000, k, 1_000, m)]), 0.05);
        let (now, worse, better) = (of(k, m), of(k + 1, m), of(k, m + 1));
        prop_assert!(worse.upper > now.upper && better.sum < now.sum);
        prop_assert!(better.lower <= now.lower, "{now:?} {better:?}");
    }

    /// So many more treated requests are enough, and one less is not.
    #[test]
    fn needed_is_the_least(base_rate in 0.0..0.01f64, thousandths in 1..50_000u32, share in 0.5..=1.0f64) {
        let rho = percent(thousandths).ratio();
        let odds = rho / (1.0 - rho);
        let plan = resilience::Plan { base_rate, odds, struck_share: share, harm: 0.01 };
        let enough = |treated: u64| {
            let treated = treated as f64;
            resilience::upper_excess(0.0, treated * base_rate * (1.0 + odds), 0.05) <= 0.01 * treated * share
        };
        let needed = resilience::treated_needed(&plan).unwrap();
        prop_assert!(enough(needed) && !enough(needed - 1));
    }
}
