use daybreak_store::{Event, EventFilter};
use serde_json::Value;

use crate::testing::Bench;
use crate::{Actor, EVENTS_PAGE_MAX, Precondition};
use daybreak_model::Kind;

fn event(kind: &str, subject: &str) -> Event {
    let at = "2026-11-25T09:00:00Z".parse().unwrap();
    Event { at, kind: kind.to_owned(), subject: Some(subject.to_owned()), actor: None, reason: None, data: Value::Null }
}

#[tokio::test]
async fn a_follower_reads_each_event_once() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let from_now = control.follow(EventFilter::default()).await.unwrap();
    let start = from_now.read_to();
    let appending = {
        let control = control.clone();
        tokio::spawn(async move {
            for number in 0..2 * EVENTS_PAGE_MAX {
                control.note_event(event("e", &format!("n/{number}"))).await.unwrap();
            }
        })
    };
    let mut followers = vec![from_now];
    let mut read = vec![Vec::new()];
    for round in 0.. {
        // Some come late, and begin where the first did.
        if round < 3 {
            followers.push(control.follow(EventFilter { after: start, ..EventFilter::default() }).await.unwrap());
            read.push(Vec::new());
        }
        let mut all = true;
        for (follower, read) in followers.iter_mut().zip(&mut read) {
            if read.len() < 2 * EVENTS_PAGE_MAX {
                read.extend(follower.next().await.unwrap().into_iter().filter_map(|recorded| recorded.event.subject));
                all = false;
            }
        }
        if all {
            break;
        }
    }
    appending.await.unwrap();
    let expected: Vec<_> = (0..2 * EVENTS_PAGE_MAX).map(|number| format!("n/{number}")).collect();
    read.iter().for_each(|read| assert!(*read == expected, "{} events", read.len()));
}

#[tokio::test]
async fn a_follower_is_told_of_every_kind_of_change() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let mut follower = control.follow(EventFilter::default()).await.unwrap();
    let mut kinds = Vec::new();
    control.disable(Kind::Flag, "new-checkout", Precondition::None, Actor::named("ada")).await.unwrap();
    kinds.extend(follower.next().await.unwrap().into_iter().map(|recorded| recorded.event.kind));
    control.halt(Actor::named("ada")).await.unwrap();
    kinds.extend(follower.next().await.unwrap().into_iter().map(|recorded| recorded.event.kind));
    bench.start("gateway-slow").await.unwrap_err();
    kinds.extend(follower.next().await.unwrap().into_iter().map(|recorded| recorded.event.kind));
    assert_eq!(kinds, ["flag.disabled", "halt.set", "start.refused"]);
}
