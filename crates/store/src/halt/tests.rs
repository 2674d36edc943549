use tempfile::TempDir;

use super::*;

fn halt() -> Halt {
    Halt {
        at: Some(Timestamp::from_second(5).unwrap()),
        actor: Some("ada".to_owned()),
        reason: Some("pager".to_owned()),
    }
}

fn opened() -> (TempDir, HaltFile) {
    let folder = TempDir::new().unwrap();
    let file = HaltFile::open(folder.path()).unwrap();
    (folder, file)
}

#[test]
fn written_read_removed() {
    let (folder, file) = opened();
    assert_eq!(file.read(), None);
    file.remove().unwrap();
    file.write(&halt()).unwrap();
    assert_eq!(HaltFile::open(folder.path()).unwrap().read(), Some(halt()));
    file.write(&Halt { reason: None, ..halt() }).unwrap();
    assert_eq!(file.read(), Some(Halt { reason: None, ..halt() }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    file.remove().unwrap();
    assert_eq!(file.read(), None);
}

#[test]
fn a_halt_is_written_where_there_is_a_place_for_it() {
    let (folder, file) = opened();
    for halt in [halt(), Halt { reason: Some("x".repeat(2 * RESERVED)), ..halt() }, halt()] {
        file.reserve().unwrap();
        file.reserve().unwrap();
        let place = fs::metadata(folder.path().join(TEMPORARY)).unwrap();
        file.write(&halt).unwrap();
        assert_eq!(file.read(), Some(halt));
        let written = fs::metadata(file.path()).unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::ino(&place), std::os::unix::fs::MetadataExt::ino(&written));
        assert!(place.len() == RESERVED as u64 && written.len() >= place.len());
    }
}

/// Whatever a crash, a disk or a person leaves there: what cannot be read is a halt.
#[test]
fn an_unreadable_halt_state_is_a_halt() {
    let check = |prepare: &dyn Fn(&HaltFile)| {
        let (folder, file) = opened();
        prepare(&file);
        let reason = file.read().and_then(|halt| halt.reason).unwrap();
        assert!(reason.contains("halt.json cannot be read, so everything is halted: "), "{reason}");
        (folder, file)
    };
    let whole = serde_json::to_vec(&halt()).unwrap();
    for bytes in [&b""[..], b"halt", b"null", b"\xff\xfe", &whole[..whole.len() - 1], b"{\"at\": \"noon\"}"] {
        let (_folder, file) = check(&|file| fs::write(file.path(), bytes).unwrap());
        file.remove().unwrap();
        assert_eq!(file.read(), None, "it can be lifted");
    }
    for foreign in ["{}", "[]", "{\"halted\": false}"] {
        let (_folder, file) = opened();
        fs::write(file.path(), foreign).unwrap();
        assert!(file.read().is_some(), "{foreign}");
    }
    check(&|file| fs::create_dir(file.path()).unwrap());
    check(&|file| fs::remove_dir(file.path().parent().unwrap()).unwrap());
    #[cfg(unix)]
    check(&|file| std::os::unix::fs::symlink(file.path(), file.path()).unwrap());
}

/// A crash between the new file and its renaming: the halt was not acknowledged, and is not there.
#[test]
fn a_halt_that_was_half_written_is_none() {
    let (folder, file) = opened();
    fs::write(folder.path().join(TEMPORARY), b"{\"at\"").unwrap();
    assert_eq!(file.read(), None);
    file.write(&halt()).unwrap();
    assert_eq!(file.read(), Some(halt()));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let (folder, _) = opened();
    let in_the_way = folder.path().join("file");
    fs::write(&in_the_way, b"").unwrap();
    assert!(HaltFile::open(&in_the_way).is_err());
    assert!(HaltFile::open(&in_the_way.join("below")).is_err());
}
