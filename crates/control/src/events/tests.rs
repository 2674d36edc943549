use daybreak_store::{Event, EventFilter};
use serde_json::Value;

use crate::testing::{Bench, TestClient};
use crate::{Actor, EVENTS_PAGE_MAX, Precondition};
use daybreak_model::{EventKind, Kind};

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

/// Who follows from there on misses no end of a run.
#[tokio::test]
async fn what_a_server_records_as_it_opens_is_not_of_before() {
    let bench = Bench::new().await;
    assert_eq!(bench.control.recorded_before(), 0);
    TestClient::new(1).report(&bench.control);
    bench.start("gateway-slow").await.unwrap();
    let before = bench.control.last_event().await.unwrap();
    let bench = bench.restarted().await;
    assert_eq!(bench.control.recorded_before(), before);
    let after = EventFilter { after: Some(before), ..EventFilter::default() };
    let mut follower = bench.control.follow(after).await.unwrap();
    let kinds: Vec<_> = follower.next().await.unwrap().into_iter().map(|recorded| recorded.event.kind).collect();
    assert_eq!(kinds, ["run.ended", "run.concluded"]);
    assert!(follower.next_there().await.unwrap().is_empty());
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

/// The kinds that the first column of a table names: `a`, `b`: `.c`, `.d` are a.c, a.d, b.c and b.d.
fn kinds_of(row: &str) -> Vec<String> {
    let cell = row.split('|').nth(1).unwrap_or_default();
    let names: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
    let (ends, names): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| name.starts_with('.'));
    let with_ends = |name: &&str| ends.iter().map(|end| format!("{name}{end}")).collect::<Vec<_>>();
    if ends.is_empty() {
        names.into_iter().map(str::to_owned).collect()
    } else {
        names.iter().flat_map(with_ends).collect()
    }
}

#[test]
fn the_page_has_a_row_for_each_kind_and_no_other() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("Kinds")).unwrap();
    let mut described: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).flat_map(kinds_of).collect();
    let mut kinds: Vec<_> = EventKind::all().map(String::from).collect();
    described.sort();
    kinds.sort();
    assert_eq!(described, kinds);
}

/// Nowhere but in the table is a kind named: what is not in it cannot be an event.
#[test]
fn kinds_are_named_in_the_table_alone() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut open: Vec<_> = ["control", "store", "server"].map(|name| root.join(name).join("src")).into();
    let mut read = 0;
    while let Some(path) = open.pop() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" && name != "conformance" {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() && name != "tests.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for kind in EventKind::all() {
                assert!(!code.contains(&format!("\"{kind}\"")), "{} names `{kind}`", path.display());
            }
            assert!(!code.contains("kind: \""), "{} names a kind", path.display());
            read += 1;
        }
    }
    assert!(read > 50, "{read} files");
}

/// What a follower does not want it looks at once.
#[tokio::test]
async fn a_follower_does_not_look_again_at_what_it_does_not_want() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let start = control.last_event().await.unwrap();
    let filter = EventFilter { after: Some(start), subject: Some("n/wanted".to_owned()), ..EventFilter::default() };
    let mut follower = control.follow(filter).await.unwrap();
    for number in 0..5 {
        control.note_event(event("e", &format!("n/{number}"))).await.unwrap();
        {
            let next = follower.next();
            tokio::pin!(next);
            assert!(!crate::testing::is_ready(&mut next));
        }
        assert_eq!(follower.read_to(), Some(control.last_event().await.unwrap()), "{number}");
    }
    control.note_event(event("e", "n/wanted")).await.unwrap();
    let found = follower.next().await.unwrap();
    assert_eq!((found.len(), found[0].event.subject.as_deref()), (1, Some("n/wanted")));
}
