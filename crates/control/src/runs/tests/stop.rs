//! Stopping and halting, also while the store hangs or fails.

use std::time::Duration;

use daybreak_document::Source;
use daybreak_guard::run::{Event, Run};
use daybreak_model::wire::Message;
use daybreak_model::{Kind, Millis};

use super::codes;
use crate::testing::{Bench, DOCUMENT, TestClient, is_ready, read};
use crate::{Actor, ApplyOptions, Changed, Control, HaltView, Precondition, Refusal, Subscription};

/// What the stream said since it was asked last.
fn heard(stream: &mut Subscription) -> Vec<Message> {
    std::iter::from_fn(|| stream.live.try_recv().ok()).map(|frame| read(&frame)).collect()
}

/// Invariant 3, stopping is instant: it waits neither for the store nor for the queue of changes.
#[tokio::test(start_paused = true)]
async fn invariant_3_stop_waits_for_nothing() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    assert_eq!(client.report(&bench.control).runs.len(), 1);
    bench.store.hang();
    // Somebody's change hangs in the store, and holds the queue.
    let control = bench.control.clone();
    let stuck =
        tokio::spawn(
            async move { control.disable(Kind::Flag, "new-checkout", Precondition::None, Actor::default()).await },
        );
    tokio::task::yield_now().await;
    let mut stream = bench.control.subscribe(None).await;
    let control = bench.control.clone();
    let mut stop = Box::pin(async move { control.stop("gateway-slow", Actor::named("ada")).await });
    // Polled once: no time has passed, and nothing was answered; but clients have been told.
    assert!(!is_ready(&mut stop));
    let said = heard(&mut stream);
    assert!(matches!(&said[..], [Message::Runs(runs)] if runs.ended == [id]), "{said:?}");
    assert!(client.report(&bench.control).runs.is_empty());
    // The answer is honest about what the store did not do.
    assert!(matches!(stop.await, Err(Refusal::StoppedNotRecorded { runs, .. }) if runs == [id]));
    assert!(!bench.control.run(id).unwrap().active);
    // Once the store is back, it is recorded.
    bench.store.release();
    stuck.await.unwrap().unwrap();
    bench.control.tick().await;
    let events = bench.control.events(Default::default(), 10).await.unwrap().events;
    assert_eq!(events.iter().filter(|event| event.event.kind == "run.ended").count(), 1);
}

/// One run is stopped by its id, with its reason; what has ended stays as it ended, and what is none is refused.
#[tokio::test]
async fn a_run_is_stopped_by_its_id() {
    let bench = Bench::new().await;
    TestClient::new(1).report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    let stop = |id, reason: &str| {
        let reason = Some(reason.to_owned());
        bench.control.stop_run_first(id, Actor::named("ada"), std::future::ready(reason))
    };
    let other = "00c0ffee00c0ffee".parse().unwrap();
    assert_eq!(stop(other, "").await.unwrap_err().code(), "not_found");
    assert!(bench.control.run(id).unwrap().active);
    let stopped = stop(id, "seen enough").await.unwrap();
    assert_eq!((stopped.changed, stopped.ended), (true, vec![id]));
    let run = bench.control.run(id).unwrap();
    assert_eq!(run.ended.map(|ended| ended.to_string()).as_deref(), Some("stopped"));
    assert_eq!((run.ended_by.as_deref(), run.end_reason.as_deref()), (Some("ada"), Some("seen enough")));
    let again = stop(id, "again").await.unwrap();
    assert_eq!((again.changed, again.ended.len()), (false, 0));
    assert_eq!(bench.control.run(id).unwrap().end_reason.as_deref(), Some("seen enough"));
}

