//! Verdicts and their reasons, by counts.

use daybreak_model::{Cause, Verdict};

use super::super::{Because, Evidence, Finding};
use super::*;

/// Looks at each in turn; the verdict is that of the last, where 1 % of harm is tolerated.
fn check(looks: &[Arms], expected: (Option<Cause>, Verdict, Because)) {
    let mut evidence = Evidence::default();
    let mut cause = None;
    for arms in looks {
        cause = evidence.look(arms);
    }
    let finding = evidence.finding(&looks[looks.len() - 1], percent(1_000));
    assert_eq!((cause, finding.verdict, finding.because), expected, "{looks:?}: {finding:?}");
}

const GOOD: (u32, u64, u64, u64, u64) = (5_000, 569, 0, 10_800, 0);
const HARMED: (u32, u64, u64, u64, u64) = (5_000, 569, 3, 10_800, 0);
const LOST: (u32, u64, u64, u64, u64) = (5_000, 569, 0, 2_000, 0);

#[test]
fn a_verdict_has_a_reason() {
    let inconclusive = |because| (None, Verdict::Inconclusive, because);
    check(&[errors(&[GOOD])], (None, Verdict::Resilient, Because::HarmRuledOut));
    check(&[errors(&[HARMED])], (Some(Cause::Harm), Verdict::Harmful, Because::HarmShown));
    check(
        &[errors(&[LOST])],
        (Some(Cause::InstrumentationBroken), Verdict::Inconclusive, Because::InstrumentationBroken),
    );
    check(&[errors(&[(5_000, 500, 0, 9_500, 0)])], inconclusive(Because::TooFewRequests { treated: 69 }));
    check(&[errors(&[])], inconclusive(Because::NothingStruck));
    let mut spared = errors(&[GOOD]);
    spared.stages[0].treated.struck = 284;
    check(&[spared], inconclusive(Because::StruckTooFew { share: 284.0 / 569.0 }));
    let mut busy = errors(&[(5_000, 5_000, 1_000, 95_000, 19_000)]);
    busy.stages[0].treated.struck = 2_500;
    check(&[busy], inconclusive(Because::TooFewRequests { treated: 84_780 }));
    check(&[errors(&[(100_000, 1_000, 200, 0, 0)])], inconclusive(Because::OutOfReach));
}

#[test]
fn thresholds_are_exact() {
    let look = |row: (u32, u64, u64, u64, u64)| Evidence::default().look(&errors(&[row]));
    // E is 52 with one bad request of control, 147 without.
    assert_eq!(look((10_000, 569, 3, 5_000, 1)), None);
    assert_eq!(look((10_000, 569, 3, 5_000, 0)), Some(Cause::Harm));
    // E of the arms' sizes is 450, and 2,407 with ten more.
    assert_eq!(look((5_000, 590, 0, 9_410, 0)), None);
    assert_eq!(look((5_000, 600, 0, 9_400, 0)), Some(Cause::InstrumentationBroken));
    // The bound is 1.007 % of 565.
    let short = (5_000, 565, 0, 10_735, 0);
    let full = Arms { full: true, ..errors(&[GOOD]) };
    check(&[full], (None, Verdict::Inconclusive, Because::KeysFull));
    check(&[errors(&[short])], (None, Verdict::Inconclusive, Because::TooFewRequests { treated: 4 }));
}

#[test]
fn what_was_shown_first_stays() {
    let more = (5_000, 100_000, 3, 1_900_000, 0);
    check(&[errors(&[HARMED]), errors(&[more])], (Some(Cause::Harm), Verdict::Harmful, Because::HarmShown));
    let both = (LOST.0, LOST.1, 3, LOST.3, 0);
    let broken = (Some(Cause::InstrumentationBroken), Verdict::Inconclusive, Because::InstrumentationBroken);
    check(&[errors(&[LOST]), errors(&[both])], broken);
    check(&[errors(&[both])], broken);
    check(&[errors(&[HARMED]), errors(&[both])], (Some(Cause::Harm), Verdict::Harmful, Because::HarmShown));
}

#[test]
fn a_ramp_of_keys_can_find_harm_but_not_resilience() {
    let ramp = |bad| {
        let mut arms = errors(&[(1_000, 900, 0, 90_000, 0), (5_000, 900, bad, 17_000, 0)]);
        arms.sticky = true;
        arms
    };
    check(&[ramp(0)], (None, Verdict::Inconclusive, Because::StickyRamp));
    check(&[ramp(3)], (Some(Cause::Harm), Verdict::Harmful, Because::HarmShown));
    // Without a ramp, and with stages that have not begun.
    let flat = Arms { sticky: true, ..errors(&[GOOD, (10_000, 0, 0, 0, 0)]) };
    check(&[flat], (None, Verdict::Resilient, Because::HarmRuledOut));
}

#[test]
fn the_greatest_e_value_counts() {
    let mut evidence = Evidence::default();
    assert_eq!(evidence.harm().p(), 1.0);
    evidence.look(&errors(&[(5_000, 500, 2, 9_500, 0)]));
    let greatest = evidence.harm();
    assert!(greatest.p() < 0.05 && greatest.p() > 0.01, "{greatest:?}");
    evidence.look(&errors(&[(5_000, 500, 2, 9_500, 50)]));
    assert_eq!(evidence.harm(), greatest);
}

#[test]
fn a_finding_is_json() {
    let mut evidence = Evidence::default();
    let arms = errors(&[(5_000, 500, 0, 9_500, 0)]);
    evidence.look(&arms);
    let finding = evidence.finding(&arms, percent(1_000));
    let json = serde_json::to_value(&finding).unwrap();
    assert_eq!(serde_json::from_value::<Finding>(json.clone()).unwrap(), finding);
    assert_eq!(json["verdict"], "inconclusive");
    assert_eq!(json["because"], serde_json::json!({"code": "too_few_requests", "treated": 69}));
    assert_eq!(json["treated"]["requests"], 500);
    assert!(json["harm"]["upper"].is_f64(), "{json}");
    assert_eq!(
        Because::TooFewRequests { treated: 69 }.to_string(),
        "about 69 more treated requests are needed if the fault does no harm"
    );
}
