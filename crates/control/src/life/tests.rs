//! Lives over months, in a moment; and over restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_document::Source;
use daybreak_model::wire::Evaluations;
use daybreak_model::{Context, Kind};

use super::*;
use crate::testing::{Bench, TestClient};
use crate::{Actor, ApplyOptions, Options, Precondition};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const FLAGS: &str = r#"
flags:
  checkout: { default: on, owner: payments }
  layout: { variants: { list: 1, grid: 2 }, default: list, rules: [ { name: all, rollout: { grid: 30%, list: 70% } } ] }
  kept: { default: on, tags: [ permanent ] }
  old: { default: on, expires: 2026-11-20 }
  base: { default: on }
  dependent: { default: on, prerequisites: { base: on } }
"#;

async fn bench() -> Bench {
    let bench = Bench::empty(Options::new("test")).await;
    let sources = vec![Source::new("test.yaml", FLAGS)];
    bench.control.apply(sources, ApplyOptions::default(), Actor::default()).await.unwrap();
    bench
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// A client tells how often it was served what, in all.
fn evaluated(bench: &Bench, client: &mut TestClient, counts: &[(&str, &str, u64)]) {
    let mut evaluations: BTreeMap<Key, Evaluations> = BTreeMap::new();
    for (flag, variant, count) in counts {
        evaluations.entry(key(flag)).or_default().variants.insert(key(variant), *count);
    }
    client.report.evaluations = evaluations;
    client.report(&bench.control);
}

fn stale(bench: &Bench) -> Vec<(String, Vec<StaleWhy>)> {
    let stale = bench.control.stale_flags(STALE_AFTER_DEFAULT).stale;
    let whys = |stale: StaleFlag| stale.reasons.iter().map(|reason| reason.why).collect();
    stale.into_iter().map(|stale| (stale.flag.to_string(), whys(stale))).collect()
}

fn named(name: &str, why: StaleWhy) -> (String, Vec<StaleWhy>) {
    (name.to_owned(), vec![why])
}

async fn life(bench: &Bench, flag: &str) -> LifeView {
    bench.control.life(flag, STALE_AFTER_DEFAULT).await.unwrap()
}

#[tokio::test]
async fn what_can_be_removed_and_why() {
    use StaleWhy::{Expired, NeverEvaluated, SameVariant, Unused};
    let bench = bench().await;
    let mut client = TestClient::new(1);
    assert_eq!(stale(&bench), [named("old", Expired)], "what is new is not stale");
    for day in 1..=31_u64 {
        let mut counts = vec![("checkout", "on", day * 10), ("layout", "grid", day * 3), ("layout", "list", day * 7)];
        counts.push(("base", "on", day));
        evaluated(&bench, &mut client, &counts);
        bench.clock.advance(DAY);
    }
    let expected = [named("checkout", SameVariant), named("dependent", NeverEvaluated)];
    assert_eq!(stale(&bench), [&expected[..], &[("old".to_owned(), vec![Expired, NeverEvaluated])]].concat());
    let shown = life(&bench, "checkout").await;
    assert_eq!(shown.stale[0].sentence, "it has served nothing but `on` since 2026-11-23");
    assert_eq!((shown.evaluations, shown.days.len(), shown.owner.as_deref()), (290, 29, Some("payments")));
    let shown = life(&bench, "layout").await;
    assert!((shown.variants[&key("grid")].share - 0.3).abs() < 1e-9, "{shown:?}");
    assert_eq!(life(&bench, "base").await.used_by, [key("dependent")]);
    bench.clock.advance(DAY * 30);
    let whys: BTreeMap<_, _> = stale(&bench).into_iter().collect();
    assert_eq!((&whys["checkout"], &whys["layout"], whys.contains_key("kept")), (&vec![Unused], &vec![Unused], false));
    assert!(!whys.contains_key("base"), "what others need is evaluated within them");
}

#[tokio::test]
async fn a_life_outlives_the_server() {
    let bench = bench().await;
    let mut client = TestClient::new(1);
    evaluated(&bench, &mut client, &[("checkout", "on", 7)]);
    bench.clock.advance(DAY);
    evaluated(&bench, &mut client, &[("checkout", "on", 9), ("checkout", "off", 1)]);
    let before = life(&bench, "checkout").await;
    assert_eq!(before.created_at.map(|at| at.to_string()).as_deref(), Some(crate::testing::MONDAY));
    bench.control.keep_counts().await;
    bench.clock.advance(DAY);
    let bench = bench.restarted().await;
    assert_eq!(life(&bench, "checkout").await, before);
    // A client that is met again tells what it had told before.
    evaluated(&bench, &mut client, &[("checkout", "on", 9), ("checkout", "off", 1)]);
    assert_eq!(life(&bench, "checkout").await, before);
    evaluated(&bench, &mut client, &[("checkout", "on", 10), ("checkout", "off", 1)]);
    assert_eq!(life(&bench, "checkout").await.variants[&key("on")].count, 10);
    // What is removed is forgotten, also by the store.
    bench.control.delete(Kind::Flag, "checkout", Precondition::None, Actor::default()).await.unwrap();
    bench.control.keep_counts().await;
    assert!(!load(&*bench.control.inner.store).await.unwrap().contains_key("checkout"));
}

#[tokio::test]
async fn lives_are_kept_each_minute() {
    let bench = bench().await;
    let mut client = TestClient::new(1);
    evaluated(&bench, &mut client, &[("checkout", "on", 7)]);
    let kept = async || load(&*bench.control.inner.store).await.unwrap().get("checkout").and_then(|life| life.first);
    bench.clock.advance(Duration::from_secs(59));
    bench.control.tick().await;
    assert_eq!(kept().await, None);
    bench.clock.advance(Duration::from_secs(1));
    bench.control.tick().await;
    assert!(kept().await.is_some());
}

#[tokio::test]
async fn evaluations_by_ofrep_count() {
    let bench = bench().await;
    let state = bench.control.state();
    for _ in 0..3 {
        let answer = state.snapshot().evaluate("checkout", &Context::default());
        bench.control.tally_one(&state, &answer);
    }
    // Also those by a state that is no more.
    bench.control.disable(Kind::Flag, "checkout", Precondition::None, Actor::default()).await.unwrap();
    let state = bench.control.state();
    let answer = state.snapshot().evaluate("checkout", &Context::default());
    bench.control.tally_one(&state, &answer);
    bench.control.tally_one(&state, &state.snapshot().evaluate("layout", &Context::default()));
    let shown = life(&bench, "checkout").await;
    assert_eq!((shown.variants[&key("on")].count, shown.variants[&key("off")].count), (3, 1));
    assert_eq!(life(&bench, "layout").await.errors, 1, "its split had no key");
}

#[tokio::test]
async fn an_answer_with_all_flags_is_no_evaluation_of_each() {
    use StaleWhy::{NeverEvaluated, Unused};
    let bench = bench().await;
    let count = |flag: &str, asked| {
        let state = bench.control.state();
        let answer = state.snapshot().evaluate(flag, &Context::default());
        match asked {
            Asked::Flag => bench.control.tally_one(&state, &answer),
            Asked::All => bench.control.tally(&state).count(&answer),
        }
    };
    count("checkout", Asked::Flag);
    for _ in 0..31 {
        ["checkout", "dependent", "layout"].iter().for_each(|flag| count(flag, Asked::All));
        bench.control.follow_flags();
        bench.clock.advance(DAY);
    }
    let (checkout, dependent) = (life(&bench, "checkout").await, life(&bench, "dependent").await);
    assert_eq!((checkout.stale[0].why, dependent.stale[0].why), (Unused, NeverEvaluated));
    assert_eq!(checkout.stale[0].sentence, "it was last evaluated on 2026-11-23, except in answers with all flags");
    assert_eq!((checkout.first_evaluated_at, dependent.first_evaluated_at), (checkout.last_evaluated_at, None));
    assert_eq!((dependent.evaluations, dependent.variants[&key("on")].count), (29, 29), "what it served is counted");
    let (one, all) = (bench.control.answered(Asked::Flag), bench.control.answered(Asked::All));
    assert_eq!((one, all), (Answered { served: 1, errors: 0 }, Answered { served: 62, errors: 31 }));
}

#[tokio::test]
async fn two_may_count_at_once() {
    let bench = bench().await;
    let state = bench.control.state();
    let answer = state.snapshot().evaluate("checkout", &Context::default());
    // On one thread, so into the same counts: whoever held them while it evaluates would wait for itself here.
    let (mut one, mut other) = (bench.control.tally(&state), bench.control.tally(&state));
    one.count(&answer);
    other.count(&answer);
    bench.control.tally_one(&state, &answer);
    drop((one, other));
    assert_eq!(life(&bench, "checkout").await.evaluations, 3);
}

#[tokio::test]
async fn every_variant_counts_however_many_there_are() {
    let bench = Bench::empty(Options::new("test")).await;
    let names = ["a", "b", "c", "d", "e"];
    let variants = "{ a: 1, b: 2, c: 3, d: 4, e: 5 }";
    let flags = names.map(|name| format!("  of-{name}: {{ variants: {variants}, off: a, default: {name} }}\n"));
    let sources = vec![Source::new("test.yaml", format!("flags:\n{}", flags.concat()))];
    bench.control.apply(sources, ApplyOptions::default(), Actor::default()).await.unwrap();
    let state = bench.control.state();
    for _ in 0..2 {
        let mut tally = bench.control.tally(&state);
        let snapshot = state.snapshot();
        snapshot.flags().for_each(|flag| tally.count(&snapshot.evaluate_at(flag.index, &Context::default())));
    }
    for name in names {
        let life = life(&bench, &format!("of-{name}")).await;
        assert_eq!((life.evaluations, life.variants[&key(name)].count), (2, 2), "{name}");
    }
}

#[tokio::test]
async fn unknown_flags_are_listed_with_what_was_meant() {
    let bench = bench().await;
    let mut client = TestClient::new(1);
    client.report.unknown_flags = [("chekout".to_owned(), 5), ("something-else".to_owned(), 1)].into();
    client.report(&bench.control);
    bench.control.asked_in_vain("chekout");
    let unknown = bench.control.stale_flags(STALE_AFTER_DEFAULT).unknown;
    assert_eq!((unknown[0].name.as_str(), unknown[0].count, &unknown[0].near), ("chekout", 6, &Some(key("checkout"))));
    assert_eq!(unknown[0].services.iter().collect::<Vec<_>>(), ["OFREP", "shop"]);
    assert_eq!((unknown[1].name.as_str(), &unknown[1].near), ("something-else", &None));
    let new = Source::new("new", "{ default: on }");
    bench.control.put(Kind::Flag, "chekout", new, Precondition::None, Actor::default()).await.unwrap();
    assert_eq!(bench.control.stale_flags(STALE_AFTER_DEFAULT).unknown.len(), 1, "it is there now");
}
