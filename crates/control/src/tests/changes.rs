//! Each change is checked, committed, published, answered.

use daybreak_document::Source;
use daybreak_model::Kind;

use crate::testing::Bench;
use crate::{Actor, ApplyOptions, Changed, Control, Precondition, Refusal};

async fn put(control: &Control, kind: Kind, key: &str, text: &str, on: Precondition) -> Result<Changed, Refusal> {
    control.put(kind, key, Source::new("body", text), on, Actor::named("ada")).await
}

async fn apply(control: &Control, text: &str, dry_run: bool, prune: bool) -> Result<Changed, Refusal> {
    control
        .apply(vec![Source::new("a.yaml", text)], ApplyOptions { dry_run, prune, only_at: None }, Actor::default())
        .await
}

#[tokio::test]
async fn a_change_moves_the_revision_of_what_it_changes() {
    let Bench { control, .. } = Bench::new().await;
    let before = control.state();
    let changed = put(&control, Kind::Flag, "dark", "default: off", Precondition::None).await.unwrap();
    assert_eq!(changed.position.revision, before.position().revision + 1);
    let after = control.state();
    assert_eq!(after.revision(Kind::Flag, "dark"), Some(changed.position.revision));
    assert_eq!(after.revision(Kind::Flag, "new-checkout"), before.revision(Kind::Flag, "new-checkout"));
    assert!(before.resource(Kind::Flag, "dark").is_none(), "a state never changes");
}

#[tokio::test]
async fn runs_and_calendars_do_not_move_the_revision_of_the_flags() {
    let bench = Bench::new().await;
    let control = &bench.control;
    let at = control.state().flags_revision();
    put(
        control,
        Kind::Hours,
        "late",
        "{ time_zone: UTC, weekdays: mon, times: [\"20:00-21:00\"] }",
        Precondition::None,
    )
    .await
    .unwrap();
    crate::testing::TestClient::new(1).report(control);
    bench.start("gateway-slow").await.unwrap();
    assert_eq!(control.state().flags_revision(), at);
    control.disable(Kind::Flag, "new-checkout", Precondition::None, Actor::default()).await.unwrap();
    assert_eq!(control.state().flags_revision(), control.position().revision);
}

#[tokio::test]
async fn what_changes_nothing_makes_no_revision() {
    let Bench { control, .. } = Bench::new().await;
    let (none, actor) = (Precondition::None, Actor::default);
    let before = control.position();
    let document = control.state().resource(Kind::Flag, "new-checkout").unwrap().document.to_string();
    let answers = [
        control.enable(Kind::Flag, "new-checkout", none, actor()).await,
        put(&control, Kind::Flag, "new-checkout", &document, none).await,
        control.patch(Kind::Flag, "new-checkout", Source::new("body", "{}"), none, actor()).await,
        apply(&control, "flags: { dark: { default: off } }", true, false).await,
    ];
    for (case, answer) in answers.into_iter().enumerate() {
        let answer = answer.unwrap();
        assert_eq!((answer.position, answer.changed), (before, case == 3), "case {case}");
    }
    assert_eq!(control.position(), before);
    let disabled = control.disable(Kind::Flag, "new-checkout", none, actor()).await.unwrap();
    assert!(disabled.changed && !control.state().resources().flags["new-checkout"].enabled);
}

#[tokio::test]
async fn preconditions_hold_or_nothing_happens() {
    let Bench { control, .. } = Bench::new().await;
    let at = control.state().revision(Kind::Flag, "new-checkout").unwrap();
    let cases = [
        ("new-checkout", Precondition::Absent, false),
        ("new-checkout", Precondition::Revision(at + 1), false),
        ("new-checkout", Precondition::Revision(at), true),
        ("new-checkout", Precondition::Revision(at), false),
        ("new-checkout", Precondition::Exists, true),
        ("other", Precondition::Exists, false),
        ("other", Precondition::Revision(at), false),
        ("other", Precondition::Absent, true),
    ];
    for (case, (key, precondition, holds)) in cases.into_iter().enumerate() {
        let text = format!("{{ default: off, description: case {case} }}");
        let before = control.position();
        let answer = put(&control, Kind::Flag, key, &text, precondition).await;
        assert_eq!(answer.is_ok(), holds, "case {case}: {answer:?}");
        assert!(holds || matches!(answer, Err(Refusal::PreconditionFailed { .. })), "case {case}");
        assert_eq!(control.position().revision, before.revision + u64::from(holds), "case {case}");
    }
}