/// Invariant 3: nor does it wait for readers, however many clients they look at, nor for reports and the guard's
/// tick behind those. Whoever looks at the clients holds their lock: here somebody never lets go of it.
#[tokio::test]
async fn invariant_3_stop_waits_for_no_reader() {
    let bench = Bench::new().await;
    TestClient::new(1).report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    let clients = bench.control.inner.clients.lock();
    let mut waiting = Vec::new();
    let all: [fn(Control); 6] = [
        |control| drop(control.runs()),
        |control| drop(control.clients()),
        |control| drop(control.fault_points()),
        |control| drop(control.halt_view()),
        |control| drop(TestClient::new(2).report(&control)),
        |control| control.tick_guard(),
    ];
    for reads in all {
        let control = bench.control.clone();
        waiting.push(std::thread::spawn(move || reads(control)));
    }
    let (told, hears) = std::sync::mpsc::channel();
    let control = bench.control.clone();
    waiting.push(std::thread::spawn(move || {
        let stop = |run: &Run| (run.id == id).then_some(Event::Stop { actor: None, reason: None });
        let _ = told.send(control.end_where(stop));
    }));
    // The pause is a limit for a test that fails, not one that passes.
    assert_eq!(hears.recv_timeout(std::time::Duration::from_secs(60)), Ok(vec![id]));
    drop(clients);
    waiting.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Everything that takes a fault away, however it is said.
const REMOVALS: usize = 4;

async fn remove(control: Control, how: usize) -> Result<Changed, Refusal> {
    let (none, actor) = (Precondition::None, Actor::named("ada"));
    match how {
        0 => control.disable(Kind::Fault, "gateway-slow", none, actor).await,
        1 => control.delete(Kind::Fault, "gateway-slow", none, actor).await,
        2 => {
            let off = Source::new("body", r#"{"enabled": false}"#);
            control.patch(Kind::Fault, "gateway-slow", off, none, actor).await
        }
        _ => {
            let rest = DOCUMENT.replacen("  gateway-slow:\n", "  gateway-slow:\n    enabled: false\n", 1);
            let options = ApplyOptions { prune: true, ..ApplyOptions::default() };
            control.apply(vec![Source::new("body", rest)], options, actor).await
        }
    }
}

/// Invariant 3: what disables or removes a fault ends its run at once, before the store is asked and before the
/// change has its turn, which another change holds.
#[tokio::test(start_paused = true)]
async fn invariant_3_removing_a_fault_waits_for_nothing() {
    for how in 0..REMOVALS {
        let bench = Bench::new().await;
        let mut client = TestClient::new(1);
        client.report(&bench.control);
        let id = bench.start("gateway-slow").await.unwrap().run.id;
        bench.store.hang();
        let control = bench.control.clone();
        let stuck = tokio::spawn(async move {
            control.disable(Kind::Flag, "new-checkout", Precondition::None, Actor::default()).await
        });
        tokio::task::yield_now().await;
        let mut stream = bench.control.subscribe(None).await;
        let mut removal = Box::pin(remove(bench.control.clone(), how));
        // Polled once: no time has passed, and nothing was answered; but clients have been told.
        assert!(!is_ready(&mut removal), "{how}");
        let said = heard(&mut stream);
        assert!(matches!(&said[..], [Message::Runs(runs)] if runs.ended == [id]), "{how}: {said:?}");
        assert!(client.report(&bench.control).runs.is_empty(), "{how}");
        assert!(matches!(removal.await, Err(Refusal::StoppedNotRecorded { runs, .. }) if runs == [id]), "{how}");
        // Once the store is back, the change is made, and all of it is on record.
        bench.store.release();
        stuck.await.unwrap().unwrap();
        let _turn = bench.control.inner.writer.lock().await;
        let faults = bench.control.state().resources().faults.clone();
        assert!(faults.get("gateway-slow").is_none_or(|fault| !fault.enabled), "{how}");
        let events = bench.control.events(Default::default(), 10).await.unwrap().events;
        let ends = events.iter().filter(|event| event.event.kind == "run.ended");
        assert_eq!(ends.map(|event| event.event.actor.as_deref()).collect::<Vec<_>>(), [Some("ada")], "{how}");
    }
}

/// Invariant 3: it also reaches a start that is still being committed.
#[tokio::test(start_paused = true)]
async fn invariant_3_removing_a_fault_reaches_a_start_under_way() {
    for how in 0..REMOVALS {
        let bench = Bench::new().await;
        let mut client = TestClient::new(1);
        client.report(&bench.control);
        bench.store.hang();
        let control = bench.control.clone();
        let start =
            tokio::spawn(async move { control.start("gateway-slow", Default::default(), Actor::default()).await });
        tokio::task::yield_now().await;
        let mut stream = bench.control.subscribe(None).await;
        let mut removal = Box::pin(remove(bench.control.clone(), how));
        assert!(!is_ready(&mut removal), "{how}");
        bench.store.release();
        assert!(matches!(start.await.unwrap(), Err(Refusal::StoppedMeanwhile(_))), "{how}");
        assert!(removal.await.unwrap().changed, "{how}");
        let announced = |message: &Message| matches!(message, Message::Runs(runs) if !runs.started.is_empty());
        assert!(!heard(&mut stream).iter().any(announced), "{how}");
        assert!(client.report(&bench.control).runs.is_empty(), "{how}");
    }
}

/// What is refused, or only tried, ends nothing.
#[tokio::test]
async fn invariant_9_what_removes_nothing_ends_no_run() {
    let bench = Bench::new().await;
    TestClient::new(1).report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    let (control, actor) = (&bench.control, Actor::default);
    let other = Precondition::Revision(77);
    let refused = control.disable(Kind::Fault, "gateway-slow", other, actor()).await;
    assert!(matches!(refused, Err(Refusal::PreconditionFailed { .. })), "{refused:?}");
    let sources = || vec![Source::new("body", "flags: { layout: { default: on } }")];
    let tried = ApplyOptions { prune: true, dry_run: true, only_at: None };
    assert!(control.apply(sources(), tried, actor()).await.unwrap().ended.is_empty());
    let broken = Source::new("body", r#"{"enabled": false, "percentage": "200%"}"#);
    assert!(control.patch(Kind::Fault, "gateway-slow", broken, Precondition::None, actor()).await.is_err());
    control.shut_down(Millis::ZERO);
    let late = control.disable(Kind::Fault, "gateway-slow", Precondition::None, actor()).await;
    assert!(matches!(late, Err(Refusal::ShuttingDown)), "{late:?}");
    assert!(bench.control.run(id).unwrap().active);
}

/// Invariant 3: so is a halt.
#[tokio::test(start_paused = true)]
async fn invariant_3_halt_waits_for_nothing() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    client.report(&bench.control);
    bench.store.hang();
    let mut stream = bench.control.subscribe(None).await;
    let control = bench.control.clone();
    let mut halt = Box::pin(async move { control.halt(Actor::named("ada")).await });
    assert!(!is_ready(&mut halt));
    let said = heard(&mut stream);
    assert!(matches!(&said[..], [Message::Runs(runs)] if runs.halted && runs.ended == [id]), "{said:?}");
    let reply = client.report(&bench.control);
    assert_eq!((reply.halted, reply.lease, reply.runs.len()), (true, Millis::ZERO, 0));
    let answer = halt.await;
    assert!(
        matches!(&answer, Err(Refusal::HaltedNotDurable { halt, .. }) if halt.halted && !halt.durable),
        "{answer:?}"
    );
    bench.store.release();
    let again = bench.control.halt(Actor::named("ada")).await.unwrap();
    assert!(again.halted && again.durable);
}

/// Invariant 3: nor does it wait for its reason, which may come after; and both are on record, once.
#[tokio::test]
async fn invariant_3_the_reason_may_come_after_the_deed() {
    // The guard's tick records what it can before the reason is known.
    for (halts, ticks) in [(false, false), (false, true), (true, false), (true, true)] {
        let bench = Bench::new().await;
        TestClient::new(1).report(&bench.control);
        let id = bench.start("gateway-slow").await.unwrap().run.id;
        let control = bench.control.clone();
        let why = async {
            assert!(!control.run(id).unwrap().active);
            if ticks {
                control.tick().await;
            }
            Some("smoke".to_owned())
        };
        if halts {
            let halted = bench.control.halt_first(Actor::named("ada"), why).await.unwrap();
            assert_eq!((halted.durable, halted.reason.as_deref()), (true, Some("smoke")), "{ticks}");
            let kept = daybreak_store::Store::halt(&*bench.store).await.unwrap();
            assert_eq!(kept.unwrap().reason.as_deref(), Some("smoke"), "{ticks}");
        } else {
            bench.control.stop_first("gateway-slow", Actor::named("ada"), why).await.unwrap();
        }
        assert_eq!(bench.control.run(id).unwrap().end_reason.as_deref(), Some("smoke"), "{halts} {ticks}");
        let kinds = if halts { vec!["run.ended", "halt.set"] } else { vec!["run.ended"] };
        for kind in kinds {
            let filter = daybreak_store::EventFilter { kind: Some(kind.to_owned()), ..Default::default() };
            let events = bench.control.events(filter, 10).await.unwrap().events;
            let last = (events[0].event.actor.as_deref(), events[0].event.reason.as_deref());
            assert_eq!(last, (Some("ada"), Some("smoke")), "{halts} {ticks} {kind}");
            assert_eq!(events.len(), 1, "{halts} {ticks} {kind}");
        }
        let stored = daybreak_store::Store::load(&*bench.store).await.unwrap().runs.remove(&id).unwrap();
        let stored: serde_json::Value = stored.document.read().unwrap();
        assert_eq!(stored["end"]["reason"], "smoke", "{halts} {ticks}");
    }
}

/// However late the reason comes, as where the clock was set meanwhile: what the run showed stays beside it.
#[tokio::test]
async fn a_late_reason_leaves_the_conclusion() {
    for halts in [false, true] {
        let bench = Bench::new().await;
        TestClient::new(1).report(&bench.control);
        let id = bench.start("gateway-slow").await.unwrap().run.id;
        let why = async {
            bench.clock.advance(Duration::from_secs(600));
            bench.control.tick().await;
            Some("smoke".to_owned())
        };
        if halts {
            bench.control.halt_first(Actor::named("ada"), why).await.unwrap();
        } else {
            bench.control.stop_first("gateway-slow", Actor::named("ada"), why).await.unwrap();
        }
        bench.control.tick().await;
        let shown = bench.control.run(id).unwrap();
        assert_eq!((shown.end_reason.as_deref(), shown.verdict.is_some()), (Some("smoke"), true), "{halts}");
        let stored = daybreak_store::Store::load(&*bench.store).await.unwrap().runs.remove(&id).unwrap();
        let stored: serde_json::Value = stored.document.read().unwrap();
        assert_eq!(stored["end"]["reason"], "smoke", "{halts}");
        assert!(stored["conclusion"]["verdict"].is_string(), "{halts}: {stored}");
    }
}

/// Whoever goes away before the reason has come has stopped all the same, and it is recorded; and a lift comes after its halt.
#[tokio::test]
async fn a_reason_that_never_comes_holds_nothing_up() {
    for (halts, lifts) in [(false, false), (true, false), (true, true)] {
        let bench = Bench::new().await;
        TestClient::new(1).report(&bench.control);
        bench.start("gateway-slow").await.unwrap();
        let (control, ada) = (&bench.control, Actor::named("ada"));
        if halts {
            let mut halt = Box::pin(control.halt_first(ada, std::future::pending()));
            assert!(!is_ready(&mut halt));
            if lifts {
                control.lift(Actor::default()).await.unwrap();
            }
        } else {
            assert!(!is_ready(&mut Box::pin(control.stop_first("gateway-slow", ada, std::future::pending()))));
        }
        control.tick().await;
        let events = control.events(Default::default(), 10).await.unwrap().events;
        let kinds =
            events.iter().rev().map(|event| event.event.kind.as_str()).skip_while(|kind| *kind != "run.started");
        let expected = ["run.started", "run.ended", "halt.set", "halt.lifted"];
        let expected = &expected[..2 + usize::from(halts) + usize::from(lifts)];
        assert_eq!(kinds.collect::<Vec<_>>(), expected, "{halts} {lifts}");
    }
}

/// Invariant 3: a stop reaches a start that is still being committed.
#[tokio::test(start_paused = true)]
async fn invariant_3_stop_reaches_a_start_under_way() {
    for halts in [false, true] {
        let bench = Bench::new().await;
        let mut client = TestClient::new(1);
        client.report(&bench.control);
        bench.store.hang();
        let control = bench.control.clone();
        let start =
            tokio::spawn(async move { control.start("gateway-slow", Default::default(), Actor::default()).await });
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let mut stream = bench.control.subscribe(None).await;
        if halts {
            assert!(bench.control.halt(Actor::default()).await.is_err());
        } else {
            assert!(bench.control.stop("gateway-slow", Actor::default()).await.unwrap().changed);
        }
        bench.store.release();
        assert!(matches!(start.await.unwrap(), Err(Refusal::StoppedMeanwhile(_))));
        let announced = heard(&mut stream)
            .into_iter()
            .any(|message| matches!(message, Message::Runs(runs) if !runs.started.is_empty()));
        assert!(!announced);
        assert!(client.report(&bench.control).runs.is_empty());
        assert!(bench.control.runs().iter().all(|run| !run.active));
    }
}

#[tokio::test]
async fn a_stop_that_stops_nothing_makes_no_revision() {
    let bench = Bench::new().await;
    let before = bench.control.position();
    let stopped = bench.control.stop("gateway-slow", Actor::default()).await.unwrap();
    assert_eq!((stopped.changed, stopped.position), (false, before));
    assert!(matches!(bench.control.stop("nothing", Actor::default()).await, Err(Refusal::NotFound { .. })));
}

#[tokio::test]
async fn stopped_not_recorded_when_the_store_fails() {
    let bench = Bench::new().await;
    TestClient::new(1).report(&bench.control);
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    bench.store.fail(true);
    let stopped = bench.control.stop("gateway-slow", Actor::default()).await;
    assert!(matches!(stopped, Err(Refusal::StoppedNotRecorded { runs, .. }) if runs == [id]));
    assert!(!bench.control.run(id).unwrap().active);
    bench.store.fail(false);
    bench.control.tick().await;
    let filter = daybreak_store::EventFilter { kind: Some("run.ended".to_owned()), ..Default::default() };
    assert_eq!(bench.control.events(filter, 10).await.unwrap().events.len(), 1);
}

#[tokio::test]
async fn halt_and_lift() {
    let bench = Bench::new().await;
    let mut clients = [TestClient::new(1), TestClient::new(2)];
    clients.iter_mut().for_each(|client| drop(client.report(&bench.control)));
    let id = bench.start("gateway-slow").await.unwrap().run.id;
    let halted = bench.control.halt(Actor::named("ada").because(Some("smoke".to_owned()))).await.unwrap();
    let HaltView { durable, ended, clients: live, confirmed, reason, .. } = halted;
    assert_eq!((durable, ended, live, confirmed), (true, vec![id], 2, 0));
    assert_eq!(reason.as_deref(), Some("smoke"));
    assert_eq!(bench.control.run(id).unwrap().ended.unwrap().to_string(), "aborted: halted");
    // Those who have heard, and have nothing in flight, have confirmed.
    bench.clock.advance(std::time::Duration::from_millis(5));
    clients[0].report(&bench.control);
    clients[1].report.faults.in_flight = 1;
    clients[1].report(&bench.control);
    assert_eq!(bench.control.halt_view().confirmed, 1);
    let before = bench.control.position();
    assert_eq!(bench.control.halt(Actor::default()).await.unwrap().position, before, "a second halt changes nothing");
    assert!(codes(&bench.start("gateway-slow").await.unwrap_err()).contains(&super::RefusalCode::Halted));
    bench.store.fail(true);
    assert!(bench.control.lift(Actor::default()).await.is_err());
    assert!(bench.control.halt_view().halted);
    bench.store.fail(false);
    assert!(bench.control.lift(Actor::default()).await.unwrap().changed);
    assert!(!bench.control.lift(Actor::default()).await.unwrap().changed);
    assert!(!bench.control.halt_view().halted);
}

#[tokio::test]
async fn a_halt_that_could_not_be_kept_is_kept_later() {
    let bench = Bench::new().await;
    bench.store.fail(true);
    let halted = bench.control.halt(Actor::default()).await;
    assert!(matches!(halted, Err(Refusal::HaltedNotDurable { .. })));
    bench.control.tick().await;
    assert!(!bench.control.halt_view().durable);
    bench.store.fail(false);
    bench.control.tick().await;
    assert!(bench.control.halt_view().durable);
    assert!(daybreak_store::Store::halt(&*bench.store).await.unwrap().is_some());
}

/// The halt has a place of its own: a store that cannot record its event makes it no less durable.
#[tokio::test]
async fn a_halt_that_is_kept_and_not_recorded_says_both() {
    let bench = Bench::new().await;
    bench.store.fail_but_for_halts();
    let halted = bench.control.halt(Actor::named("ada")).await.unwrap();
    assert!(halted.durable && halted.not_recorded.is_some(), "{halted:?}");
    let health = bench.control.health();
    assert!(!health.ready && health.problems.iter().any(|what| what.contains("cannot be written to")), "{health:?}");
    bench.control.tick().await;
    bench.store.fail(false);
    bench.control.tick().await;
    bench.control.tick().await;
    let health = bench.control.health();
    assert!(health.ready, "{health:?}");
    for kind in ["halt.set", "store.failed"] {
        let filter = daybreak_store::EventFilter { kind: Some(kind.to_owned()), ..Default::default() };
        assert_eq!(bench.control.events(filter, 10).await.unwrap().events.len(), 1, "{kind}");
    }
}

/// Who halts while the halt is being lifted has halted.
#[tokio::test(start_paused = true)]
async fn a_halt_beats_a_lift_under_way() {
    let bench = Bench::new().await;
    bench.control.halt(Actor::default()).await.unwrap();
    bench.store.hang();
    let control = bench.control.clone();
    let lift = tokio::spawn(async move { control.lift(Actor::default()).await });
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    assert!(bench.control.halt(Actor::default()).await.is_err());
    bench.store.release();
    assert!(!lift.await.unwrap().unwrap().changed);
    assert!(bench.control.halt(Actor::default()).await.unwrap().durable);
    assert!(daybreak_store::Store::halt(&*bench.store).await.unwrap().is_some());
}
