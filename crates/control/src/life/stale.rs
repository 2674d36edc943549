//! Which flags can be removed, and why.

use std::sync::Arc;

use daybreak_model::{Flag, Key, Millis};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::record::Life;

/// A flag with this tag is meant to stay: only its own day makes it stale.
pub const PERMANENT: &str = "permanent";

/// Why a flag can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StaleWhy {
    /// Its day has come.
    Expired,
    /// Nobody ever asked for it.
    NeverEvaluated,
    /// Nobody asks for it any more.
    Unused,
    /// It serves always the same.
    SameVariant,
}

/// One reason for which a flag can be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StaleReason {
    /// The reason.
    pub why: StaleWhy,
    /// The same in a sentence.
    pub sentence: String,
    /// Since when that is so.
    pub since: Timestamp,
}

/// The reasons for which a flag can be removed, if it has been so for `after`.
pub(super) fn reasons(flag: &Flag, life: &Life, after: Millis, now: Timestamp) -> Vec<StaleReason> {
    let mut reasons = Vec::new();
    if let Some(day) = flag.expires
        && let Some(since) = begins(day)
        && since <= now
    {
        let sentence = format!("it expired on {day}");
        reasons.push(StaleReason { why: StaleWhy::Expired, sentence, since });
    }
    if flag.tags.iter().any(|tag| tag == PERMANENT) {
        return reasons;
    }
    let within = SignedDuration::try_from(after.to_duration()).unwrap_or(SignedDuration::MAX);
    let long_ago = |at: Timestamp| now.duration_since(at) >= within;
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let (why, sentence, since) = match life.last {
        None if long_ago(life.since) => {
            let known = if life.created { "it was created" } else { "it is watched" };
            let sentence = format!("it was never evaluated since {known} on {}{}", day(life.since), alone(life));
            (StaleWhy::NeverEvaluated, sentence, life.since)
        }
        Some(last) if long_ago(last) => {
            (StaleWhy::Unused, format!("it was last evaluated on {}{}", day(last), alone(life)), last)
        }
        Some(_) => match life.constant(within, now) {
            Some((variant, since)) => {
                let sentence = format!("it has served nothing but `{variant}` since {}", day(since));
                (StaleWhy::SameVariant, sentence, since)
            }
            None => return reasons,
        },
        None => return reasons,
    };
    reasons.push(StaleReason { why, sentence, since });
    reasons
}

/// What to add where it is still answered together with all others: whoever asks for all may use it.
const fn alone(life: &Life) -> &'static str {
    if life.with_all.is_some() { ", except in answers with all flags" } else { "" }
}

/// When a day begins.
fn begins(day: Date) -> Option<Timestamp> {
    day.to_zoned(TimeZone::UTC).ok().map(|begin| begin.timestamp())
}

/// The flags that name a flag as a prerequisite: it is evaluated within them, which nobody counts.
pub(super) fn users<'f>(flags: impl Iterator<Item = (&'f Key, &'f Arc<Flag>)>, of: &Key) -> Vec<Key> {
    let names = |(_, flag): &(&Key, &Arc<Flag>)| flag.prerequisites.contains_key(of);
    flags.filter(names).map(|(key, _)| key.clone()).collect()
}