#[tokio::test]
async fn what_others_name_stays() {
    let Bench { control, .. } = Bench::new().await;
    let delete = |kind, key| control.delete(kind, key, Precondition::None, Actor::default());
    let users = |refused: Result<Changed, Refusal>| match refused {
        Err(Refusal::Referenced(references)) => references.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(users(delete(Kind::Segment, "eu").await), 2);
    assert_eq!(users(delete(Kind::Segment, "vip").await), 1);
    assert_eq!(users(delete(Kind::Hours, "office").await), 1);
    delete(Kind::Fault, "stock-slow").await.unwrap();
    delete(Kind::Hours, "office").await.unwrap();
    assert!(matches!(delete(Kind::Hours, "office").await, Err(Refusal::NotFound { .. })));
}

#[tokio::test]
async fn a_patch_goes_on_with_what_is_there() {
    let Bench { control, .. } = Bench::new().await;
    let patch =
        |key, text| control.patch(Kind::Flag, key, Source::new("body", text), Precondition::None, Actor::default());
    patch("new-checkout", r#"{"rules": {"eu": {"percentage": "50%"}}}"#).await.unwrap();
    let state = control.state();
    let rule = &state.resources().flags["new-checkout"].rules[0];
    assert_eq!((rule.percentage.map(|share| share.to_string()), rule.when.is_some()), (Some("50%".into()), true));
    let refused = patch("new-chekout", "{}").await;
    assert!(matches!(refused, Err(Refusal::NotFound { nearest: Some(near), .. }) if near == "new-checkout"));
}

#[tokio::test]
async fn what_is_worth_knowing_comes_with_every_change() {
    let Bench { control, .. } = Bench::new().await;
    let codes = |changed: Changed| changed.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>();
    // The bench's clock shows the 23rd of November 2026.
    let text = "default: off\nexpires: 2026-11-23";
    let changed = put(&control, Kind::Flag, "old", text, Precondition::None).await.unwrap();
    assert_eq!(codes(changed), ["expired"]);
    for (text, expected) in [("owner: me", vec!["expired"]), ("expires: 2026-11-24", vec![])] {
        let patch = Source::new("body", text);
        let changed = control.patch(Kind::Flag, "old", patch, Precondition::None, Actor::default()).await.unwrap();
        assert_eq!(codes(changed), expected, "{text}");
    }
    put(&control, Kind::Flag, "old", text, Precondition::None).await.unwrap();
    // Of what a set does not name, nothing is said.
    let cases = [
        ("flags: { a: { default: off } }", vec![]),
        ("flags: { b: { default: off, expires: 2026-01-01 } }", vec!["expired"]),
    ];
    for (text, expected) in cases {
        assert_eq!(codes(apply(&control, text, false, false).await.unwrap()), expected, "{text}");
    }
}

#[tokio::test]
async fn a_set_is_one_revision_and_prune_removes_the_rest() {
    let Bench { control, .. } = Bench::new().await;
    let before = control.position().revision;
    let text = "flags: { a: { default: off }, b: { default: on, rules: [ { name: eu, when: { segment: eu }, serve: off } ] } }";
    let changed = apply(&control, text, false, false).await.unwrap();
    assert_eq!((changed.position.revision, changed.differences.len()), (before + 1, 2));
    assert!(control.state().resources().flags.contains_key("new-checkout"));
    let dangling = apply(&control, text, false, true).await;
    assert!(matches!(dangling, Err(Refusal::Invalid(_))), "pruning `eu` would leave `b` dangling");
    apply(&control, "flags: { a: { default: off } }", false, true).await.unwrap();
    let state = control.state();
    assert_eq!((state.resources().flags.len(), state.resources().faults.len()), (1, 0));
    assert_eq!(control.position().revision, before + 2);
}

/// Invariant 9, bad input changes nothing: neither the position nor a byte of what is served.
#[tokio::test]
async fn invariant_9_refused_input_changes_nothing() {
    let Bench { control, .. } = Bench::new().await;
    let (position, bytes, document) = (control.position(), control.state().wire_snapshot(), control.export());
    let none = Precondition::None;
    let texts = [
        "",
        "null",
        "[]",
        "7",
        "{",
        "default: nothing",
        "default: off\nfoo: 1",
        "{ default: off, rules: [ { serve: on } ] }",
        "{ default: off, rules: [ { name: a, when: { segment: nobody }, serve: on } ] }",
        "default: off\ndefault: on",
    ];
    for text in texts {
        let answer = put(&control, Kind::Flag, "new-checkout", text, none).await;
        assert!(matches!(answer, Err(Refusal::Invalid(ref faults)) if !faults.is_empty()), "put {text:?}: {answer:?}");
    }
    for text in [
        "[]",
        "{",
        "{\"default\": \"nothing\"}",
        "{\"rules\": {\"eu\": {\"percentage\": \"120%\"}}}",
        "{\"percentage\": 1}",
    ] {
        let patch = Source::new("body", text);
        let answer = control.patch(Kind::Flag, "new-checkout", patch, none, Actor::default()).await;
        assert!(matches!(answer, Err(Refusal::Invalid(_))), "patch {text:?}: {answer:?}");
    }
    for text in ["flags: { good: { default: off }, bad: { default: nothing } }", "flags: [", "flag: {}"] {
        let answer = apply(&control, text, false, false).await;
        assert!(matches!(answer, Err(Refusal::Invalid(_))), "apply {text:?}: {answer:?}");
    }
    for key in ["", "-a", "a b", "ü"] {
        let answer = put(&control, Kind::Flag, key, "default: off", none).await;
        assert!(matches!(answer, Err(Refusal::Key { .. })), "key {key:?}: {answer:?}");
    }
    assert!(control.enable(Kind::Segment, "eu", none, Actor::default()).await.is_err());
    assert_eq!((control.position(), control.state().wire_snapshot(), control.export()), (position, bytes, document));
}

/// Invariant 8, nothing acknowledged is lost: what the store refuses is neither answered nor published.
#[tokio::test]
async fn invariant_8_what_is_not_committed_is_not_published() {
    let Bench { control, store, .. } = Bench::new().await;
    let (position, bytes) = (control.position(), control.state().wire_snapshot());
    let mut stream = control.subscribe(Some(position)).await;
    store.fail(true);
    let refused = put(&control, Kind::Flag, "dark", "default: off", Precondition::None).await;
    assert!(matches!(refused, Err(Refusal::Store(_))), "{refused:?}");
    assert_eq!((control.position(), control.state().wire_snapshot()), (position, bytes));
    assert!(stream.live.try_recv().is_err());
    store.fail(false);
    put(&control, Kind::Flag, "dark", "default: off", Precondition::None).await.unwrap();
    assert!(stream.live.try_recv().is_ok());
}

/// Invariant 8: a caller that goes away leaves no change half done.
#[tokio::test(start_paused = true)]
async fn invariant_8_a_change_runs_to_its_end() {
    let Bench { control, store, .. } = Bench::new().await;
    store.hang();
    let change = put(&control, Kind::Flag, "dark", "default: off", Precondition::None);
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), change).await.is_err());
    store.release();
    put(&control, Kind::Flag, "light", "default: off", Precondition::None).await.unwrap();
    let state = control.state();
    assert!(state.resources().flags.contains_key("dark") && state.resources().flags.contains_key("light"));
}
