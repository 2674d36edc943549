//! The log, and going back to what was.

use daybreak_document::Source;
use daybreak_model::Kind;

use crate::testing::Bench;
use crate::{Actor, Control, EventFilter, Precondition, Refusal};

const NONE: Precondition = Precondition::None;

async fn describe(control: &Control, text: &str) -> u64 {
    let source = Source::new("body", format!("{{ default: off, description: {text} }}"));
    control.put(Kind::Flag, "dark", source, NONE, Actor::named("ada")).await.unwrap().position.revision
}

fn description(control: &Control) -> Option<String> {
    control.state().resources().flags.get("dark").and_then(|flag| flag.description.clone())
}

#[tokio::test]
async fn who_changed_what_when_why() {
    let Bench { control, .. } = Bench::new().await;
    let because = Actor::named("ada").because(Some("rollout".to_owned()));
    control.disable(Kind::Flag, "new-checkout", NONE, because).await.unwrap();
    let page = control.history(Kind::Flag, "new-checkout", None, 10).await.unwrap();
    let kinds: Vec<_> = page.events.iter().map(|event| event.event.kind.as_str()).collect();
    assert_eq!(kinds, ["flag.disabled", "flag.created"]);
    let event = &page.events[0].event;
    assert_eq!((event.actor.as_deref(), event.reason.as_deref()), (Some("ada"), Some("rollout")));
    assert_eq!(
        (&event.data["before"]["enabled"], &event.data["after"]["enabled"]),
        (&serde_json::Value::Null, &false.into())
    );
    let filter = EventFilter { actor: Some("ada".to_owned()), ..EventFilter::default() };
    assert_eq!(control.events(filter, 10).await.unwrap().events.len(), 1);
    let first = control.events(EventFilter::default(), 1).await.unwrap();
    let filter = EventFilter { before: first.next, ..EventFilter::default() };
    assert!(control.events(filter, 1).await.unwrap().events[0].id < first.events[0].id);
    assert!(matches!(control.history(Kind::Flag, "nothing", None, 10).await, Err(Refusal::NotFound { .. })));
}

#[tokio::test]
async fn reverting() {
    let Bench { control, .. } = Bench::new().await;
    let before = control.position().revision;
    let first = describe(&control, "first").await;
    let second = describe(&control, "second").await;
    let revert = |to| control.revert(Kind::Flag, "dark", to, NONE, Actor::default());
    revert(None).await.unwrap();
    assert_eq!(description(&control).as_deref(), Some("first"), "what it was before its last change");
    revert(Some(second)).await.unwrap();
    assert_eq!(description(&control).as_deref(), Some("second"));
    assert!(!revert(Some(second)).await.unwrap().changed);
    revert(Some(first)).await.unwrap();
    assert_eq!(description(&control).as_deref(), Some("first"));
    assert!(matches!(revert(Some(before)).await, Err(Refusal::NotInHistory(_))));
    // Of what is gone, and back.
    control.delete(Kind::Flag, "dark", NONE, Actor::default()).await.unwrap();
    let gone = control.position().revision;
    revert(None).await.unwrap();
    assert_eq!(description(&control).as_deref(), Some("first"));
    revert(Some(gone)).await.unwrap();
    assert_eq!(description(&control), None);
    assert!(matches!(revert(Some(gone)).await, Err(Refusal::NotInHistory(_))));
}

#[tokio::test]
async fn going_back_to_what_names_what_is_gone_is_refused() {
    let Bench { control, .. } = Bench::new().await;
    let put = |kind, key, text| control.put(kind, key, Source::new("body", text), NONE, Actor::default());
    put(Kind::Segment, "beta", "when: { beta: true }").await.unwrap();
    put(Kind::Flag, "dark", "{ default: off, rules: [ { name: beta, when: { segment: beta }, serve: on } ] }")
        .await
        .unwrap();
    put(Kind::Flag, "dark", "default: off").await.unwrap();
    control.delete(Kind::Segment, "beta", NONE, Actor::default()).await.unwrap();
    let refused = control.revert(Kind::Flag, "dark", None, NONE, Actor::default()).await;
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
}
