//! The life of flags: when they came, how often each variant was served, and which can be removed; and flags that are
//! asked for and are not there.
//!
//! Counts come from clients' reports and from evaluations by OFREP. They are kept in memory, for as many flags as there
//! are and 30 days each, and in the store each minute and at a clean end.

mod keep;
mod record;
mod stale;
mod tally;
#[cfg(test)]
mod tests;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use daybreak_engine::Detail;
use daybreak_guard::clients::EvaluationGrowth;
use daybreak_model::wire::Report;
use daybreak_model::{EventKind, Flag, Key, Kind, Millis, Verb};
use daybreak_store::{EventFilter, EventOrder};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::control::not_found;
use crate::resources::subject;
use crate::{Control, Refusal, State};
use record::{Batch, Life, Occasion};
use unknown::UnknownFlags;

pub(crate) use keep::load;
pub use record::DayView;
pub use stale::{PERMANENT, StaleReason, StaleWhy};
pub(crate) use tally::Tallies;
pub use tally::{Answered, Asked, Tally};
pub use unknown::UnknownFlag;

/// How long a flag must have been of no use to be listed, unless said.
pub const STALE_AFTER_DEFAULT: Millis = Millis::from_secs(30 * 24 * 60 * 60);
/// Unknown flags that an answer has.
const UNKNOWN_SHOWN: usize = 100;

/// The lives of all flags.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    lives: BTreeMap<Key, Life>,
    /// Those that the store does not know yet, or is to forget.
    changed: BTreeSet<Key>,
    /// Up to which change of flags they were followed.
    followed: Option<u64>,
    kept: Option<Duration>,
    unknown: UnknownFlags,
}

/// What is known of a variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariantView {
    /// How often it was served, on the days that are kept.
    pub count: u64,
    /// Its share of all that was served, from 0 to 1.
    pub share: f64,
    /// When it was last served, as far as that is known.
    pub last_served_at: Option<Timestamp>,
}

/// The life of a flag.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LifeView {
    /// The flag.
    pub flag: Key,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When it was created; none where nobody knows any more.
    pub created_at: Option<Timestamp>,
    /// Since when its evaluations are counted.
    pub watched_since: Timestamp,
    /// When it was first evaluated.
    pub first_evaluated_at: Option<Timestamp>,
    /// When it was last.
    pub last_evaluated_at: Option<Timestamp>,
    /// How often a variant was served, on the days that are kept.
    pub evaluations: u64,
    /// How often the caller's default was, because of an error.
    pub errors: u64,
    /// By variant: those that it has, and those that it served.
    pub variants: BTreeMap<Key, VariantView>,
    /// Day by day, the oldest first; days without evaluations are left out.
    pub days: Vec<DayView>,
    /// The day from which it is due for removal.
    pub expires: Option<Date>,
    /// The flags that have it as a prerequisite: they evaluate it, which nobody counts.
    pub used_by: Vec<Key>,
    /// Why it can be removed; nothing where it cannot.
    pub stale: Vec<StaleReason>,
}

/// A flag that can be removed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StaleFlag {
    /// The flag.
    pub flag: Key,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why; at least one reason.
    pub reasons: Vec<StaleReason>,
}

/// Flags that can be removed, and flags that are asked for and are not there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StaleFlags {
    /// How long a flag must have been of no use to be listed.
    pub after: Millis,
    /// Flags that can be removed.
    pub stale: Vec<StaleFlag>,
    /// Flags that are asked for and are not there, those that are asked for most first.
    pub unknown: Vec<UnknownFlag>,
}

impl Lives {
    pub(crate) fn new(lives: BTreeMap<Key, Life>) -> Self {
        Self { lives, ..Self::default() }
    }

    /// Follows the flags that there are. Of those that are met first at the start nobody knows when they were created.
    fn follow(&mut self, state: &State, now: Timestamp) {
        if self.followed == Some(state.flags_revision()) {
            return;
        }
        let begun = self.followed.replace(state.flags_revision()).is_some();
        let flags = &state.resources().flags;
        for (gone, _) in self.lives.extract_if(.., |key, _| !flags.contains_key(key)) {
            self.changed.insert(gone);
        }
        for key in flags.keys() {
            if !self.lives.contains_key(key) {
                self.lives.insert(key.clone(), Life::new(now, begun));
                self.changed.insert(key.clone());
            }
        }
    }

