//! Figures that were computed apart from this code, from the formulae.

use super::super::resilience::{Plan, excess, harm, treated_needed, treated_needed_more, upper_excess};
use super::super::{harm as harm_test, interval, ratio};
use super::*;

#[test]
fn the_e_value_of_harm() {
    let check = |stages: &[(u32, u64, u64, u64, u64)], expected| close(harm_test::ln_e(&errors(stages)), expected);
    check(&[], 0.0);
    check(&[(5_000, 0, 0, 0, 0)], 0.0);
    check(&[(5_000, 9, 1, 9, 0)], 1.748_162_797_979_191);
    check(&[(5_000, 9, 3, 9, 0)], 6.214_836_576_245_843);
    check(&[(5_000, 99, 10, 99, 50)], 3.987_015_701_564_399);
    check(&[(5_000, 99, 2, 999, 100)], -3.357_756_727_042_192);
    check(&[(1_000, 9, 2, 99, 30), (5_000, 9, 6, 99, 40)], 2.453_502_425_440_676_8);
    check(&[(50_000, 99, 20, 99, 10)], 0.595_341_770_756_833_8);
    // Nothing to compare.
    check(&[(0, 0, 0, 99, 50), (100_000, 99, 50, 0, 0)], 0.0);
}

#[test]
fn the_least_that_aborts() {
    // Treated bad requests beside none of control, with one guarded metric, two, and three.
    let check = |thousandths, expected: [u64; 3]| {
        for (metrics, expected) in (1..).zip(expected) {
            let least = (1..).find(|bad| {
                let mut arms = errors(&[(thousandths, 1_000, *bad, 1_000, 0)]);
                arms.metrics = GuardedMetric::ALL.into_iter().take(metrics).collect();
                harm_test::ln_e(&arms) >= harm_test::THRESHOLD.ln()
            });
            assert_eq!(least, Some(expected), "{thousandths} thousandths, {metrics} metrics");
        }
    };
    check(50_000, [9, 10, 11]);
    check(20_000, [4, 5, 5]);
    check(10_000, [3, 4, 4]);
    check(5_000, [3, 3, 3]);
    check(1_000, [2, 3, 3]);
    check(100, [2, 2, 3]);
}

#[test]
fn the_e_value_of_the_ratio() {
    let check = |thousandths, n1, n0, expected: f64| {
        let got = ratio::ln_e(&errors(&[(thousandths, n1, 0, n0, 0)]));
        assert!((got - expected).abs() < 1e-8, "{got} is not {expected}");
    };
    check(5_000, 50, 950, -0.347_409_097_155_726);
    check(5_000, 100, 950, 9.661_838_301_486_931);
    check(5_000, 500, 9_500, -1.200_466_752_957_822_8);
    check(5_000, 600, 9_500, 6.852_488_640_674_778);
    check(50_000, 5_000, 5_000, -1.199_174_909_083_922);
    check(50_000, 5_300, 5_000, 2.770_492_147_898_494_3);
    // The first request says nothing, wherever it falls.
    check(5_000, 1, 0, 0.0);
    check(5_000, 0, 1, 0.0);
    // What cannot be.
    check(100_000, 50, 0, 0.0);
    assert_eq!(ratio::ln_e(&errors(&[(100_000, 50, 0, 1, 0)])), f64::INFINITY);
    // Keys.
    let arms = Arms { sticky: true, ..errors(&[(5_000, 900, 0, 100, 0)]) };
    assert_eq!(ratio::ln_e(&arms), 0.0);
}

#[test]
fn the_upper_bound_of_harm() {
    let check = |sum, variation, expected| close(upper_excess(sum, variation, 0.05), expected);
    check(0.0, 0.0, 5.681_312_812_926_475);
    check(0.0, 10.0, 12.791_333_109_663_382);
    check(5.0, 5.0, 14.929_628_401_584_036);
    check(-3.0, 40.0, 19.733_693_525_410_644);
    check(100.0, 1_000.0, 198.249_991_234_630_78);
}

