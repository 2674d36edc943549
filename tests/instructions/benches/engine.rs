//! How many instructions an evaluation takes: what the machine does meanwhile does not move them. `cargo xtask
//! instructions` compares them with those that were accepted.
//!
//! Each does its work [`TIMES`] over, so that what is done once counts for nothing.

use std::hint::black_box;

use daybreak_engine::{Run, Snapshot};
use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::{Condition, Context, DrawKey, Flag, Key, Percentage, Scalar, Serve};

use counted::{TIMES, counted};
use workloads::{ask, boolean, context, five_rules, flag, key, rule, run, snapshot, split, test};

mod counted;
#[path = "../../../crates/engine/benches/workloads/mod.rs"]
mod workloads;

/// Flags, and whom they are evaluated for, each in turn.
struct Asked {
    snapshot: Snapshot,
    keys: Vec<Key>,
    contexts: Vec<Context>,
}

fn asked(flags: Vec<(Key, Flag)>, contexts: Vec<Context>) -> Asked {
    let snapshot = snapshot(flags.iter().map(|(key, flag)| (key, flag)));
    assert_eq!(snapshot.broken().count(), 0, "every flag can be evaluated");
    let keys = flags.into_iter().map(|(key, _)| key).collect();
    Asked { snapshot, keys, contexts }
}

fn one(flag: Flag) -> Asked {
    asked(vec![(key("new-checkout"), flag)], vec![context()])
}

fn users() -> Asked {
    let users = (0..TIMES).map(|number| Context::new(&format!("user-{number}"))).collect();
    asked(vec![(key("new-checkout"), split())], users)
}

fn many() -> Asked {
    asked((0..TIMES).map(|number| (key(&format!("flag-{number}")), five_rules())).collect(), vec![context()])
}

/// A rule with one test, which does not hold.
fn tested(attribute: &str, asked: Test) -> Asked {
    let rules = vec![rule("one", Some(test(attribute, asked)), Serve::Serve(key("b")))];
    one(flag("a", [("a", "first".into()), ("b", "second".into())], rules))
}

fn regex() -> Asked {
    let pattern = daybreak_model::Pattern::new("(?i)(firefox|chrome|safari)/[0-9]{2,3}", false);
    tested("email", Test::Matches(pattern.unwrap_or_else(|error| panic!("{error}"))))
}

fn large_list() -> Test {
    Test::In((0..10_000).map(|number| Scalar::Text(format!("somebody-{number}@example.org").into())).collect())
}

/// The same list, asked without regard to case; somebody who is on it asks.
fn folded() -> Asked {
    let test = AttributeTest { attribute: "email".into(), test: large_list(), ignore_case: true };
    let rules = vec![rule("one", Some(Condition::Attribute(test)), Serve::Serve(key("b")))];
    let flag = flag("a", [("a", "first".into()), ("b", "second".into())], rules);
    asked(vec![(key("new-checkout"), flag)], vec![Context::new("user-7").with("email", "Somebody-7000@Example.org")])
}

fn evaluate(name: &str, asked: &Asked) {
    let mut sum = 0;
    counted(name, || {
        let (mut keys, mut contexts) = (asked.keys.iter().cycle(), asked.contexts.iter().cycle());
        for _ in 0..TIMES {
            if let (Some(key), Some(context)) = (keys.next(), contexts.next()) {
                sum += ask(&asked.snapshot, black_box(key.as_str()), black_box(context));
            }
        }
    });
    assert!(sum > 0, "{name}: somebody is served something");
}

fn draw(run: &Run, context: &Context) {
    let percentage = Percentage::from_thousandths(1_000).unwrap_or(Percentage::ZERO);
    let mut drawn = 0;
    counted("engine/draw", || {
        drawn +=
            (0..TIMES as u128).filter_map(|bits| black_box(run.draw(percentage, DrawKey::new(bits), context))).count();
    });
    assert!(drawn > 0, "every request is drawn");
}

fn main() {
    evaluate("engine/w1-boolean", &one(boolean()));
    evaluate("engine/w2-five-rules", &one(five_rules()));
    evaluate("engine/w3-split", &users());
    evaluate("engine/w4-five-rules-of-many", &many());
    evaluate("engine/regex", &regex());
    evaluate("engine/list-of-10000", &tested("email", large_list()));
    evaluate("engine/list-of-10000-case-folded", &folded());
    draw(&run(), &context());
}