    fn add(&mut self, flag: &Key, batch: Batch<'_>, state: &State, now: Timestamp) {
        if !self.lives.contains_key(flag) && state.resources().flags.contains_key(flag) {
            self.follow(state, now);
        }
        if let Some(life) = self.lives.get_mut(flag)
            && life.add(batch, now)
        {
            self.changed.insert(flag.clone());
        }
    }
}

impl Control {
    /// Counts what clients evaluated.
    pub(crate) fn count_evaluations(&self, grown: &[EvaluationGrowth], report: &Report, from_its_start: bool) {
        if grown.is_empty() && report.unknown_flags.is_empty() {
            return;
        }
        let (now, elapsed, state) = (self.inner.clock.now(), self.inner.clock.elapsed(), self.state());
        let mut lives = self.inner.lives.lock();
        for EvaluationGrowth { flag, variant, count, recent } in grown {
            let when = if *recent { Occasion::Now } else { Occasion::LongAgo };
            let batch = Batch { variant: variant.as_ref(), count: *count, occasion: when };
            lives.add(flag, batch, &state, now);
        }
        lives.unknown.take_in(report, from_its_start, now, elapsed);
    }

    /// Counts evaluations of all flags that this server makes itself, by the snapshot of this state.
    #[must_use]
    pub fn tally<'t>(&'t self, state: &'t Arc<State>) -> Tally<'t> {
        self.inner.tallies.begin(state)
    }

    /// Counts this answer of its own, of a flag that somebody asked for alone, by the snapshot of this state.
    pub fn tally_one(&self, state: &Arc<State>, answer: &Detail<'_>) {
        self.inner.tallies.count(state, answer);
    }

    /// How often this server itself evaluated flags since its start.
    #[must_use]
    pub fn answered(&self, asked: Asked) -> Answered {
        self.inner.tallies.answered(asked)
    }

    /// Somebody asked by OFREP for a flag that is not there.
    pub fn asked_in_vain(&self, name: &str) {
        let now = self.inner.clock.now();
        self.inner.lives.lock().unknown.asked_by_ofrep(name, now);
    }

    /// Has the lives follow the flags that there are, and what was counted here.
    pub(crate) fn follow_flags(&self) {
        let (now, counted) = (self.inner.clock.now(), self.inner.tallies.take());
        let mut lives = self.inner.lives.lock();
        // Read under the lock, so that nobody goes back to what was before.
        let state = self.state();
        lives.follow(&state, now);
        for ((asked, flag, variant), count) in counted {
            let occasion = match asked {
                Asked::Flag => Occasion::Now,
                Asked::All => Occasion::WithAll,
            };
            let batch = Batch { variant: variant.as_ref(), count, occasion };
            lives.add(&flag, batch, &state, now);
        }
    }

    /// The life of a flag.
    ///
    /// # Errors
    /// When there is no such flag, or the store fails.
    pub async fn life(&self, key: &str, after: Millis) -> Result<LifeView, Refusal> {
        self.follow_flags();
        let state = self.state();
        let found = state.resources().flags.get_key_value(key);
        let (key, flag) = found.ok_or_else(|| not_found(state.resources(), Kind::Flag, key))?;
        let now = self.inner.clock.now();
        let life = self.inner.lives.lock().lives.get(key).cloned().unwrap_or_else(|| Life::new(now, false));
        let created = if life.created { Some(life.since) } else { self.created(key).await? };
        Ok(view(&state, (key, flag), &life, created, after, now))
    }

    /// When the log says that a flag was created.
    async fn created(&self, key: &Key) -> Result<Option<Timestamp>, Refusal> {
        let kind = Some(EventKind::Resource(Kind::Flag, Verb::Created).into());
        let subject = Some(subject(Kind::Flag, key.as_str()));
        // The latest: it may have been there before, and removed.
        let filter = EventFilter { subject, kind, order: EventOrder::LatestFirst, ..EventFilter::default() };
        let page = self.inner.store.events(filter, 1).await?;
        Ok(page.events.first().map(|recorded| recorded.event.at))
    }