#[test]
fn the_lower_bound_of_harm() {
    let check = |stage, expected| close(excess(&errors(&[stage]), 0.05).lower, expected);
    check((5_000, 1_000, 0, 19_000, 0), -5.681_312_812_926_475);
    check((5_000, 1_000, 50, 19_000, 19), 27.924_797_573_789_157);
    check((50_000, 1_000, 50, 1_000, 20), 1.337_903_139_207_059_3);
    check((5_000, 1_000, 5, 19_000, 95), -7.714_841_993_915_686_5);
    check((90_000, 1_000, 50, 100, 2), -56.265_745_841_102_62);
    let nothing = excess(&errors(&[(100_000, 1_000, 50, 0, 0)]), 0.05);
    assert_eq!(nothing.lower, f64::NEG_INFINITY);
}

#[test]
fn harm_of_struck_requests() {
    let arms = errors(&[(5_000, 1_000, 50, 19_000, 19)]);
    let all = harm(&arms, 0.05).unwrap();
    close(all.estimate, 0.049);
    close(all.lower, 0.027_924_797_573_789_157);
    let mut half = arms;
    half.stages[0].treated.struck = 500;
    close(harm(&half, 0.05).unwrap().estimate, 0.098);
    half.stages[0].treated.struck = 0;
    assert_eq!(harm(&half, 0.05), None);
    // Where everything is treated, all that is bad may be the fault's, and none of it need be.
    let all = harm(&errors(&[(100_000, 1_000, 50, 0, 0)]), 0.05).unwrap();
    assert!(all.lower == -1.0 && all.upper > 0.05, "{all:?}");
}

#[test]
fn how_many_treated_requests_a_verdict_needs() {
    let check = |harm, thousandths, base_rate, expected: u64| {
        let rho = percent(thousandths).ratio();
        let plan = Plan { base_rate, odds: rho / (1.0 - rho), struck_share: 1.0, harm };
        assert_eq!(treated_needed(&plan), Some(expected), "{plan:?}");
        // A run that has all of the control's knowledge and no treated request needs the same.
        let halved = Plan { struck_share: 0.5, ..plan };
        assert!(treated_needed(&halved) > Some(expected), "{plan:?}");
    };
    check(0.01, 5_000, 0.0, 569);
    check(0.01, 5_000, 0.001, 630);
    check(0.01, 5_000, 0.01, 1_504);
    check(0.01, 50_000, 0.01, 2_525);
    check(0.001, 5_000, 0.0, 5_682);
    check(0.001, 5_000, 0.001, 15_037);
    check(0.001, 5_000, 0.01, 102_047);
    // The variation grows faster than what it is held against.
    let plan = Plan { base_rate: 0.2, odds: 1.0 / 19.0, struck_share: 1.0, harm: 0.001 };
    assert_eq!(treated_needed(&plan), None);
    assert_eq!(treated_needed(&Plan { harm: 0.0, ..plan }), None);
}

#[test]
fn how_many_more() {
    let check = |stage, expected| assert_eq!(treated_needed_more(&errors(&[stage]), 0.01), expected, "{stage:?}");
    check((5_000, 0, 0, 0, 0), None);
    check((5_000, 0, 0, 19, 0), Some(569));
    check((5_000, 500, 0, 9_500, 0), Some(69));
    check((5_000, 569, 0, 9_500, 0), Some(0));
    // Control happened to do badly.
    check((5_000, 0, 0, 1_000, 10), Some(1_421));
    // A bad request that nothing spoke for must be outweighed.
    check((5_000, 569, 1, 10_000, 0), Some(192));
    // Everything treated: its bad requests count as harm, at 2 % they are too many for ever.
    check((100_000, 1_000, 20, 0, 0), None);
}

#[test]
fn the_interval_of_a_rate() {
    let check = |bad, requests, lower, upper| {
        let got = interval::rate(bad, requests, 0.05);
        close(got.lower, lower);
        close(got.upper, upper);
    };
    check(0, 0, 0.0, 1.0);
    check(0, 3, 0.0, 1.0);
    check(0, 100, 0.0, 0.047_438_645_183_905_79);
    check(1, 100, 0.0, 0.072_052_905_421_366_07);
    check(10, 1_000, 0.002_920_925_969_631_233, 0.022_721_536_565_235_213);
    check(100, 1_000, 0.070_510_184_234_042_58, 0.136_659_366_489_555_23);
    check(1_000, 1_000, 0.889_964_968_229_402_2, 1.0);
}
