//! What the files put there, what operators changed, and restarts between.

use std::fs;

use daybreak_document::Source;
use daybreak_model::Kind;
use serde_json::json;
use tempfile::TempDir;

use super::{edit, flags, refused, served};
use crate::testing::Bench;
use crate::{Actor, EventFilter, Maker, Precondition};

async fn restart(bench: Bench, folder: &TempDir) -> Bench {
    let bench = bench.restarted().await;
    bench.control.start_files(folder.path()).await.unwrap();
    bench
}

/// Invariant 8, nothing acknowledged is lost: neither a toggle, nor what the files had said.
#[tokio::test(start_paused = true)]
async fn invariant_8_a_toggle_survives_restarts_and_unrelated_edits() {
    let (bench, folder) = served().await;
    bench.control.disable(Kind::Flag, "a", Precondition::None, Actor::default()).await.unwrap();
    let position = bench.control.position();
    let bench = restart(bench, &folder).await;
    assert_eq!((flags(&bench.control).as_str(), bench.control.position()), ("a off, b", position));
    edit(&bench.control, folder.path(), "flags:\n  a: { default: off, owner: ada }\n  b: { default: off }\n").await;
    let bench = restart(bench, &folder).await;
    assert_eq!(flags(&bench.control), "a off, b");
    // While the server was down, the file itself changed the field.
    let toggled = "flags:\n  a: { default: off, owner: ada, enabled: false }\n  b: { default: off }\n";
    edit(&bench.control, folder.path(), toggled).await;
    fs::write(folder.path().join("flags.yaml"), toggled.replace("false", "true")).unwrap();
    let bench = restart(bench, &folder).await;
    assert_eq!(flags(&bench.control), "a, b");
}

/// After a restart as before it, the files remove what they put there, and nothing else.
#[tokio::test(start_paused = true)]
async fn files_remove_what_they_put_there() {
    let (bench, folder) = served().await;
    let own = Source::new("body", "default: off");
    bench.control.put(Kind::Flag, "own", own, Precondition::None, Actor::default()).await.unwrap();
    fs::write(folder.path().join("flags.yaml"), "flags:\n  a: { default: off }\n").unwrap();
    let bench = restart(bench, &folder).await;
    assert_eq!(flags(&bench.control), "a, own");
    // Another folder of the same documents is no edit.
    let other = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("flags.yaml"), other.path().join("renamed.yaml")).unwrap();
    let position = bench.control.position();
    let bench = restart(bench, &other).await;
    assert_eq!((flags(&bench.control).as_str(), bench.control.position()), ("a, own", position));
}

/// A folder that is gone or broken at a restart removes nothing, and the merge goes on once it is mended.
#[tokio::test(start_paused = true)]
async fn a_broken_folder_at_a_restart() {
    let (bench, folder) = served().await;
    bench.control.disable(Kind::Flag, "a", Precondition::None, Actor::default()).await.unwrap();
    fs::write(folder.path().join("flags.yaml"), "flags: [").unwrap();
    let bench = restart(bench, &folder).await;
    assert_eq!(flags(&bench.control), "a off, b");
    assert!(refused(&bench.control).is_some());
    let origin = bench.control.origin(Kind::Flag, "a").unwrap();
    assert_eq!((origin.origin, origin.file, origin.differs), (Maker::Files, None, true));
    edit(&bench.control, folder.path(), "flags:\n  a: { default: on }\n").await;
    assert_eq!((flags(&bench.control).as_str(), refused(&bench.control)), ("a off", None));
}

