//! A backup: everything that a store holds, as lines of JSON, which any store takes back.
//!
//! The first line says what it is, the last how many there are and what their SHA-256 is. So what broke off, or was
//! altered, is found before anything is changed. It holds the hashes of tokens: it is as secret as the data folder.

use std::io::{BufRead, Read};
use std::path::PathBuf;

use daybreak_model::wire::{Position, StoreId};
use daybreak_model::{Key, Kind, RunId};
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Delivery, Document, Halt, RecordedEvent, ReportBucket, StoreError};

/// A backup as it is written, piece by piece.
pub type Backup = BoxStream<'static, Result<Vec<u8>, StoreError>>;

/// A backup as it is read.
pub type BackupReader = Box<dyn BufRead + Send>;

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Where the store stands then: the backup's revision, under a new id.
    pub position: Position,
    /// Where the one that was backed up stood.
    pub from: Position,
    /// How many resources it has.
    pub resources: usize,
    /// How many events.
    pub events: usize,
    /// Whether everything was halted.
    pub halted: bool,
    /// Where the store that was replaced is kept, once it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
    /// Why that store could not be read, so that nothing of its own was kept.
    #[serde(skip)]
    pub lost: Option<String>,
}

/// The version of the form that is written here.
const VERSION: u64 = 1;
/// Bytes after which a piece is handed on.
const PIECE_BYTES: usize = 64 << 10;
/// Bytes of a line, at most; no resource is that large.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    DaybreakBackup(Head),
    Resource { kind: Kind, key: Key, revision: u64, document: Document },
    Run { id: RunId, revision: u64, document: Document },
    Meta { name: String, revision: u64, document: Document },
    Note { name: String, note: Value },
    Event(RecordedEvent),
    Report(ReportBucket),
    Message(Delivery),
    Halt(Halt),
    End(End),
}

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) version: u64,
    /// The version of Daybreak that wrote it.
    pub(crate) written_by: String,
    pub(crate) position: Position,
    pub(crate) next_event: u64,
    pub(crate) next_message: u64,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct End {
    /// How many lines come before it.
    lines: u64,
    /// Of all bytes before it.
    sha256: String,
}

impl Head {
    pub(crate) fn new(position: Position, next_event: u64, next_message: u64) -> Self {
        Self { version: VERSION, written_by: env!("CARGO_PKG_VERSION").to_owned(), position, next_event, next_message }
    }
}

/// Writes lines, and hands them on in pieces.
pub(crate) struct Pieces<F> {
    piece: Vec<u8>,
    hash: Sha256,
    lines: u64,
    hand_on: F,
}

impl<E: From<serde_json::Error>, F: FnMut(Vec<u8>) -> Result<(), E>> Pieces<F> {
    pub(crate) fn new(hand_on: F) -> Self {
        Self { piece: Vec::new(), hash: Sha256::new(), lines: 0, hand_on }
    }

    pub(crate) fn push(&mut self, line: &Line) -> Result<(), E> {
        let begin = self.piece.len();
        serde_json::to_writer(&mut self.piece, line)?;
        self.piece.push(b'\n');
        self.hash.update(self.piece.get(begin..).unwrap_or_default());
        self.lines += 1;
        if self.piece.len() >= PIECE_BYTES { (self.hand_on)(std::mem::take(&mut self.piece)) } else { Ok(()) }
    }

    /// Writes the last line.
    pub(crate) fn finish(mut self) -> Result<(), E> {
        let sha256 = digits(self.hash.clone());
        self.push(&Line::End(End { lines: self.lines, sha256 }))?;
        (self.hand_on)(self.piece)
    }
}

/// Reads a backup to its end, line by line; the first and the last are read here.
///
/// # Errors
/// When it is no backup, is of a newer version, or is not whole; or what `each` says.
pub(crate) fn read(backup: &mut dyn BufRead, mut each: impl FnMut(Line) -> Result<(), String>) -> Result<Head, String> {
    let (mut hash, mut number, mut head) = (Sha256::new(), 0, None);
    loop {
        let mut bytes = Vec::new();
        backup.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(|error| error.to_string())?;
        number += 1;
        if bytes.is_empty() {
            return Err(format!("it ends at line {number}, before its last line: it is not whole"));
        }
        let line = match serde_json::from_slice(&bytes) {
            Ok(line) if bytes.ends_with(b"\n") => line,
            _ if head.is_none() => return Err("it is no backup of Daybreak".to_owned()),
            _ => return Err(format!("line {number} is not whole, or altered")),
        };
        match line {
            Line::DaybreakBackup(first) if head.is_none() => {
                if first.version > VERSION {
                    let Head { version, written_by, .. } = first;
                    return Err(format!(
                        "it is of version {version}, written by daybreak {written_by}; this one reads up to {VERSION}"
                    ));
                }
                head = Some(first);
            }
            _ if head.is_none() => return Err("it is no backup of Daybreak: its first line is another".to_owned()),
            Line::DaybreakBackup(_) => return Err(format!("line {number} begins another backup")),
            Line::End(end) => {
                if (end.lines, end.sha256) != (number - 1, digits(hash)) {
                    return Err("its checksum is not that of its lines: it was altered".to_owned());
                }
                let mut rest = [0];
                if backup.read(&mut rest).map_err(|error| error.to_string())? > 0 {
                    return Err(format!("it goes on after its last line, {number}"));
                }
                return head.ok_or_else(|| "it is no backup of Daybreak".to_owned());
            }
            line => each(line).map_err(|why| format!("line {number}: {why}"))?,
        }
        hash.update(&bytes);
    }
}

/// Reads a backup to its end, and counts what it brings back; `each` is told of every line.
///
/// # Errors
/// As [`read`].
pub(crate) fn count(
    backup: &mut dyn BufRead,
    id: StoreId,
    mut each: impl FnMut(&Line) -> Result<(), String>,
) -> Result<(Restored, Head), String> {
    let (mut resources, mut events, mut halted) = (0, 0, false);
    let head = read(backup, |line| {
        resources += usize::from(matches!(line, Line::Resource { .. }));
        events += usize::from(matches!(line, Line::Event(_)));
        halted |= matches!(line, Line::Halt(_));
        each(&line)
    })?;
    let (from, position) = (head.position, Position { store: id, ..head.position });
    Ok((Restored { position, from, resources, events, halted, kept: None, lost: None }, head))
}

/// Looks whether a backup is whole; where it stood.
///
/// # Errors
/// When it is not: with what is wrong.
pub fn verify(backup: &mut dyn BufRead) -> Result<Position, String> {
    read(backup, |_| Ok(())).map(|head| head.position)
}

fn digits(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
