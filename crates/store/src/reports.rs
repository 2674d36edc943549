//! Buckets of what was reported, for budgets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was reported of one series in one stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportBucket {
    /// The series: `slos/checkout`.
    pub series: String,
    /// When the stretch began. One series has one bucket for it: a later one replaces it.
    pub start: Timestamp,
    /// The counts; the store does not look inside.
    pub counts: Value,
}
