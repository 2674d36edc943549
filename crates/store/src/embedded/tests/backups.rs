//! Backups: whole or refused, and brought back in one step.

use std::fs;

use daybreak_model::{Kind, RunId};

use super::super::folder::FILE;
use super::*;
use crate::{MemoryOptions, MemoryStore, verify};

/// A store with something of everything.
async fn fill(store: &dyn Store) {
    let key = |text: &str| (Kind::Flag, text.parse().unwrap());
    let change = Change {
        resources: [(key("a"), Some(json!({"share": 0.1}).into())), (key("b"), Some(json!(2).into()))].into(),
        runs: [(RunId::new(7), Some(json!("active").into()))].into(),
        events: vec![event("flag.changed", "flags/a", 1)],
        outbox: vec![Message { to: "hook".to_owned(), at: at(0), body: json!(1) }],
        ..put("protect", 1)
    };
    store.commit(Expected::Any, change).await.unwrap();
    store.commit(Expected::Any, Change { resources: [(key("b"), None)].into(), ..Change::default() }).await.unwrap();
    store.append((0..500).map(|n| event("e", "many", n)).collect()).await.unwrap();
    store.put_notes([("tokens/a".to_owned(), Some(json!({"used": 1})))].into()).await.unwrap();
    let bucket = crate::ReportBucket { series: "slos/a".to_owned(), start: at(0), counts: json!(3) };
    store.put_reports(vec![bucket], at(-1)).await.unwrap();
}

async fn taken(store: &dyn Store) -> Vec<u8> {
    let mut backup = store.backup().await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = backup.next().await {
        bytes.extend(piece.unwrap());
    }
    bytes
}

/// The lines, without what names the store.
fn lines(backup: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(backup).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let names_it = |line: &Value| line.get("daybreak_backup").or(line.get("end")).is_some();
    lines.filter(|line| !names_it(line) && line["event"]["kind"] != "store.restored").collect()
}

async fn store_restored(store: &dyn Store) -> crate::RecordedEvent {
    let filter = EventFilter { kind: Some("store.restored".to_owned()), ..EventFilter::default() };
    store.events(filter, 1).await.unwrap().events.remove(0)
}

fn back(mut backup: &[u8], folder: &Path, force: bool) -> Result<Restored, RestoreError> {
    restore(&mut backup, RestoreOptions { folder, new_id: StoreId::new(9), force, keep: "token", now: at(9) })
}

#[tokio::test]
async fn what_any_store_held_is_there_again_under_a_new_id() {
    let memory = MemoryStore::open(MemoryOptions::new(StoreId::new(1))).unwrap();
    let folder = TempDir::new().unwrap();
    let embedded = open(folder.path());
    let mut backups = Vec::new();
    for store in [&memory as &dyn Store, &embedded] {
        fill(store).await;
        let backup = taken(store).await;
        assert_eq!(verify(&mut backup.as_slice()), Ok(Position { store: StoreId::new(1), revision: 2 }));
        let other = TempDir::new().unwrap();
        let restored = back(&backup, other.path(), false).unwrap();
        let expected = Position { store: StoreId::new(9), revision: 2 };
        assert_eq!((restored.position, restored.resources, restored.events), (expected, 1, 501));
        let again = open(other.path());
        assert_eq!(lines(&taken(&again).await), lines(&backup));
        assert_eq!(again.load().await.unwrap().position, expected);
        let filter = EventFilter { subject: Some("flags/a".to_owned()), ..EventFilter::default() };
        assert_eq!(again.events(filter, 10).await.unwrap().events.len(), 1);
        let restored = store_restored(&again).await;
        assert_eq!((restored.id, restored.event.at), (502, at(9)));
        // Numbers go on where they were.
        again.append(vec![event("e", "new", 1)]).await.unwrap();
        assert_eq!(again.events(EventFilter::default(), 1).await.unwrap().events[0].id, 503);
        backups.push(lines(&backup));
    }
    assert_eq!(backups[0], backups[1], "one form for all stores");
}

#[tokio::test]
async fn changes_go_on_while_a_backup_is_written() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fill(&store).await;
    store.append((0..5_000).map(|n| event("e", "many", n)).collect()).await.unwrap();
    let mut backup = store.backup().await.unwrap();
    let mut bytes = backup.next().await.unwrap().unwrap();
    // It has begun, and its reader is slow.
    for n in 0..10 {
        store.commit(Expected::Any, put("n", n)).await.unwrap();
    }
    while let Some(piece) = backup.next().await {
        bytes.extend(piece.unwrap());
    }
    assert_eq!(verify(&mut bytes.as_slice()).unwrap().revision, 2);
    drop(store.backup().await.unwrap());
}

