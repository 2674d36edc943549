//! Edits of a folder, as they come: whole, broken, in several steps.

mod durable;
mod random;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use daybreak_document::Source;
use daybreak_model::Kind;
use tempfile::TempDir;

use crate::testing::Bench;
use crate::{Actor, Control, EventFilter, LoadError, Options, Precondition, Refusal};

const FLAGS: &str = "flags:\n  a: { default: off }\n  b: { default: off }\n";

async fn served() -> (Bench, TempDir) {
    let bench = Bench::empty(Options::new("test")).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("flags.yaml"), FLAGS).unwrap();
    bench.control.load_files(folder.path()).await.unwrap();
    (bench, folder)
}

async fn edit(control: &Control, folder: &Path, text: &str) {
    fs::write(folder.join("flags.yaml"), text).unwrap();
    control.look(folder).await;
}

fn flags(control: &Control) -> String {
    let state = control.state();
    let shown = |(key, flag): (&daybreak_model::Key, &std::sync::Arc<daybreak_model::Flag>)| {
        format!("{key}{}", if flag.enabled { "" } else { " off" })
    };
    state.resources().flags.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn refused(control: &Control) -> Option<String> {
    control.files_status().unwrap().last_refused.map(|refused| refused.summary)
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_one_revision_with_its_events() {
    let (Bench { control, .. }, folder) = served().await;
    let before = control.position().revision;
    edit(&control, folder.path(), "flags:\n  a: { default: on }\n  c: { default: off }\n").await;
    assert_eq!((flags(&control).as_str(), control.position().revision), ("a, c", before + 1));
    let filter = EventFilter { actor: Some("files".to_owned()), ..EventFilter::default() };
    let events = control.events(filter, 3).await.unwrap().events;
    let kinds: Vec<_> = events.iter().map(|event| event.event.kind.as_str()).collect();
    assert_eq!(kinds, ["flag.created", "flag.deleted", "flag.changed"]);
    control.look(folder.path()).await;
    assert_eq!(control.position().revision, before + 1, "the same again is no change");
    assert_eq!(control.files_status().unwrap().last_applied.unwrap().position, control.position());
}

#[tokio::test(start_paused = true)]
async fn an_operators_change_survives_a_reload() {
    let (Bench { control, .. }, folder) = served().await;
    let (none, actor) = (Precondition::None, Actor::default);
    control.disable(Kind::Flag, "a", none, actor()).await.unwrap();
    control.put(Kind::Flag, "own", Source::new("body", "default: off"), none, actor()).await.unwrap();
    edit(&control, folder.path(), "flags:\n  a: { default: on }\n  b: { default: off }\n").await;
    assert_eq!(flags(&control), "a off, b, own");
    assert_eq!(control.state().resources().flags["a"].default, "on");
}

/// What goes with a resource that the files have no more comes back with it: the event has it as an operator left it.
#[tokio::test(start_paused = true)]
async fn what_the_files_remove_is_brought_back_as_it_was_served() {
    let (bench, folder) = served().await;
    let patch = Source::new("body", "owner: ada");
    bench.control.patch(Kind::Flag, "a", patch, Precondition::None, Actor::default()).await.unwrap();
    bench.control.disable(Kind::Flag, "a", Precondition::None, Actor::default()).await.unwrap();
    let before = bench.control.state().resource(Kind::Flag, "a").unwrap().document;
    // Another start, with another folder.
    let Bench { control, .. } = bench.restarted().await;
    fs::write(folder.path().join("flags.yaml"), "flags:\n  c: { default: off }\n").unwrap();
    control.start_files(folder.path()).await.unwrap();
    assert_eq!(flags(&control), "c");
    let history = control.history(Kind::Flag, "a", None, 10).await.unwrap().events;
    let last = &history[0].event;
    assert_eq!((last.kind.as_str(), last.actor.as_deref()), ("flag.deleted", Some("files")));
    control.revert(Kind::Flag, "a", None, Precondition::None, Actor::named("ada")).await.unwrap();
    assert_eq!(flags(&control), "a off, c");
    assert_eq!(control.state().resource(Kind::Flag, "a").unwrap().document, before);
    // It is nobody's but the operators' now: the same files leave it.
    control.look(folder.path()).await;
    edit(&control, folder.path(), "flags:\n  c: { default: on }\n").await;
    assert_eq!(flags(&control), "a off, c");
}

#[test]
fn a_line_of_the_log_names_some() {
    let names: Vec<_> = (0..22).map(|n| format!("flags/{n}")).collect();
    assert_eq!(super::some(&names[..2]), "flags/0, flags/1");
    assert!(super::some(&names[..20]).ends_with("flags/18, flags/19"));
    assert!(super::some(&names).ends_with("flags/19 and 2 more"));
}

/// A field that the file itself changes wins over an operator's, and the event says so.
#[tokio::test(start_paused = true)]
async fn the_event_says_what_a_file_overrode() {
    let (Bench { control, .. }, folder) = served().await;
    let patch = Source::new("body", "owner: ada");
    control.patch(Kind::Flag, "a", patch, Precondition::None, Actor::default()).await.unwrap();
    edit(&control, folder.path(), "flags:\n  a: { default: off, owner: bob }\n  b: { default: on }\n").await;
    let events = control.events(EventFilter::default(), 2).await.unwrap().events;
    let [b, a] = [&events[0].event, &events[1].event];
    assert_eq!((a.subject.as_deref(), b.subject.as_deref()), (Some("flags/a"), Some("flags/b")));
    let fields = a.data["overridden"].as_array().unwrap();
    assert_eq!(
        (fields.len(), &fields[0]["field"], &fields[0]["was"], &fields[0]["now"]),
        (1, &"owner".into(), &"ada".into(), &"bob".into())
    );
    assert!(b.data.get("overridden").is_none());
}

/// Invariant 9, bad input changes nothing: a broken edit is refused whole, and what is wrong stays visible.
#[tokio::test(start_paused = true)]
async fn invariant_9_a_broken_edit_changes_nothing() {
    let (Bench { control, .. }, folder) = served().await;
    let (position, bytes) = (control.position(), control.state().wire_snapshot());
    edit(&control, folder.path(), "flags:\n  a: { default: on }\n  b: { default: nothing }\n").await;
    let path = folder.path().join("flags.yaml");
    let summary = refused(&control).unwrap();
    assert!(summary.starts_with(&format!("{}:3:17: ", path.display())), "{summary}");
    assert_eq!((control.position(), control.state().wire_snapshot()), (position, bytes.clone()));
    assert_eq!(control.health().warnings.len(), 1);
    for folder_too in [false, true] {
        if folder_too {
            fs::remove_dir(folder.path()).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        control.look(folder.path()).await;
        assert!(refused(&control).is_some());
        assert_eq!((control.position(), control.state().wire_snapshot()), (position, bytes.clone()));
    }
    fs::create_dir(folder.path()).unwrap();
    edit(&control, folder.path(), FLAGS).await;
    assert_eq!((refused(&control), control.position()), (None, position));
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_does_not_go_with_the_rest_is_tried_again() {
    let (Bench { control, store, .. }, folder) = served().await;
    let rule = "{ default: off, prerequisites: { a: on } }";
    let (none, actor) = (Precondition::None, Actor::default);
    control.put(Kind::Flag, "own", Source::new("body", rule), none, actor()).await.unwrap();
    edit(&control, folder.path(), "flags:\n  b: { default: off }\n").await;
    assert_eq!(flags(&control), "a, b, own");
    assert!(refused(&control).is_some());
    control.delete(Kind::Flag, "own", none, actor()).await.unwrap();
    control.look(folder.path()).await;
    assert_eq!((flags(&control).as_str(), refused(&control)), ("b", None));
    store.fail(true);
    edit(&control, folder.path(), FLAGS).await;
    assert_eq!(flags(&control), "b");
    store.fail(false);
    control.look(folder.path()).await;
    assert_eq!((flags(&control).as_str(), refused(&control)), ("a, b", None));
}

#[tokio::test]
async fn what_is_broken_at_the_start_is_an_error_with_everything() {
    let Bench { control, .. } = Bench::empty(Options::new("test")).await;
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(control.load_files(folder.path()).await, Err(LoadError::Files(_))));
    assert!(matches!(control.load_files(&folder.path().join("none")).await, Err(LoadError::Files(_))));
    fs::write(folder.path().join("flags.yaml"), "flags:\n  a: { default: x }\n  b: { foo: 1 }\n").unwrap();
    let Err(LoadError::Refused { refusal: Refusal::Invalid(diagnostics), sources }) =
        control.load_files(folder.path()).await
    else {
        panic!("it is broken")
    };
    assert!(diagnostics.len() >= 2 && sources.len() == 1, "{diagnostics:?}");
    assert_eq!(control.position().revision, 0);
}

#[tokio::test(start_paused = true)]
async fn which_files_are_read() {
    let (Bench { control, .. }, folder) = served().await;
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("team/deep")).unwrap();
    fs::create_dir(at(".git")).unwrap();
    for (name, key) in [
        ("team/one.yml", "one"),
        ("team/deep/two.json", "two"),
        ("team/THREE.YAML", "three"),
        (".git/hidden.yaml", "hidden"),
        (".#flags.yaml", "lock"),
        ("notes.txt", "notes"),
        ("flags.yaml~", "backup"),
    ] {
        fs::write(at(name), format!("{{\"flags\": {{\"{key}\": {{\"default\": \"off\"}}}}}}")).unwrap();
    }
    control.look(folder.path()).await;
    assert_eq!((flags(&control).as_str(), refused(&control)), ("a, b, one, three, two", None));
    symlink(folder.path(), at("team/circle")).unwrap();
    control.look(folder.path()).await;
    assert!(refused(&control).unwrap().contains("folders deep"));
}

/// Kubernetes swaps one link, and with it all files at once.
#[tokio::test(start_paused = true)]
async fn a_config_map_is_swapped() {
    let Bench { control, .. } = Bench::empty(Options::new("test")).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("..1", FLAGS), ("..2", "flags:\n  c: { default: off }\n")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("flags.yaml"), text).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/flags.yaml", at("flags.yaml")).unwrap();
    control.load_files(folder.path()).await.unwrap();
    assert_eq!(flags(&control), "a, b");
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    control.look(folder.path()).await;
    assert_eq!(flags(&control), "c");
}

/// The task that watches finds an edit by itself. Time is paused: waiting takes none.
#[tokio::test(start_paused = true)]
async fn the_watch_finds_edits_until_it_is_dropped() {
    let Bench { control, .. } = Bench::empty(Options::new("test")).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("flags.yaml"), FLAGS).unwrap();
    let watch = control.watch_files(folder.path().to_owned()).await.unwrap();
    fs::write(folder.path().join("flags.yaml"), "flags:\n  c: { default: off }\n").unwrap();
    for _ in 0..100 {
        if flags(&control) == "c" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(flags(&control), "c");
    drop(watch);
    fs::write(folder.path().join("flags.yaml"), FLAGS).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(flags(&control), "c");
}