    /// The flags that can be removed because they have been of no use for `after`, and those that are asked for and are
    /// not there. What others have as a prerequisite is evaluated within them: only its own day makes it stale.
    #[must_use]
    pub fn stale_flags(&self, after: Millis) -> StaleFlags {
        self.follow_flags();
        let (state, now) = (self.state(), self.inner.clock.now());
        let flags = &state.resources().flags;
        let prerequisites: BTreeSet<&Key> = flags.values().flat_map(|flag| flag.prerequisites.keys()).collect();
        let mut lives = self.inner.lives.lock();
        let stale = |(key, flag): (&Key, &Arc<Flag>)| {
            let reasons = reasons(flag, lives.lives.get(key)?, prerequisites.contains(key), after, now);
            (!reasons.is_empty()).then(|| StaleFlag { flag: key.clone(), owner: flag.owner.clone(), reasons })
        };
        let stale = flags.iter().filter_map(stale).collect();
        let mut unknown = lives.unknown.list(|name| flags.contains_key(name));
        drop(lives);
        unknown.truncate(UNKNOWN_SHOWN);
        for unknown in &mut unknown {
            unknown.near = near(&unknown.name, flags.keys());
        }
        StaleFlags { after, stale, unknown }
    }

    /// How many names that are no flag were asked for within this time, by applications and by OFREP.
    #[must_use]
    pub fn unknown_flags(&self, within: Millis) -> usize {
        let (state, now) = (self.state(), self.inner.clock.now());
        let unknown = self.inner.lives.lock().unknown.list(|name| state.resources().flags.contains_key(name));
        let age = |unknown: &UnknownFlag| now.duration_since(unknown.last_asked_at).unsigned_abs();
        unknown.iter().filter(|unknown| age(unknown) <= within.to_duration()).count()
    }
}

/// The nearest of some keys. Whose length differs too much is not near, and not compared.
fn near<'k>(name: &str, keys: impl Iterator<Item = &'k Key>) -> Option<Key> {
    let most = (name.len() / 3).max(1);
    crate::refusal::nearest(name, keys.filter(|key| key.as_str().len().abs_diff(name.len()) <= most))
}

fn reasons(flag: &Flag, life: &Life, is_prerequisite: bool, after: Millis, now: Timestamp) -> Vec<StaleReason> {
    let mut reasons = stale::reasons(flag, life, after, now);
    if is_prerequisite {
        reasons.retain(|reason| reason.why == StaleWhy::Expired);
    }
    reasons
}

fn view(
    state: &State,
    (key, flag): (&Key, &Flag),
    life: &Life,
    created_at: Option<Timestamp>,
    after: Millis,
    now: Timestamp,
) -> LifeView {
    let days = life.days(now);
    let mut counts: BTreeMap<Key, u64> = flag.variants.keys().map(|name| (name.clone(), 0)).collect();
    for (name, count) in days.iter().flat_map(|day| &day.variants) {
        *counts.entry(name.clone()).or_default() += count;
    }
    let evaluations: u64 = counts.values().sum();
    let variant = |(name, count): (Key, u64)| {
        let last = life.variants.iter().find(|served| served.name == name).map(|served| served.last);
        #[expect(clippy::cast_precision_loss, reason = "a share is for people")]
        let share = if evaluations == 0 { 0.0 } else { count as f64 / evaluations as f64 };
        (name, VariantView { count, share, last_served_at: last })
    };
    let used_by = stale::users(state.resources().flags.iter(), key);
    LifeView {
        flag: key.clone(),
        owner: flag.owner.clone(),
        created_at,
        watched_since: life.since,
        first_evaluated_at: life.first,
        last_evaluated_at: life.last,
        evaluations,
        errors: days.iter().map(|day| day.errors).sum(),
        variants: counts.into_iter().map(variant).collect(),
        expires: flag.expires,
        stale: reasons(flag, life, !used_by.is_empty(), after, now),
        used_by,
        days,
    }
}
