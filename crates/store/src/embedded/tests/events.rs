//! Retention, and reading by terms.

use super::*;
use crate::RecordedEvent;

fn seconds(page: &EventPage) -> Vec<i64> {
    page.events.iter().rev().map(|recorded| recorded.event.at.duration_since(at(0)).as_secs()).collect()
}

#[tokio::test]
async fn events_are_kept_within_bounds() {
    let check = async |events, age, times: &[i64], expected: &[i64]| {
        let folder = TempDir::new().unwrap();
        let retention = Retention { events, age: Millis::from_secs(age) };
        let store = EmbeddedStore::open(EmbeddedOptions { retention, ..options(folder.path()) }).unwrap();
        for time in times {
            store.append(vec![event("e", "a", *time)]).await.unwrap();
        }
        for filter in [EventFilter::default(), EventFilter { subject: Some("a".to_owned()), ..EventFilter::default() }]
        {
            let page = store.events(filter, 100).await.unwrap();
            assert_eq!(seconds(&page), expected, "{retention:?}");
        }
    };
    check(3, 1_000, &[1, 2, 3, 4], &[2, 3, 4]).await;
    check(100, 10, &[1, 2, 11, 12], &[2, 11, 12]).await;
    check(100, 10, &[1, 50, 45], &[50, 45]).await;
    check(0, 10, &[1], &[]).await;
}

#[tokio::test]
async fn a_lowered_retention_is_reached_step_by_step() {
    let folder = TempDir::new().unwrap();
    open(folder.path()).append((0..1_000).map(|n| event("e", "a", n)).collect()).await.unwrap();
    let retention = Retention { events: 10, ..Retention::default() };
    let store = EmbeddedStore::open(EmbeddedOptions { retention, ..options(folder.path()) }).unwrap();
    let mut left = 1_000;
    for n in 0..20 {
        store.append(vec![event("e", "a", 1_000 + n)]).await.unwrap();
        let now = store.events(EventFilter::default(), 2_000).await.unwrap().events.len();
        assert!(now == 10 || (left - 101..left).contains(&now), "from {left} to {now}");
        left = now;
    }
    assert_eq!(left, 10);
}

/// Whatever is asked for, the answer is that of reading everything.
#[tokio::test]
async fn every_filter_finds_what_a_scan_finds() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let kinds = ["flag.changed", "flag.deleted", "run.started", "halt"];
    let subjects = [Some("flags/a"), Some("flags/b"), Some("flags"), Some("runs/1"), None];
    let actors = [None, Some("ada"), Some("files")];
    let events = (0..60_usize).map(|n| Event {
        subject: subjects[n % 5].map(str::to_owned),
        actor: actors[n % 3].map(str::to_owned),
        ..event(kinds[n % 4], "", i64::try_from(n * 7 % 40).unwrap())
    });
    store.append(events.collect()).await.unwrap();
    let all = store.events(EventFilter::default(), 100).await.unwrap().events;
    let text = |text: &str| Some(text.to_owned());
    let [none, some] = [None, Some(())];
    let mut cases = 0;
    for subject in [None, text("flags"), text("flags/a"), text("flag"), text("runs")] {
        for kind in [None, text("flag"), text("run.started")] {
            for actor in [None, text("ada")] {
                for bound in [none, some] {
                    let filter = EventFilter {
                        subject: subject.clone(),
                        kind: kind.clone(),
                        actor: actor.clone(),
                        since: bound.map(|()| at(5)),
                        until: bound.map(|()| at(30)),
                        before: bound.map(|()| 55),
                        after: bound.map(|()| 4),
                        ..EventFilter::default()
                    };
                    let expected: Vec<&RecordedEvent> = all.iter().filter(|event| filter.matches(event)).collect();
                    let mut found = Vec::new();
                    let mut before = filter.before;
                    loop {
                        let page = store.events(EventFilter { before, ..filter.clone() }, 3).await.unwrap();
                        assert!(page.events.len() == 3 || page.next.is_none());
                        found.extend(page.events);
                        before = page.next;
                        if before.is_none() {
                            break;
                        }
                    }
                    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
                    cases += usize::from(!found.is_empty());
                }
            }
        }
    }
    assert!(cases > 20, "{cases} filters found something");
}
