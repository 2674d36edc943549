//! Any sequence of changes, runs, halts, failures and time: what must always hold, holds after each step.

use std::collections::BTreeMap;
use std::time::Duration;

use daybreak_document::Source;
use daybreak_model::Kind;
use daybreak_model::wire::{Enveloped, Message, Position, Snapshot};
use proptest::prelude::*;

use crate::testing::{Bench, TestClient, read};
use crate::{Actor, ApplyOptions, EventFilter, Precondition, Subscription};

const FAULTS: [&str; 3] = ["gateway-slow", "gateway-down", "stock-slow"];

#[derive(Clone, Debug)]
enum Step {
    Put(u8, bool),
    Delete(u8),
    Apply(u8),
    Broken,
    Start(usize),
    Stop(usize),
    Enable(usize, bool),
    Halt,
    Lift,
    Pass(u64),
    StoreFails(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4_u8, any::<bool>()).prop_map(|(flag, on)| Step::Put(flag, on)),
        1 => (0..4_u8).prop_map(Step::Delete),
        1 => (0..4_u8).prop_map(Step::Apply),
        1 => Just(Step::Broken),
        4 => (0..FAULTS.len()).prop_map(Step::Start),
        2 => (0..FAULTS.len()).prop_map(Step::Stop),
        2 => (0..FAULTS.len(), any::<bool>()).prop_map(|(fault, on)| Step::Enable(fault, on)),
        1 => Just(Step::Halt),
        2 => Just(Step::Lift),
        5 => (1..1_000_u64).prop_map(Step::Pass),
        2 => prop_oneof![1 => Just(true), 2 => Just(false)].prop_map(Step::StoreFails),
    ]
}

impl Step {
    async fn take(&self, bench: &Bench, client: &mut TestClient) {
        let (control, none, actor) = (&bench.control, Precondition::None, Actor::default());
        match *self {
            Self::Put(flag, on) => {
                let source = Source::new("body", format!("default: {}", if on { "on" } else { "off" }));
                drop(control.put(Kind::Flag, &format!("f{flag}"), source, none, actor).await);
            }
            Self::Delete(flag) => drop(control.delete(Kind::Flag, &format!("f{flag}"), none, actor).await),
            Self::Apply(flag) => {
                let text = format!("flags: {{ f{flag}: {{ default: on }}, g{flag}: {{ default: off }} }}");
                drop(control.apply(vec![Source::new("a", text)], ApplyOptions::default(), actor).await);
            }
            Self::Broken => {
                let sources = vec![Source::new("a", "flags: { f1: { default: nothing } }")];
                assert!(control.apply(sources, ApplyOptions::default(), actor).await.is_err());
            }
            Self::Start(fault) => drop(bench.start(FAULTS[fault]).await),
            Self::Stop(fault) => drop(control.stop(FAULTS[fault], actor).await),
            Self::Enable(fault, true) => drop(control.enable(Kind::Fault, FAULTS[fault], none, actor).await),
            Self::Enable(fault, false) => drop(control.disable(Kind::Fault, FAULTS[fault], none, actor).await),
            Self::Halt => drop(control.halt(actor).await),
            Self::Lift => drop(control.lift(actor).await),
            Self::Pass(seconds) => {
                bench.clock.advance(Duration::from_secs(seconds));
                client.report(control);
                control.tick().await;
            }
            Self::StoreFails(fails) => bench.store.fail(fails),
        }
    }
}

/// What a client has that follows the stream.
struct Follower {
    stream: Subscription,
    position: Position,
    flags: BTreeMap<String, String>,
}

impl Follower {
    async fn new(bench: &Bench) -> Self {
        let stream = bench.control.subscribe(None).await;
        let Message::Snapshot(snapshot) = read(&stream.backlog[0]) else { panic!("a snapshot comes first") };
        Self { stream, position: snapshot.position, flags: texts(&snapshot) }
    }

    fn follow(&mut self) {
        while let Ok(frame) = self.stream.live.try_recv() {
            let message = read(&frame);
            if let Some(position) = message.position() {
                assert_eq!(position.revision, self.position.revision + 1, "each position once, in order");
                self.position = position;
            }
            let Message::Change(change) = message else { continue };
            for (key, flag) in change.flags {
                match flag {
                    Some(flag) => drop(self.flags.insert(key.to_string(), text(&flag))),
                    None => drop(self.flags.remove(key.as_str())),
                }
            }
        }
    }
}

fn text(flag: &Enveloped) -> String {
    format!("{}: {}", flag.revision, flag.resource.get())
}

fn texts(snapshot: &Snapshot) -> BTreeMap<String, String> {
    snapshot.flags.iter().map(|(key, flag)| (key.to_string(), text(flag))).collect()
}

fn check(bench: &Bench, client: &mut TestClient, follower: &mut Follower) {
    let control = &bench.control;
    follower.follow();
    let state = control.state();
    let snapshot: Snapshot = serde_json::from_slice(&state.wire_snapshot()).unwrap();
    assert_eq!((follower.position, &follower.flags), (state.position(), &texts(&snapshot)), "who follows has it all");
    let halted = control.halt_view().halted;
    let active: Vec<_> = control.runs().into_iter().filter(|run| run.active).collect();
    assert!(!halted || active.is_empty(), "nothing runs while everything is halted");
    for run in &active {
        assert!(state.resources().faults[&run.fault].enabled, "what runs is enabled");
    }
    let reply = client.report(control);
    let granted: Vec<_> = reply.runs.iter().map(|grant| grant.id).collect();
    assert!(granted.iter().all(|id| active.iter().any(|run| run.id == *id)), "only what runs is granted");
    assert!(reply.runs.iter().all(|grant| reply.now < grant.ends_at), "and only as long as it may");
    let granting = !control.health().problems.iter().any(|problem| problem.contains("no leases"));
    assert_eq!(reply.lease.get() == 0, halted || !granting, "leases only with a guard and a store");
}

async fn go(steps: Vec<Step>) {
    let bench = Bench::new().await;
    let (mut client, mut follower) = (TestClient::new(1), Follower::new(&bench).await);
    client.report(&bench.control);
    for step in steps {
        step.take(&bench, &mut client).await;
        check(&bench, &mut client, &mut follower);
    }
    // Once the store works again, everything that happened is on the record.
    bench.store.fail(false);
    bench.control.tick().await;
    check(&bench, &mut client, &mut follower);
    let runs = EventFilter { kind: Some("run".to_owned()), ..EventFilter::default() };
    let events = bench.control.events(runs, 1_000).await.unwrap().events;
    let count = |kind: &str| events.iter().filter(|event| event.event.kind == kind).count();
    let active = bench.control.runs().iter().filter(|run| run.active).count();
    assert_eq!(count("run.started"), count("run.ended") + active);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Invariants 1, 2, 3, 8 and 9 over any history.
    #[test]
    fn invariants_hold_after_every_step(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(go(steps));
    }
}