/// The file comes to say what an operator had done: the base moves, in one revision, and clients hear of no change.
#[tokio::test(start_paused = true)]
async fn a_base_that_moves_alone_is_kept_too() {
    let (bench, folder) = served().await;
    bench.control.disable(Kind::Flag, "a", Precondition::None, Actor::default()).await.unwrap();
    let (before, flags_revision) = (bench.control.position().revision, bench.control.state().flags_revision());
    let events = bench.control.events(EventFilter::default(), 100).await.unwrap().events.len();
    let same = "flags:\n  a: { default: off, enabled: false }\n  b: { default: off }\n";
    edit(&bench.control, folder.path(), same).await;
    assert_eq!(bench.control.position().revision, before + 1);
    assert_eq!(bench.control.state().flags_revision(), flags_revision);
    assert_eq!(bench.control.events(EventFilter::default(), 100).await.unwrap().events.len(), events);
    bench.control.enable(Kind::Flag, "a", Precondition::None, Actor::default()).await.unwrap();
    let bench = restart(bench, &folder).await;
    let bench = restart(bench, &folder).await;
    assert_eq!((flags(&bench.control).as_str(), bench.control.position().revision), ("a, b", before + 2));
}

/// A revert is an operator's change: it survives restarts, and gives way where the file itself changes.
#[tokio::test(start_paused = true)]
async fn a_revert_is_an_operators_change() {
    let (bench, folder) = served().await;
    edit(&bench.control, folder.path(), "flags:\n  a: { default: on, owner: ada }\n  b: { default: off }\n").await;
    let bench = restart(bench, &folder).await;
    bench.control.revert(Kind::Flag, "a", None, Precondition::None, Actor::default()).await.unwrap();
    let bench = restart(bench, &folder).await;
    assert_eq!(bench.control.state().resources().flags["a"].default, "off");
    let origin = bench.control.origin(Kind::Flag, "a").unwrap();
    let fields: Vec<_> = origin.differences.iter().map(|drift| drift.field.as_str()).collect();
    assert_eq!(fields, ["owner", "default"]);
    edit(&bench.control, folder.path(), "flags:\n  a: { default: on, owner: bob }\n  b: { default: off }\n").await;
    let flag = bench.control.state().resources().flags["a"].clone();
    assert_eq!((flag.default.as_str(), flag.owner.as_deref()), ("off", Some("bob")));
    let history = bench.control.history(Kind::Flag, "a", None, 100).await.unwrap().events;
    let actors: Vec<_> = history.iter().map(|event| event.event.actor.as_deref()).collect();
    assert_eq!(actors, [Some("files"), None, Some("files"), Some("files")]);
}

#[tokio::test(start_paused = true)]
async fn where_resources_come_from() {
    let (Bench { control, .. }, folder) = served().await;
    fs::create_dir(folder.path().join("team")).unwrap();
    let text = "segments:\n  eu: { when: { country: DE } }\n  vip: { when: { plan: vip } }\nprotect: [eu]\n";
    fs::write(folder.path().join("team/segments.yaml"), text).unwrap();
    control.look(folder.path()).await;
    let (none, actor) = (Precondition::None, Actor::default);
    control.patch(Kind::Flag, "a", Source::new("body", "{owner: ada}"), none, actor()).await.unwrap();
    control.delete(Kind::Flag, "b", none, actor()).await.unwrap();
    control.put(Kind::Flag, "own", Source::new("body", "default: off"), none, actor()).await.unwrap();
    let cases = [
        (
            Kind::Flag,
            "a",
            json!({"origin": "files", "file": "flags.yaml", "line": 2, "served": true, "differs": true,
            "differences": [{"field": "owner", "served": "ada"}]}),
        ),
        (
            Kind::Flag,
            "b",
            json!({"origin": "files", "file": "flags.yaml", "line": 3, "served": false, "differs": true,
            "differences": []}),
        ),
        (Kind::Flag, "own", json!({"origin": "api", "served": true, "differs": false, "differences": []})),
        (
            Kind::Segment,
            "vip",
            json!({"origin": "files", "file": "team/segments.yaml", "line": 3, "served": true,
            "differs": false, "differences": []}),
        ),
    ];
    let all = control.origins();
    for (kind, key, mut expected) in cases {
        (expected["kind"], expected["key"]) = (json!(kind), json!(key));
        let origin = control.origin(kind, key).unwrap();
        assert!(all.contains(&origin), "{all:#?}");
        assert_eq!(json!(origin), expected);
    }
    assert_eq!(all.len(), 5);
    assert!(control.origin(Kind::Flag, "none").is_err());
}
