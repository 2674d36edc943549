//! Control: the one place of every change.
//!
//! The API, the dashboard, files, schedules and the guard all change things through [`Control`]: there each
//! change is checked, committed, audited and broadcast. It knows no HTTP.
//!
//! * What adds risk is committed, then published, then answered. What takes risk away is published first, and
//!   committed after: stopping waits neither for the disk nor for the queue.
//! * Readers take an unchanging [`State`] and keep it as long as they like.
//! * Each message is encoded once, for all streams.

mod actor;
mod backup;
mod budgets;
mod change;
mod clients;
pub mod clock;
mod control;
mod delivery;
mod evaluations;
mod events;
mod files;
mod freeze;
mod health;
mod history;
mod hub;
mod life;
mod live;
mod memory;
mod options;
mod packed;
mod pages;
mod prometheus;
mod refusal;
mod resources;
mod ring;
mod runs;
mod schedules;
mod state;
mod subscription;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod tokens;
mod turn;
mod webhooks;

pub use actor::{Actor, Precondition};
pub use backup::TOKEN_ENTRIES;
pub use budgets::BudgetView;
pub use change::{ApplyOptions, Changed};
pub use clients::{ClientView, FaultPointView};
pub use clock::Clock;
pub use control::{Control, OpenError, TRACE_TARGET};
pub use daybreak_guard::admission::RefusalCode;
pub use daybreak_guard::budget::Burn;
pub use daybreak_guard::clients::{Evaluated, ReportRefusal};
pub use daybreak_guard::people::Urgency;
pub use daybreak_store::{BackupReader, Event, EventFilter, EventOrder, EventPage, RecordedEvent, Restored};
pub use delivery::{
    BOUNDS_MS, Bucket, ClientSummary, DeliveryView, Histogram, HistogramView, Laggard, Reached, Standing,
};
pub use events::Follower;
pub use files::{
    AppliedFiles, Drift, FilesError, FilesStatus, FilesWatch, LoadError, Maker, Origin, RefusedFiles, read_documents,
};
pub use health::Health;
pub use history::EVENTS_PAGE_MAX;
pub use hub::OpenStream;
pub use life::{
    Answered, Asked, DayView, LifeView, PERMANENT, STALE_AFTER_DEFAULT, StaleFlag, StaleFlags, StaleReason, StaleWhy,
    Tally, UnknownFlag, VariantView,
};
pub use live::{Lagged, Live};
pub use options::{Options, OptionsError};
pub use packed::Packed;
pub use pages::{
    Frozen, IncidentView, OnCallStatus, PageRefusal, PageView, PlainPage, ReceivedPage, ReceivedPages, SecretError,
    UnmatchedPage,
};
pub use prometheus::{PrometheusUrl, PrometheusUrlError, SourceStatus};
pub use refusal::Refusal;
pub use runs::{HaltView, Lifted, PlaceShare, Reserved, RunCounts, RunView, StartRequest, Started, Stopped};
pub use schedules::{Attempt, Outcome, ScheduleView, SkipReason};
pub use state::{Resource, State};
pub use subscription::{Packing, Subscription};
pub use tokens::{Right, Role, Token};
pub use webhooks::{GivenUp, Template, WebhookStatus, WebhookTest, WebhooksError, check_webhooks};