/// What is not whole changes nothing, wherever it broke off and whatever was altered.
#[tokio::test]
async fn invariant_8_a_backup_that_is_not_whole_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fill(&store).await;
    let whole = taken(&store).await;
    drop(store);
    let before = fs::read(folder.path().join(FILE)).unwrap();
    let altered = |from: &str, to: &str| {
        let text = String::from_utf8(whole.clone()).unwrap();
        assert!(text.contains(from));
        text.replacen(from, to, 1).into_bytes()
    };
    let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let cases = [
        (Vec::new(), "not whole"),
        (b"flags: {}\n".to_vec(), "no backup"),
        (b"{\"note\": {\"name\": \"a\", \"note\": 1}}\n".to_vec(), "no backup"),
        (vec![0xff; 1_000], "no backup"),
        (whole[..whole.len() - 1].to_vec(), "not whole"),
        (whole[..whole.len() / 2].to_vec(), "not whole"),
        (whole[..=first_line].to_vec(), "not whole"),
        (whole[first_line + 1..].to_vec(), "no backup"),
        (altered("\"share\":0.1", "\"share\":0.2"), "checksum"),
        (altered("\"many\"", "\"mani\""), "checksum"),
        (altered("\"version\":1", "\"version\":2"), "reads up to 1"),
        ([whole.as_slice(), b"\n"].concat(), "goes on"),
        ([whole.as_slice(), whole.as_slice()].concat(), "goes on"),
    ];
    for (case, (bytes, why)) in cases.into_iter().enumerate() {
        let error = back(&bytes, folder.path(), true).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("nothing was changed"), "case {case}: {error}");
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(files.len() == 3, "case {case}: {files:?}");
        assert!(fs::read(folder.path().join(FILE)).unwrap() == before, "case {case}");
    }
}

#[tokio::test]
async fn a_store_that_is_there_is_replaced_only_by_force_and_kept() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fill(&store).await;
    let backup = taken(&store).await;
    let refused = back(&backup, folder.path(), true).unwrap_err().to_string();
    assert!(refused.contains("another server"), "{refused}");
    store.commit(Expected::Any, put("later", 1)).await.unwrap();
    drop(store);
    let refused = back(&backup, folder.path(), false).unwrap_err().to_string();
    assert!(refused.contains("store.redb") && refused.contains("--force"), "{refused}");
    for kept in ["store.redb.replaced", "store.redb.replaced-2"] {
        let restored = back(&backup, folder.path(), true).unwrap();
        assert_eq!(restored.kept.as_deref(), Some(folder.path().join(kept).as_path()));
    }
    assert!(!open(folder.path()).load().await.unwrap().meta.contains_key("later"));
    let first = folder.path().join("store.redb.replaced");
    fs::copy(&first, folder.path().join(FILE)).unwrap();
    assert!(open(folder.path()).load().await.unwrap().meta.contains_key("later"));
    // The last three are kept, and no name is used twice.
    for number in 3..6 {
        let kept = back(&backup, folder.path(), true).unwrap().kept.unwrap();
        assert!(kept.ends_with(format!("store.redb.replaced-{number}")) && kept.exists(), "{}", kept.display());
    }
    assert!(!first.exists() && !folder.path().join("store.redb.replaced-2").exists());
}

/// Restored into a stopped server, as into one that runs: its tokens stay, and its events' numbers go on.
#[tokio::test]
async fn what_is_to_stay_stays_where_the_store_can_be_read() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fill(&store).await;
    store.commit(Expected::Any, put("token/revoked", 1)).await.unwrap();
    let backup = taken(&store).await;
    let gone = Change { meta: [("token/revoked".to_owned(), None)].into(), ..Change::default() };
    store.commit_all(Expected::Any, vec![gone, put("token/new", 2)]).await.unwrap();
    store.append((0..100).map(|n| event("e", "later", n)).collect()).await.unwrap();
    let last = store.events(EventFilter::default(), 1).await.unwrap().events[0].id;
    drop(store);
    let tokens = |meta: BTreeMap<String, crate::Stored>| {
        meta.into_keys().filter(|name| name.starts_with("token")).collect::<Vec<_>>()
    };
    assert_eq!(back(&backup, folder.path(), true).unwrap().lost, None);
    let store = open(folder.path());
    assert_eq!(tokens(store.load().await.unwrap().meta), ["token/new"]);
    assert_eq!(store_restored(&store).await.id, last + 1, "no number is given out twice");
    drop(store);
    // What cannot be read has nothing to keep.
    fs::write(folder.path().join(FILE), b"torn").unwrap();
    let lost = back(&backup, folder.path(), true).unwrap().lost.unwrap();
    assert!(lost.contains("cannot be read"), "{lost}");
    assert_eq!(tokens(open(folder.path()).load().await.unwrap().meta), ["token/revoked"]);
}

