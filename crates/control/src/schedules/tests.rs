//! Scheduled starts over a clock moved by hand.

use std::time::Duration;

use daybreak_document::Source;
use daybreak_model::Ended;
use daybreak_store::EventFilter;

use super::*;
use crate::testing::{Bench, TestClient};
use crate::{Precondition, RunView};

/// Scheduled each day, at any time of it.
const DAILY: &str = r#"
faults:
  nightly: { point: stock, percentage: 1%, effect: { abort: true }, hours: always, guard: none, max_duration: 5m, schedule: daily }
"#;

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let sources = vec![Source::new("schedule.yaml", DAILY)];
    bench.control.apply(sources, crate::ApplyOptions::default(), Actor::default()).await.unwrap();
    bench.control.tick().await;
    bench
}

fn view(bench: &Bench) -> ScheduleView {
    bench.control.schedule("nightly").unwrap()
}

/// Goes to so many seconds after the next start. Nobody looks meanwhile.
fn wind(bench: &Bench, seconds: i64) -> Timestamp {
    let due = view(bench).next.unwrap();
    let until = due.as_second() + seconds - bench.control.inner.clock.now().as_second();
    bench.clock.advance(Duration::from_secs(until.try_into().unwrap()));
    due
}

/// The runs that the schedule started.
fn runs(bench: &Bench) -> Vec<RunView> {
    let runs = bench.control.runs().into_iter();
    runs.filter(|run| run.fault.as_str() == "nightly" && run.started_by.as_deref() == Some(ACTOR)).collect()
}

/// When starts were skipped, and why.
async fn skipped(bench: &Bench) -> Vec<(Value, Value)> {
    let filter = EventFilter { kind: Some("schedule.skipped".to_owned()), ..EventFilter::default() };
    let page = bench.control.events(filter, 100).await.unwrap();
    let events = page.events.into_iter().map(|recorded| recorded.event);
    events.map(|event| (event.data["due"].clone(), event.data["reasons"][0]["code"].clone())).collect()
}

#[tokio::test]
async fn each_day_has_its_start() {
    let bench = bench().await;
    let mut client = [TestClient::new(1)];
    for day in 1..=20 {
        let due = wind(&bench, -5);
        client[0].report(&bench.control);
        bench.pass(4, &mut client).await;
        assert_eq!(runs(&bench).len(), day - 1, "not before its time");
        bench.pass(1, &mut client).await;
        let run = runs(&bench).remove(0);
        assert_eq!((run.started_at, run.active, runs(&bench).len()), (due, true, day));
        let last = view(&bench).last.unwrap();
        assert_eq!((last.outcome, last.run, last.due), (Outcome::Started, Some(run.id), due));
        assert_eq!(last.period.to_string(), due.to_string()[..10]);
        assert!(view(&bench).next.unwrap() > due);
        bench.pass(301, &mut client).await;
        assert_eq!(runs(&bench)[0].ended, Some(Ended::Completed));
    }
    assert_eq!(skipped(&bench).await, []);
}

#[tokio::test]
async fn what_stands_against_it_skips_it() {
    let bench = bench().await;
    bench.control.halt(Actor::default()).await.unwrap();
    let due = wind(&bench, 0);
    let mut client = [TestClient::new(1)];
    client[0].report(&bench.control);
    bench.control.tick().await;
    let last = view(&bench).last.unwrap();
    assert_eq!((last.outcome, last.due, last.run), (Outcome::Skipped, due, None));
    assert_eq!(last.reasons[0].code, "halted");
    // It is not tried again, though nothing stands against it any more.
    bench.control.lift(Actor::default()).await.unwrap();
    bench.pass(90, &mut client).await;
    bench.control.noted().await;
    assert_eq!(runs(&bench), []);
    assert_eq!(skipped(&bench).await, [(json!(due), json!("halted"))]);
    // That is one event, and not two.
    let filter = EventFilter { kind: Some("start".to_owned()), ..EventFilter::default() };
    assert_eq!(bench.control.events(filter, 10).await.unwrap().events.len(), 0);
    // The next day it is.
    wind(&bench, 0);
    client[0].report(&bench.control);
    bench.control.tick().await;
    assert_eq!(runs(&bench).len(), 1);
}

#[tokio::test]
async fn a_restart_neither_draws_anew_nor_starts_again() {
    let mut bench = bench().await;
    let next = view(&bench).next;
    bench = bench.restarted().await;
    assert_eq!(view(&bench).next, next);
    let due = wind(&bench, 0);
    TestClient::new(1).report(&bench.control);
    bench.control.tick().await;
    let run = runs(&bench).remove(0).id;
    bench = bench.restarted().await;
    let mut client = [TestClient::new(2)];
    bench.pass(70, &mut client).await;
    let (last, all) = (view(&bench).last.unwrap(), runs(&bench));
    assert_eq!((last.outcome, last.run, last.due), (Outcome::Started, Some(run), due));
    assert_eq!((all.len(), all[0].active), (1, false), "the restart ended it, and nothing began again");
}

#[tokio::test]
async fn what_was_missed_is_not_made_up_for() {
    for (late, started) in [(59, true), (60, true), (61, false), (7_200, false)] {
        let bench = bench().await;
        let due = wind(&bench, late);
        TestClient::new(1).report(&bench.control);
        bench.control.tick().await;
        bench.control.noted().await;
        assert_eq!(runs(&bench).len(), usize::from(started), "{late} s late");
        let missed = if started { vec![] } else { vec![(json!(due), json!("missed"))] };
        assert_eq!(skipped(&bench).await, missed, "{late} s late");
        assert!(view(&bench).next.unwrap() > due);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_starts_nothing_late() {
    let bench = bench().await;
    let due = wind(&bench, 0);
    let mut client = [TestClient::new(1)];
    client[0].report(&bench.control);
    bench.store.hang();
    bench.control.tick().await;
    assert_eq!((runs(&bench).len(), view(&bench).last.unwrap().outcome), (0, Outcome::Starting));
    bench.clock.advance(Duration::from_secs(61));
    bench.store.release();
    drop(bench.control.inner.schedules_keeper.lock().await);
    bench.pass(2, &mut client).await;
    bench.control.noted().await;
    assert_eq!(runs(&bench), []);
    assert_eq!(skipped(&bench).await, [(json!(due), json!("missed"))]);
}

#[tokio::test]
async fn who_has_no_next_start_is_told_why() {
    let bench = bench().await;
    let control = &bench.control;
    assert!(control.schedule("nowhere").is_err());
    let plain = control.schedule("gateway-slow").unwrap();
    assert_eq!((plain.schedule, plain.next), (None, None));
    assert!(plain.never.unwrap().contains("`daily` or `weekly`"));
    control.disable(Kind::Fault, "nightly", Precondition::None, Actor::default()).await.unwrap();
    control.tick().await;
    let disabled = view(&bench);
    assert_eq!((disabled.schedule, disabled.next), (Some(Schedule::Daily), None));
    assert!(disabled.never.unwrap().contains("enable it"));
    let patch = Source::new("body", "enabled: true\nhours: office\nmax_duration: 3h");
    control.patch(Kind::Fault, "nightly", patch, Precondition::None, Actor::default()).await.unwrap();
    control.tick().await;
    assert!(
        view(&bench).never.unwrap().contains("the hours `office`, as far as they are known, are never open for 3h")
    );
    // One that is gone is forgotten; the same key is a new fault.
    control.delete(Kind::Fault, "nightly", Precondition::None, Actor::default()).await.unwrap();
    control.tick().await;
    assert!(control.inner.store.notes(NOTES.to_owned()).await.unwrap().is_empty());
}
