//! Any sequence of edits, operators' changes and restarts, against a model of a few lines.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use daybreak_document::Source;
use daybreak_model::{Kind, Resources};
use proptest::prelude::*;

use crate::testing::Bench;
use crate::{Actor, Options, Precondition};

const OWNERS: [&str; 3] = ["ada", "bob", "eve"];

/// All of a flag that this test looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Flag {
    enabled: bool,
    owner: Option<usize>,
}

type Flags = BTreeMap<u8, Flag>;

#[derive(Clone, Debug)]
enum Step {
    /// A flag of the file, or that it goes from there.
    Edit(u8, Option<Flag>),
    Put(u8, Flag),
    Switch(u8, bool),
    Delete(u8),
    Restart,
    /// The server starts while the file is broken, and then it is mended.
    Broken,
    /// The file is edited while the server is down.
    Missed(u8, Option<Flag>),
}

fn flag() -> impl Strategy<Value = Flag> {
    (any::<bool>(), prop::option::of(0..OWNERS.len())).prop_map(|(enabled, owner)| Flag { enabled, owner })
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..3_u8;
    prop_oneof![
        4 => (key(), prop::option::weighted(0.8, flag())).prop_map(|(key, flag)| Step::Edit(key, flag)),
        2 => (key(), flag()).prop_map(|(key, flag)| Step::Put(key, flag)),
        3 => (key(), any::<bool>()).prop_map(|(key, enabled)| Step::Switch(key, enabled)),
        1 => key().prop_map(Step::Delete),
        2 => Just(Step::Restart),
        1 => Just(Step::Broken),
        1 => (key(), prop::option::weighted(0.8, flag())).prop_map(|(key, flag)| Step::Missed(key, flag)),
    ]
}

/// What is to be, by the rule in words: what the file changed wins, all else stays.
fn merge(base: &Flags, file: &Flags, current: &Flags) -> Flags {
    let one = |key: u8| match (base.get(&key), file.get(&key), current.get(&key)) {
        (Some(base), Some(file), Some(current)) => Some(Flag {
            enabled: if file.enabled == base.enabled { current.enabled } else { file.enabled },
            owner: if file.owner == base.owner { current.owner } else { file.owner },
        }),
        // It was made by curl, and the file takes it over: what it does not write stays.
        (None, Some(file), Some(current)) => {
            Some(Flag { enabled: file.enabled && current.enabled, owner: file.owner.or(current.owner) })
        }
        (base, file, current) => if file == base { current } else { file }.copied(),
    };
    (0..3).filter_map(|key| Some((key, one(key)?))).collect()
}

fn shown(resources: &Resources) -> Flags {
    let flag = |flag: &daybreak_model::Flag| Flag {
        enabled: flag.enabled,
        owner: flag.owner.as_ref().and_then(|owner| OWNERS.iter().position(|known| known == owner)),
    };
    resources.flags.iter().map(|(key, found)| (key.as_str()[1..].parse().unwrap(), flag(found))).collect()
}

fn body(flag: Flag) -> String {
    let owner = flag.owner.map_or_else(String::new, |owner| format!(", owner: {}", OWNERS[owner]));
    format!("{{ default: off, enabled: {}{owner} }}", flag.enabled)
}

fn text(file: &Flags) -> String {
    let mut text = "# the shop's flags\nflags:".to_owned();
    for (key, flag) in file {
        write!(text, "\n  f{key}: {}", body(*flag)).unwrap();
    }
    text + if file.is_empty() { " {}\n" } else { "\n" }
}

fn set(flags: &mut Flags, key: u8, flag: Option<Flag>) {
    match flag {
        Some(flag) => drop(flags.insert(key, flag)),
        None => drop(flags.remove(&key)),
    }
}

async fn go(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.yaml");
    let (mut base, mut file, mut current) = (Flags::new(), Flags::new(), Flags::new());
    fs::write(&path, text(&file)).unwrap();
    let mut bench = Bench::empty(Options::new("test")).await;
    bench.control.start_files(folder.path()).await.unwrap();
    for step in steps {
        let revision = bench.control.position().revision;
        let (none, actor) = (Precondition::None, Actor::default());
        match step {
            Step::Edit(key, flag) | Step::Missed(key, flag) => set(&mut file, key, flag),
            Step::Put(key, flag) => drop(current.insert(key, flag)),
            Step::Switch(key, enabled) => drop(current.get_mut(&key).map(|flag| flag.enabled = enabled)),
            Step::Delete(key) => drop(current.remove(&key)),
            Step::Restart | Step::Broken => {}
        }
        let control = &bench.control;
        match step {
            Step::Edit(..) => {
                fs::write(&path, text(&file)).unwrap();
                control.look(folder.path()).await;
            }
            Step::Put(key, flag) => {
                let source = Source::new("body", body(flag));
                drop(control.put(Kind::Flag, &format!("f{key}"), source, none, actor).await.unwrap());
            }
            Step::Switch(key, true) => drop(control.enable(Kind::Flag, &format!("f{key}"), none, actor).await),
            Step::Switch(key, false) => drop(control.disable(Kind::Flag, &format!("f{key}"), none, actor).await),
            Step::Delete(key) => drop(control.delete(Kind::Flag, &format!("f{key}"), none, actor).await),
            Step::Restart | Step::Broken | Step::Missed(..) => {
                let broken = matches!(step, Step::Broken) && revision > 0;
                fs::write(&path, if broken { "flags: [".to_owned() } else { text(&file) }).unwrap();
                bench = bench.restarted().await;
                bench.control.start_files(folder.path()).await.unwrap();
                if broken {
                    assert_eq!(shown(bench.control.state().resources()), current, "a broken file changes nothing");
                    fs::write(&path, text(&file)).unwrap();
                    bench.control.look(folder.path()).await;
                }
            }
        }
        if file != base {
            current = merge(&base, &file, &current);
            base = file.clone();
        }
        assert_eq!(shown(bench.control.state().resources()), current);
        assert!(bench.control.position().revision <= revision + 1, "one revision, at most");
        let made = bench.control.position();
        bench.control.look(folder.path()).await;
        assert_eq!(bench.control.position(), made, "the same again is no edit");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 8 and 9 for files: what was merged stays merged, over restarts and broken edits.
    #[test]
    fn invariant_8_the_merge_goes_on_after_any_restart(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(go(steps));
    }
}
