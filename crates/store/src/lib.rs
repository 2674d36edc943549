//! Where Daybreak keeps its resources, runs, events and halt.
//!
//! [`Store`] is the one trait; [`MemoryStore`] keeps everything in memory, and the halt in a file where it is
//! given a folder. Documents are kept as JSON: a store knows nothing of what they mean. Every implementation
//! passes the suite in `conformance` (behind the feature of that name).
//!
//! Stores read no clock: time comes in as an argument.

mod backup;
mod change;
mod commits;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod document;
mod embedded;
mod error;
mod event;
mod halt;
mod lead;
mod memory;
mod outbox;
mod private;
mod reports;
mod store;
mod time;

pub use backup::{Backup, BackupReader, Restored, verify};
pub use change::{Change, Commit, Contents, Expected, Stored};
pub use document::Document;
pub use embedded::{EmbeddedOptions, EmbeddedStore, OpenError, RestoreError, RestoreOptions, restore, restored_event};
pub use error::StoreError;
pub use event::{Event, EventFilter, EventOrder, EventPage, RecordedEvent, Retention};
pub use halt::{Halt, HaltFile};
pub use lead::{Leadership, LeadershipRequest};
pub use memory::{MemoryOptions, MemoryStore};
pub use outbox::{Delivery, Message};
pub use reports::ReportBucket;
pub use store::{BoxFuture, Kept, Restoration, Store, StoreStats, Watch};
