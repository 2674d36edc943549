//! The stream's messages, and the snapshot that is polled where no stream gets through.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::limits::ENGINE_LEVEL;
use crate::wire::Position;
use crate::{Key, Millis, RunId};

/// A resource on the wire: what it needs, when it last changed, and itself, not yet decoded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enveloped {
    /// The engine level it needs.
    pub level: u32,
    /// The revision that last changed it.
    pub revision: u64,
    /// The wire form of the resource.
    pub resource: Box<RawValue>,
}

/// Why a resource cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It needs a newer engine.
    #[error("it needs engine level {needed}, this one has level {ENGINE_LEVEL}")]
    Level {
        /// The level that it needs.
        needed: u32,
    },
    /// It does not decode.
    #[error("it cannot be read: {0}")]
    Form(#[from] serde_json::Error),
}

/// All flags and segments at one position. It never holds runs: those are granted by lease alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where the server stood.
    pub position: Position,
    /// The server's environment; a client refuses another than the one it first saw.
    pub environment: String,
    /// Flags by key.
    #[serde(default)]
    pub flags: BTreeMap<Key, Enveloped>,
    /// Segments by key.
    #[serde(default)]
    pub segments: BTreeMap<Key, Enveloped>,
}

/// What a change set and removed. It applies to the position right before its own, or to any later than that.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Where the server stands after it.
    pub position: Position,
    /// Flags that are new or different; `null` where removed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<Key, Option<Enveloped>>,
    /// Segments that are new or different; `null` where removed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<Key, Option<Enveloped>>,
    /// Somebody waits for this change: report soon after it is served, at a random moment within `jitter`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ack: bool,
    /// How far clients should spread these reports. The server knows how many there are: one alone need not wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter: Millis,
}

/// Runs came or went. It brings no lease: a client that reads of a start reports at once, and is granted one
/// in the reply. A stop acts on arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsChanged {
    /// Where the server stands after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Runs that began, or changed stage: report at once, after up to `jitter`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub started: Vec<RunId>,
    /// Runs that ended: stop now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<RunId>,
    /// Everything is halted: stop all runs now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halted: bool,
    /// How far clients should spread their reports.
    #[serde(default)]
    pub jitter: Millis,
}

/// The server closes the stream: connect again, elsewhere if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// Spread the new connections over this time.
    pub jitter: Millis,
}

/// One message of the stream. On the wire its name is the event, its content the data, its position the id:
/// `event: change`, `data: {…}`, `id: 00c0ffee00c0ffee:42`.
#[derive(Clone, Debug)]
pub enum Message {
    /// `snapshot`: everything; the first message unless the stream resumes.
    Snapshot(Snapshot),
    /// `change`: what changed.
    Change(Change),
    /// `runs`: runs came or went.
    Runs(RunsChanged),
    /// `heartbeat`: the connection lives.
    Heartbeat,
    /// `goodbye`: connect again.
    Goodbye(Goodbye),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(length: &Millis) -> bool {
    *length == Millis::ZERO
}

impl Enveloped {
    /// Wraps a resource of this version.
    ///
    /// # Errors
    /// When the resource has no JSON form, which none of this crate's lacks.
    pub fn new(revision: u64, resource: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self { level: ENGINE_LEVEL, revision, resource: serde_json::value::to_raw_value(resource)? })
    }

    /// Decodes the resource.
    ///
    /// # Errors
    /// When it needs a newer engine, or does not decode: the client keeps what it had.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, EnvelopeError> {
        if self.level > ENGINE_LEVEL {
            return Err(EnvelopeError::Level { needed: self.level });
        }
        Ok(serde_json::from_str(self.resource.get())?)
    }
}

impl Message {
    /// The event's name.
    #[must_use]
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Change(_) => "change",
            Self::Runs(_) => "runs",
            Self::Heartbeat => "heartbeat",
            Self::Goodbye(_) => "goodbye",
        }
    }

    /// The event's data.
    ///
    /// # Errors
    /// When the content has no JSON form, which none of these lacks.
    pub fn data(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Snapshot(snapshot) => serde_json::to_string(snapshot),
            Self::Change(change) => serde_json::to_string(change),
            Self::Runs(runs) => serde_json::to_string(runs),
            Self::Heartbeat => Ok("{}".to_owned()),
            Self::Goodbye(goodbye) => serde_json::to_string(goodbye),
        }
    }

    /// Reads an event; `None` where its name is not known, which is no error.
    ///
    /// # Errors
    /// When the data does not fit the name.
    pub fn read(event: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match event {
            "snapshot" => Self::Snapshot(serde_json::from_str(data)?),
            "change" => Self::Change(serde_json::from_str(data)?),
            "runs" => Self::Runs(serde_json::from_str(data)?),
            "heartbeat" => Self::Heartbeat,
            "goodbye" => Self::Goodbye(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    }

    /// The position that a client reaches with it.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Snapshot(snapshot) => Some(snapshot.position),
            Self::Change(change) => Some(change.position),
            Self::Runs(runs) => runs.position,
            Self::Heartbeat | Self::Goodbye(_) => None,
        }
    }
}
