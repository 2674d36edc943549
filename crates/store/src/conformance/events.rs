//! Events: numbered, filtered, paged.

use std::sync::Arc;

use super::{Done, at, event, put};
use crate::{Change, Event, EventFilter, EventOrder, EventPage, Expected, Store};

fn kinds(page: &EventPage) -> Vec<&str> {
    page.events.iter().map(|recorded| recorded.event.kind.as_str()).collect()
}

pub(super) async fn events_are_numbered_and_paged(store: Arc<dyn Store>) -> Done {
    store.append(vec![event("e1", "a", 1), event("e2", "a", 2)]).await?;
    let events = vec![event("e3", "a", 3), event("e4", "a", 4)];
    store.commit(Expected::Revision(0), Change { events, ..put("a", 1) }).await?;
    store.append(vec![event("e5", "a", 5)]).await?;
    assert_eq!(store.load().await?.position.revision, 1, "an event that comes with no change is no revision");

    let all = store.events(EventFilter::default(), 10).await?;
    assert_eq!(kinds(&all), ["e5", "e4", "e3", "e2", "e1"]);
    assert_eq!(all.next, None);
    assert!(all.events.windows(2).all(|pair| pair[0].id > pair[1].id));
    let revisions: Vec<_> = all.events.iter().map(|recorded| recorded.revision).collect();
    assert_eq!(revisions, [None, Some(1), Some(1), None, None]);

    let first = store.events(EventFilter::default(), 2).await?;
    assert_eq!(kinds(&first), ["e5", "e4"]);
    // What comes meanwhile does not move the pages.
    store.append(vec![event("e6", "a", 6)]).await?;
    let second = store.events(EventFilter { before: first.next, ..EventFilter::default() }, 2).await?;
    let third = store.events(EventFilter { before: second.next, ..EventFilter::default() }, 2).await?;
    assert_eq!((kinds(&second), kinds(&third)), (vec!["e3", "e2"], vec!["e1"]));
    assert_eq!(third.next, None);
    let after = first.events.first().map(|recorded| recorded.id);
    let new = store.events(EventFilter { after, ..EventFilter::default() }, 10).await?;
    assert_eq!(kinds(&new), ["e6"]);
    Ok(())
}

pub(super) async fn events_are_filtered(store: Arc<dyn Store>) -> Done {
    let by_ada = Event { actor: Some("ada".to_owned()), ..event("run.started", "runs/1", 2) };
    let everything = Event { subject: None, ..event("halt", "", 4) };
    let events = vec![event("flag.changed", "flags/a", 1), by_ada, event("run.ended", "runs/1", 3), everything];
    store.append([events, vec![event("runner", "runs/10", 5)]].concat()).await?;
    let text = |text: &str| Some(text.to_owned());
    let filter = EventFilter::default;
    let cases = [
        (EventFilter { subject: text("runs/1"), ..filter() }, vec!["run.ended", "run.started"]),
        (EventFilter { subject: text("runs"), ..filter() }, vec!["runner", "run.ended", "run.started"]),
        (EventFilter { subject: text("run"), ..filter() }, vec![]),
        (EventFilter { kind: text("run"), ..filter() }, vec!["run.ended", "run.started"]),
        (EventFilter { kind: text("run.ended"), ..filter() }, vec!["run.ended"]),
        (EventFilter { actor: text("ada"), ..filter() }, vec!["run.started"]),
        (EventFilter { since: Some(at(2)), until: Some(at(4)), ..filter() }, vec!["run.ended", "run.started"]),
        (EventFilter { kind: text("run"), actor: text("ada"), since: Some(at(3)), ..filter() }, vec![]),
    ];
    for (filter, expected) in cases {
        let page = store.events(filter.clone(), 10).await?;
        assert_eq!(kinds(&page), expected, "{filter:?}");
    }
    Ok(())
}

pub(super) async fn events_are_read_in_either_order(store: Arc<dyn Store>) -> Done {
    let of = |kind: &str, subject: &str, seconds| event(kind, subject, seconds);
    store
        .append(vec![of("e1", "a", 1), of("e2", "b", 2), of("e3", "a", 3), of("e4", "a", 4), of("e5", "b", 5)])
        .await?;
    let oldest = EventFilter { order: EventOrder::OldestFirst, ..EventFilter::default() };
    let of_a = EventFilter { subject: Some("a".to_owned()), ..oldest.clone() };
    for (filter, expected) in [(oldest, vec!["e1", "e2", "e3", "e4", "e5"]), (of_a, vec!["e1", "e3", "e4"])] {
        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let page = store.events(EventFilter { after, ..filter.clone() }, 2).await?;
            read.extend(kinds(&page).into_iter().map(str::to_owned));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(read, expected, "{filter:?}");
    }
    Ok(())
}
