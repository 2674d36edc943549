//! What runs do: whom they select, how often they strike, and for how long.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use daybreak_engine::{Failure, Run};
use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::wire::RunSpec;
use daybreak_model::{
    Arm, Condition, Context, Distribution, DrawBy, DrawKey, Effect, ErrorEffect, Hang, Key, Latency, Millis,
    Percentage, RunId,
};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn equals(attribute: &str, value: &str) -> Condition {
    let test = Test::Equals(value.into());
    Condition::Attribute(AttributeTest { attribute: attribute.into(), test, ignore_case: false })
}

fn spec(effect: Effect) -> RunSpec {
    RunSpec {
        fault: key("slow"),
        point: key("payment.gateway"),
        operation: None,
        host: None,
        when: None,
        segments: BTreeMap::new(),
        protect: Vec::new(),
        by: DrawBy::Request,
        salt: "salt".to_owned(),
        effect,
        times: None,
        shadow: false,
        measure: None,
    }
}

fn run(spec: RunSpec) -> Run {
    Run::compile(RunId::new(1), spec).unwrap()
}

/// Mean and standard deviation of 100,000 latencies, in milliseconds.
fn moments(distribution: Distribution, max: Millis) -> (f64, f64) {
    let run = run(spec(Effect { latency: Some(Latency { distribution, max }), ..Effect::default() }));
    let samples: Vec<f64> = (0..100_000)
        .map(|number| run.strike(DrawKey::new(number), 0).unwrap().latency.unwrap().as_secs_f64() * 1_000.0)
        .collect();
    let count = 100_000.0;
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[test]
fn latencies_have_the_moments_of_their_distributions() {
    let ms = Millis::new;
    let long = Millis::from_secs(30);
    let sigma = 0.5_f64;
    let lognormal = 200.0 * (sigma.powi(2) / 2.0).exp();
    let cases = [
        (Distribution::Fixed(ms(300)), 300.0, 0.0),
        (Distribution::Uniform { from: ms(100), to: ms(300) }, 200.0, 200.0 / 12_f64.sqrt()),
        (Distribution::Normal { mean: ms(300), sd: ms(50) }, 300.0, 50.0),
        (Distribution::Exponential { mean: ms(200) }, 200.0, 200.0),
        (Distribution::Lognormal { median: ms(200), sigma }, lognormal, lognormal * (sigma.powi(2).exp() - 1.0).sqrt()),
        (Distribution::Pareto { min: ms(100), shape: 5.0 }, 125.0, 100.0 * (5.0_f64 / (16.0 * 3.0)).sqrt()),
    ];
    for (distribution, mean, sd) in cases {
        let (sampled_mean, sampled_sd) = moments(distribution, long);
        // The samples are the same at each run; five standard errors leave room for no mistake in a formula.
        let error = 5.0 * sd / 100_000_f64.sqrt() + 1e-6;
        assert!((sampled_mean - mean).abs() <= error, "{distribution:?}: mean {sampled_mean}, not {mean}");
        assert!((sampled_sd - sd).abs() <= 0.05 * sd + 1e-6, "{distribution:?}: sd {sampled_sd}, not {sd}");
    }
}

/// Invariant 4: no sample is longer than `max`, nor than the limit of all.
#[test]
fn invariant_4_no_latency_is_longer_than_its_max() {
    let cases = [
        (Distribution::Pareto { min: Millis::new(100), shape: 0.1 }, Millis::new(150), 150),
        (Distribution::Fixed(Millis::from_secs(3_600)), Millis::from_secs(3_600), 30_000),
        (Distribution::Normal { mean: Millis::ZERO, sd: Millis::new(50) }, Millis::new(20), 20),
        (Distribution::Exponential { mean: Millis::ZERO }, Millis::new(20), 20),
        (Distribution::Lognormal { median: Millis::ZERO, sigma: 10.0 }, Millis::new(20), 20),
    ];
    for (distribution, max, longest) in cases {
        let run = run(spec(Effect { latency: Some(Latency { distribution, max }), ..Effect::default() }));
        for number in 0..1_000 {
            let latency = run.strike(DrawKey::new(number), 0).unwrap().latency.unwrap();
            assert!(latency <= Duration::from_millis(longest), "{distribution:?}: {latency:?}");
        }
    }
}

#[test]
fn the_same_request_meets_the_same_strike_and_another_pass_another() {
    let latency = Latency {
        distribution: Distribution::Uniform { from: Millis::ZERO, to: Millis::new(900) },
        max: Millis::from_secs(1),
    };
    let run = run(spec(Effect { latency: Some(latency), ..Effect::default() }));
    let strike = |key, pass| run.strike(DrawKey::new(key), pass).unwrap().latency;
    assert_eq!(strike(7, 0), strike(7, 0));
    assert_ne!(strike(7, 0), strike(7, 1));
    assert_ne!(strike(7, 0), strike(8, 0));
}

#[test]
fn effects_strike_as_they_are_written() {
    let error = ErrorEffect { status: Some(503), code: Some("down".into()), message: None };
    let data = serde_json::json!({"results": []});
    let hang = Some(Hang { max: Millis::from_secs(60) });
    let effect = Effect { latency: None, hang, data: Some(data.clone()), error: Some(error.clone()), abort: false };
    let all = run(spec(effect));
    let strike = all.strike(DrawKey::new(1), 0).unwrap();
    assert_eq!(strike.hang, Some(Duration::from_secs(30)), "no hang is longer than the limit");
    assert_eq!((strike.latency, strike.data, strike.then), (None, Some(&data), Some(Failure::Error(&error))));
    let abort = run(spec(Effect { abort: true, ..Effect::default() }));
    assert_eq!(abort.strike(DrawKey::new(1), 0).unwrap().then, Some(Failure::Abort));
}

#[test]
fn times_lets_the_retry_through_and_a_shadow_strikes_nothing() {
    let effect = Effect { abort: true, ..Effect::default() };
    let once = run(RunSpec { times: NonZeroU32::new(1), ..spec(effect.clone()) });
    assert!(once.strike(DrawKey::new(1), 0).is_some() && once.strike(DrawKey::new(1), 1).is_none());
    let shadow = run(RunSpec { shadow: true, ..spec(effect) });
    assert!(shadow.strike(DrawKey::new(1), 0).is_none());
    assert_eq!(shadow.draw(Percentage::FULL, DrawKey::new(1), &Context::default()), Some(Arm::Treated));
}

/// Invariant 4: a run selects only what it names, and never whom it might have to protect.
#[test]
fn invariant_4_protected_segments_are_never_selected() {
    let abort = Effect { abort: true, ..Effect::default() };
    let vip = BTreeMap::from([(key("vip"), equals("plan", "vip"))]);
    let run = run(RunSpec {
        operation: Some("POST /checkout".into()),
        host: Some("pay.example".into()),
        when: Some(equals("country", "DE")),
        segments: vip,
        protect: vec![key("vip")],
        ..spec(abort)
    });
    let context = |country: &str, plan: &str| Context::new("u").with("country", country).with("plan", plan);
    let cases = [
        ("POST /checkout", Some("pay.example"), context("DE", "free"), true),
        ("POST /checkout", Some("PAY.example"), context("DE", "free"), true),
        ("GET /", Some("pay.example"), context("DE", "free"), false),
        ("POST /checkout", Some("other.example"), context("DE", "free"), false),
        ("POST /checkout", None, context("DE", "free"), false),
        ("POST /checkout", Some("pay.example"), context("FR", "free"), false),
        ("POST /checkout", Some("pay.example"), Context::new("u").with("plan", "free"), false),
        ("POST /checkout", Some("pay.example"), context("DE", "vip"), false),
        // Where nobody knows whether they are to be protected, they are.
        ("POST /checkout", Some("pay.example"), Context::new("u").with("country", "DE"), false),
    ];
    for (operation, host, context, selected) in cases {
        assert_eq!(run.selects(operation, host, &context), selected, "{operation} {host:?} {context:?}");
    }
}

#[test]
fn a_sticky_draw_is_by_its_attribute_alone() {
    let abort = Effect { abort: true, ..Effect::default() };
    let run = run(RunSpec { by: DrawBy::Attribute("account".into()), ..spec(abort) });
    let half = Percentage::from_thousandths(50_000).unwrap();
    let draw = |key, account: i32| run.draw(half, DrawKey::new(key), &Context::default().with("account", account));
    for account in 0..100 {
        assert_eq!(draw(1, account), draw(2, account));
    }
    assert!((0..100).any(|account| draw(1, account) == Some(Arm::Treated)));
    assert_eq!(run.draw(half, DrawKey::new(1), &Context::new("u")), None, "without its key it is in neither arm");
}
