//! Every reason not to open a store.

use std::fs;

use redb::{Database, TableDefinition};

use super::super::folder::FILE;
use super::super::tables::{META, NUMBERS, SCHEMA_NAME};
use super::*;

/// A folder with a store that holds something, and the store's file.
async fn filled() -> (TempDir, Vec<u8>) {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for n in 0..30 {
        let events = vec![event("e", "a", n)];
        store.commit(Expected::Any, Change { events, ..put(&format!("n{n}"), 1) }).await.unwrap();
    }
    drop(store);
    let bytes = fs::read(folder.path().join(FILE)).unwrap();
    (folder, bytes)
}

fn refused(folder: &Path) -> OpenError {
    EmbeddedStore::open(options(folder)).unwrap_err()
}

/// What is damaged is refused, never emptied, and the refusal says what to do.
#[tokio::test]
async fn invariant_8_what_cannot_be_read_is_refused_and_left_as_it_is() {
    let (folder, whole) = filled().await;
    let file = folder.path().join(FILE);
    let cases = [
        ("empty", Vec::new()),
        ("text", b"flags: {}\n".to_vec()),
        ("zeroes", vec![0; 100_000]),
        ("the head alone", whole[..4096].to_vec()),
        ("cut off", whole[..whole.len() - 5_000].to_vec()),
        ("a foreign head", [b"SQLite format 3\0", &whole[16..]].concat()),
    ];
    for (case, bytes) in cases {
        fs::write(&file, &bytes).unwrap();
        let error = refused(folder.path());
        let text = error.to_string();
        assert!(matches!(error, OpenError::Unreadable { .. }), "{case}: {text}");
        for part in ["store.redb", "nothing was changed", "daybreak restore"] {
            assert!(text.contains(part), "{case}: {text}");
        }
        assert!(fs::read(&file).unwrap() == bytes, "{case}: the file was changed");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Unreadable { .. }));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, whole).unwrap();
    assert_eq!(open(folder.path()).load().await.unwrap().meta.len(), 30);
}

/// A bit that fell over is found, or fell where nothing is.
#[tokio::test]
async fn invariant_8_a_fallen_bit_is_refused_or_harmless() {
    let (folder, whole) = filled().await;
    let file = folder.path().join(FILE);
    let before = open(folder.path()).load().await.unwrap();
    let mut found = 0;
    for place in (0..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        fs::write(&file, bytes).unwrap();
        match EmbeddedStore::open(options(folder.path())) {
            Err(error) => {
                assert!(matches!(error, OpenError::Unreadable { .. }), "byte {place}: {error}");
                found += 1;
            }
            Ok(store) => assert_eq!(store.load().await.unwrap(), before, "byte {place}"),
        }
    }
    assert!(found > 3, "only {found} were found");
}

#[tokio::test]
async fn a_database_of_somebody_else_is_refused() {
    let folder = TempDir::new().unwrap();
    let database = Database::create(folder.path().join(FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let text = refused(folder.path()).to_string();
    assert!(text.contains("not Daybreak's"), "{text}");
}

#[tokio::test]
async fn one_server_at_a_time() {
    let folder = TempDir::new().unwrap();
    let first = open(folder.path());
    let text = refused(folder.path()).to_string();
    let process = format!("another server (process {})", std::process::id());
    for part in [process.as_str(), &folder.path().display().to_string(), "stop that one first", "--data DIR"] {
        assert!(text.contains(part), "{text}");
    }
    drop(first);
    open(folder.path());
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    let in_the_way = folder.path().join("file");
    fs::write(&in_the_way, b"").unwrap();
    for path in [in_the_way.clone(), in_the_way.join("below"), "/proc/daybreak".into()] {
        let text = refused(&path).to_string();
        for part in [path.display().to_string().as_str(), "may read and write", "--data DIR"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

/// Without permission it says so; root may do everything.
#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    match EmbeddedStore::open(options(folder.path())) {
        Err(error) => assert!(error.to_string().contains("Permission denied"), "{error}"),
        Ok(_) => assert!(fs::write(folder.path().join("root"), b"").is_ok(), "this user may do everything"),
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds the hashes of tokens");
}

#[tokio::test]
async fn a_crash_while_it_was_made_leaves_no_half_store() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("store.redb.new"), b"half").unwrap();
    assert_eq!(open(folder.path()).load().await.unwrap().position.revision, 0);
}

/// A store of an older version is brought to this one's schema, and kept as it was beside; this version's is not taken
/// by the older one.
#[tokio::test]
async fn schemas_only_grow() {
    let (folder, _) = filled().await;
    let second: Migration = |transaction| {
        transaction.open_table(META)?.insert("migrated", b"{\"revision\": 1, \"document\": 2}".as_slice())?;
        Ok(())
    };
    let third: Migration = |transaction| {
        transaction.open_table(META)?.remove("n0")?;
        Ok(())
    };
    let store = EmbeddedStore::open_with(options(folder.path()), &[second, third]).unwrap();
    let meta = store.load().await.unwrap().meta;
    assert_eq!((meta["migrated"].document.clone(), meta.contains_key("n0")), (json!(2).into(), false));
    drop(store);
    let text = refused(folder.path()).to_string();
    for part in ["newer daybreak", "schema is 3", "up to 1", "nothing was changed"] {
        assert!(text.contains(part), "{text}");
    }
    // The copy is what it was.
    let copy = folder.path().join("store.redb.schema-1");
    fs::rename(copy, folder.path().join(FILE)).unwrap();
    assert!(open(folder.path()).load().await.unwrap().meta.contains_key("n0"));
}

/// A migration that fails leaves the store as it was.
#[tokio::test]
async fn a_migration_is_all_or_nothing() {
    let (folder, _) = filled().await;
    let fails: Migration = |transaction| {
        transaction.open_table(META)?.remove("n0")?;
        Err(super::super::failure::Failure::Unreadable("told to fail".to_owned()))
    };
    let error = EmbeddedStore::open_with(options(folder.path()), &[fails]).unwrap_err();
    assert!(matches!(&error, OpenError::Migration { from: 1, copy, .. } if copy.exists()), "{error}");
    let store = open(folder.path());
    assert!(store.load().await.unwrap().meta.contains_key("n0"));
    drop(store);
    let database = Database::open(folder.path().join(FILE)).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    assert_eq!(transaction.open_table(NUMBERS).unwrap().get(SCHEMA_NAME).unwrap().unwrap().value(), 1);
}
