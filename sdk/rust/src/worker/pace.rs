//! How fast the thread goes about its work: tests go faster.

use std::time::Duration;

use daybreak_model::limits::{
    HEARTBEAT_INTERVAL, REPORT_INTERVAL_ACTIVE, REPORT_INTERVAL_IDLE, SNAPSHOT_BYTES_MAX, STREAM_SILENT_AFTER,
};

/// Times and bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// A stream that says nothing for this long is lost.
    pub(super) silent_after: Duration,
    /// A new stream that has said nothing for this long is polled beside.
    pub(super) poll_after: Duration,
    /// So is one that has spoken, and then says nothing for this long: more than a heartbeat.
    pub(super) poll_after_speech: Duration,
    /// Clients that lose their stream at once spread their polls over this time.
    pub(super) poll_after_loss: Duration,
    /// Between two polls; more or less by a quarter.
    pub(super) poll_every: Duration,
    /// The longest that one poll may take.
    pub(super) poll_timeout: Duration,
    /// The longest pause between two tries at the stream, or between two polls that fail.
    pub(super) longest_pause: Duration,
    /// A report that is not answered by then is lost; the next one says the same and more.
    pub(super) report_timeout: Duration,
    /// From when a report was sent that was lost to the next one.
    pub(super) report_after_loss: Duration,
    /// The longest interval between reports.
    pub(super) report_at_least_every: Duration,
    /// How often the kill file is looked for, and points without a lease are disarmed.
    pub(super) expire_every: Duration,
    /// How long after a panic of ours the thread begins anew.
    pub(super) after_panic: Duration,
    /// The longest event, and the longest snapshot, in bytes.
    pub(super) snapshot_bytes: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            silent_after: STREAM_SILENT_AFTER.to_duration(),
            poll_after: Duration::from_secs(3),
            poll_after_speech: HEARTBEAT_INTERVAL.to_duration() + Duration::from_secs(3),
            poll_after_loss: Duration::from_millis(500),
            poll_every: Duration::from_secs(4),
            poll_timeout: Duration::from_secs(60),
            longest_pause: Duration::from_secs(10),
            report_timeout: Duration::from_secs(2),
            report_after_loss: REPORT_INTERVAL_ACTIVE.to_duration(),
            report_at_least_every: REPORT_INTERVAL_IDLE.to_duration(),
            expire_every: Duration::from_secs(1),
            after_panic: Duration::from_secs(10),
            snapshot_bytes: SNAPSHOT_BYTES_MAX,
        }
    }
}
