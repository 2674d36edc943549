//! Reports, leadership, the outbox, notes and the halt.

use std::sync::Arc;

use daybreak_model::Millis;
use serde_json::json;

use super::{Done, at, put};
use crate::{Change, Delivery, Expected, Halt, Leadership, LeadershipRequest, Message, ReportBucket, Store};

pub(super) async fn reports_are_replaced_and_dropped(store: Arc<dyn Store>) -> Done {
    let bucket = |series: &str, start, count: u64| ReportBucket {
        series: series.to_owned(),
        start: at(start),
        counts: json!({ "good": count }),
    };
    let [checkout, other] = ["slos/checkout", "slos/other"];
    store.put_reports(vec![bucket(checkout, 0, 1), bucket(checkout, 30, 2), bucket(other, 0, 9)], at(-60)).await?;
    store.put_reports(vec![bucket(checkout, 30, 3), bucket(checkout, 60, 4)], at(30)).await?;
    let read = |series: &str, from, until| store.reports(series.to_owned(), at(from), at(until));
    assert_eq!(read(checkout, -90, 90).await?, [bucket(checkout, 30, 3), bucket(checkout, 60, 4)]);
    assert_eq!(read(checkout, 30, 60).await?, [bucket(checkout, 30, 3)]);
    assert_eq!(read(checkout, 60, 30).await?, []);
    assert_eq!(read(other, 0, 1).await?, [bucket(other, 0, 9)]);
    assert_eq!(read("slos", 0, 90).await?, []);
    Ok(())
}

pub(super) async fn one_holder_leads(store: Arc<dyn Store>) -> Done {
    let ask = |holder: &str, now| {
        store.lead(LeadershipRequest {
            name: "guard".to_owned(),
            holder: holder.to_owned(),
            now: at(now),
            hold: Millis::from_secs(10),
        })
    };
    let leader = |term, now| Leadership::Leader { term, confirmed_at: at(now) };
    let follower = |of: &str, until| Leadership::Follower { leader: of.to_owned(), until: at(until) };
    assert_eq!(ask("a", 0).await?, leader(1, 0));
    assert_eq!(ask("b", 1).await?, follower("a", 10));
    assert_eq!(ask("a", 5).await?, leader(1, 5));
    assert_eq!(ask("b", 14).await?, follower("a", 15));
    // It lapsed; who held it before begins a new term as well.
    assert_eq!(ask("b", 15).await?, leader(2, 15));
    assert_eq!(ask("a", 16).await?, follower("b", 25));
    assert_eq!(ask("b", 30).await?, leader(3, 30));
    store.resign("guard".to_owned(), "a".to_owned()).await?;
    assert_eq!(ask("a", 31).await?, follower("b", 40));
    store.resign("guard".to_owned(), "b".to_owned()).await?;
    assert_eq!(ask("a", 31).await?, leader(4, 31));
    Ok(())
}

pub(super) async fn messages_arrive_at_least_once(store: Arc<dyn Store>) -> Done {
    let message = |n: i64, due| Message { to: "hook".to_owned(), at: at(due), body: json!(n) };
    let outbox = vec![message(1, 0), message(2, 5), message(3, 0)];
    store.commit(Expected::Revision(0), Change { outbox, ..put("a", 1) }).await?;
    let take = |limit, now| store.take(limit, at(now), Millis::from_secs(10));
    let shown = |taken: &[Delivery]| -> Vec<_> {
        taken.iter().map(|delivery| (delivery.message.body.as_i64(), delivery.attempts)).collect()
    };
    let first = take(1, 0).await?;
    assert_eq!(shown(&first), [(Some(1), 0)]);
    assert_eq!(shown(&take(10, 0).await?), [(Some(3), 0)]);
    assert_eq!(shown(&take(10, 4).await?), []);
    assert_eq!(shown(&take(10, 5).await?), [(Some(2), 0)]);
    store.acknowledge(first.iter().map(|delivery| delivery.id).collect()).await?;
    // What was not acknowledged comes again, after what it was held for.
    assert_eq!(shown(&take(10, 9).await?), []);
    let again = take(10, 15).await?;
    assert_eq!(shown(&again), [(Some(2), 1), (Some(3), 1)]);
    let ids = again.iter().map(|delivery| delivery.id).chain([u64::MAX]).collect();
    store.acknowledge(ids).await?;
    assert_eq!(shown(&take(10, 1_000).await?), []);
    Ok(())
}

pub(super) async fn notes_last_and_change_nothing(store: Arc<dyn Store>) -> Done {
    let put = |notes: &[(&str, Option<i64>)]| {
        let note = |(name, value): &(&str, Option<i64>)| ((*name).to_owned(), value.map(|value| json!(value)));
        store.put_notes(notes.iter().map(note).collect())
    };
    put(&[("tokens/a", Some(1)), ("tokens/b", Some(2)), ("token", Some(3)), ("tokens0", Some(4))]).await?;
    put(&[("tokens/a", Some(5)), ("tokens/b", None), ("never", None)]).await?;
    let cases = [
        ("", vec![("token", 3), ("tokens/a", 5), ("tokens0", 4)]),
        ("tokens", vec![("tokens/a", 5), ("tokens0", 4)]),
        ("tokens/", vec![("tokens/a", 5)]),
        ("u", vec![]),
    ];
    for (prefix, expected) in cases {
        let expected = expected.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        assert_eq!(store.notes(prefix.to_owned()).await?, expected, "{prefix:?}");
    }
    assert_eq!(store.load().await?.position.revision, 0, "a note is no change");
    Ok(())
}

pub(super) async fn a_halt_holds_until_it_is_lifted(store: Arc<dyn Store>) -> Done {
    let halt = |reason: &str| Halt { at: Some(at(0)), actor: Some("ada".to_owned()), reason: Some(reason.to_owned()) };
    store.clear_halt().await?;
    assert_eq!(store.halt().await?, None);
    store.put_halt(halt("pager")).await?;
    assert_eq!(store.halt().await?, Some(halt("pager")));
    store.put_halt(halt("still")).await?;
    assert_eq!(store.halt().await?, Some(halt("still")));
    // A halt is no commit, and stands in the way of none.
    assert_eq!(store.commit(Expected::Revision(0), put("a", 1)).await?.revision, 1);
    store.clear_halt().await?;
    assert_eq!(store.halt().await?, None);
    Ok(())
}