/// A restore that fails after its halt was written halts nothing, now or later.
#[cfg(unix)]
#[tokio::test]
async fn a_restore_that_fails_leaves_no_halt() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    store.put_halt(Halt { at: Some(at(0)), actor: None, reason: None }).await.unwrap();
    let backup = taken(&store).await;
    store.clear_halt().await.unwrap();
    let to = || crate::Restoration {
        id: StoreId::new(9),
        event: restored_event(None, None, at(9)),
        events_from: 0,
        keep: None,
    };
    // A folder where the staged file would be.
    let in_the_way = folder.path().join("store.redb.staged");
    fs::create_dir(&in_the_way).unwrap();
    fs::write(in_the_way.join("a"), "b").unwrap();
    let failed = store.restore(Box::new(std::io::Cursor::new(backup.clone())), to()).await;
    assert!(failed.is_err(), "{failed:?}");
    fs::remove_dir_all(&in_the_way).unwrap();
    for name in ["halt.json", "halt.json.staged"] {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.halt().await.unwrap(), None);
    // One that does not fail halts with the store that it brings.
    store.restore(Box::new(std::io::Cursor::new(backup)), to()).await.unwrap();
    assert!(!folder.path().join("halt.json").exists());
    drop(store);
    assert!(open(folder.path()).halt().await.unwrap().is_some());
}

/// Nobody else on the machine reads what is in the data folder.
#[cfg(unix)]
#[tokio::test]
async fn all_in_the_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let outer = TempDir::new().unwrap();
    let folder = outer.path().join("made/data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let store = open(&folder);
    fill(&store).await;
    store.put_halt(Halt { at: None, actor: None, reason: None }).await.unwrap();
    let backup = taken(&store).await;
    drop(store);
    back(&backup, &folder, true).unwrap();
    drop(open(&folder));
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 5, "{files:?}");
    files.iter().for_each(|path| assert_eq!(mode(path), 0o600, "{}", path.display()));
    assert_eq!((mode(&folder), mode(folder.parent().unwrap())), (0o700, 0o700));
}

/// A halt is brought back, and one that holds is not lifted by a backup without one.
#[tokio::test]
async fn a_restore_never_lifts_a_halt() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let without = taken(&store).await;
    let halt = Halt { at: Some(at(0)), actor: None, reason: Some("pager".to_owned()) };
    store.put_halt(halt.clone()).await.unwrap();
    let with = taken(&store).await;
    drop(store);
    assert!(!back(&without, folder.path(), true).unwrap().halted);
    assert_eq!(open(folder.path()).halt().await.unwrap(), Some(halt.clone()));
    let other = TempDir::new().unwrap();
    assert!(back(&with, other.path(), false).unwrap().halted);
    assert_eq!(open(other.path()).halt().await.unwrap(), Some(halt));
}

/// A crash after the new file was whole, before it was in its place.
#[tokio::test]
async fn what_was_staged_is_put_in_place_by_the_next_who_opens() {
    let [folder, other] = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let store = open(folder.path());
    fill(&store).await;
    let backup = taken(&store).await;
    drop(store);
    back(&backup, other.path(), false).unwrap();
    fs::rename(other.path().join(FILE), folder.path().join("store.redb.staged")).unwrap();
    assert_eq!(open(folder.path()).load().await.unwrap().position.store, StoreId::new(9));
    assert!(folder.path().join("store.redb.replaced").exists());
}

/// A server that runs goes on as it was; the next start has the backup.
#[tokio::test]
async fn a_backup_is_staged_while_the_store_is_open() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fill(&store).await;
    let backup = taken(&store).await;
    store.commit(Expected::Any, put("token/later", 1)).await.unwrap();
    let event = || restored_event(Some("ada".to_owned()), None, at(9));
    let mut entries = store.load().await.unwrap().meta;
    entries.retain(|name, _| name.starts_with("token"));
    let to = |keep| crate::Restoration { id: StoreId::new(9), event: event(), events_from: 900, keep };
    let broken = Box::new(std::io::Cursor::new(backup[..backup.len() / 2].to_vec()));
    let refused = store.restore(broken, to(None)).await;
    assert!(matches!(refused, Err(StoreError::Backup(_))), "{refused:?}");
    let whole = Box::new(std::io::Cursor::new(backup));
    let keep = Some(crate::Kept { prefix: "token", entries: entries.clone() });
    assert_eq!(store.restore(whole, to(keep)).await.unwrap().position.revision, 2);
    assert_eq!(store.load().await.unwrap().position, Position { store: StoreId::new(1), revision: 3 });
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.load().await.unwrap().position, Position { store: StoreId::new(9), revision: 2 });
    let restored = store_restored(&store).await;
    assert_eq!((restored.id, restored.event.actor.as_deref()), (900, Some("ada")));
    let mut meta = store.load().await.unwrap().meta;
    meta.retain(|name, _| name.starts_with("token"));
    assert!(meta == entries && meta.len() == 1, "what is to stay stays: {meta:?}");
}
