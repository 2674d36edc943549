//! Error budgets: counted in memory, kept in the store, shown to whoever asks.
//!
//! What is counted is kept every few seconds and at a clean stop. After a crash, what was counted in the last
//! [`KEEP_EVERY`] is gone: seconds of 28 days.

mod keep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daybreak_guard::budget::{Budgets, Point, Status};
use daybreak_model::wire::Position;
use daybreak_model::{Key, Kind, Slo};
use jiff::SignedDuration;
use serde::Serialize;

use crate::control::not_found;
use crate::prometheus::SourceStatus;
use crate::{Control, Refusal};

pub(crate) use keep::load;

/// How often the store is given what was counted.
const KEEP_EVERY: Duration = Duration::from_secs(5);
/// How often the store is told to drop what is too old.
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);
/// What came within a longer time is counted in pieces of this many seconds at least,
const PIECE_SECONDS: u64 = 60;
/// and in so many of them at most.
const PIECES_MAX: u32 = 24 * 60;
/// Stretches of the window in the plot of a budget.
const HISTORY_POINTS: usize = 56;

/// The budgets, and what the store does not know of them yet.
#[derive(Debug, Default)]
pub(crate) struct BudgetTable {
    pub(crate) budgets: Budgets,
    /// What of a source went wrong, by the SLO that it feeds.
    pub(crate) sources: BTreeMap<Key, SourceStatus>,
    /// Where the definitions are from.
    defined_at: Option<Position>,
    /// Budgets that began: what they count is to be kept.
    begun: BTreeSet<Key>,
    /// Budgets that ended or began anew: what was counted for them is to go.
    ended: BTreeSet<Key>,
    kept: Option<Duration>,
    pruned: Option<Duration>,
}

/// A budget for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetView {
    /// The SLO.
    pub key: Key,
    /// Where its budget stands.
    #[serde(flatten)]
    pub status: Status,
    /// The window in stretches of the same length, the oldest first.
    pub history: Vec<Point>,
    /// How its source does, where that is Prometheus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
}

impl BudgetTable {
    pub(crate) fn new(budgets: Budgets) -> Self {
        Self { budgets, ..Self::default() }
    }

    /// Follows the definitions: an SLO that counts something else begins anew, one that is gone is forgotten.
    fn define<'a>(&mut self, slos: impl Iterator<Item = (&'a Key, &'a Slo, u64)> + Clone) {
        let known: BTreeSet<&Key> = slos.clone().map(|(key, ..)| key).collect();
        self.ended.extend(self.budgets.retain(|key| known.contains(key)));
        self.sources.retain(|key, _| known.contains(key));
        for (key, slo, revision) in slos {
            let counted = self.budgets.indicator(key).cloned();
            if self.budgets.define(key, slo, revision) {
                self.ended.insert(key.clone());
                self.sources.remove(key);
            }
            if counted.as_ref() != Some(&slo.sli) {
                self.begun.insert(key.clone());
            }
        }
    }
}

impl Control {
    /// Where the error budget of an SLO stands, with how it burned over the window.
    ///
    /// # Errors
    /// When there is no such SLO.
    pub fn budget(&self, key: &str) -> Result<BudgetView, Refusal> {
        let (state, now) = (self.state(), self.inner.clock.now());
        let found = state.resources().slos.get_key_value(key);
        let (key, slo) = found.ok_or_else(|| not_found(state.resources(), Kind::Slo, key))?;
        let table = self.inner.budgets.lock();
        Ok(BudgetView {
            key: key.clone(),
            status: table.budgets.status(key, slo, now),
            history: table.budgets.history(key, slo, HISTORY_POINTS, now),
            source: table.sources.get(key).cloned(),
        })
    }

    /// Counts requests for an SLO, which whoever counted knew as of this revision of it.
    pub(crate) fn count(&self, slo: &Key, revision: u64, good: u64, bad: u64) {
        self.count_over(slo, revision, (good, bad), Duration::ZERO);
    }

    /// The same for good and bad requests that came within the time that passed until now, nobody knows when: evenly.
    pub(crate) fn count_over(&self, slo: &Key, revision: u64, (good, bad): (u64, u64), passed: Duration) {
        self.define_budgets();
        let now = self.inner.clock.now();
        let pieces = u32::try_from(passed.as_secs() / PIECE_SECONDS).unwrap_or(PIECES_MAX).clamp(1, PIECES_MAX);
        let part = |count: u64, piece: u32| {
            let until = |piece: u32| u128::from(count) * u128::from(piece) / u128::from(pieces);
            u64::try_from(until(piece) - until(piece - 1)).unwrap_or(u64::MAX)
        };
        let mut table = self.inner.budgets.lock();
        if table.budgets.indicator(slo).is_none() {
            return;
        }
        for piece in 1..=pieces {
            let before = (passed / pieces) * (pieces - piece);
            let at = SignedDuration::try_from(before).ok().and_then(|before| now.checked_sub(before).ok());
            table.budgets.add(slo, revision, part(good, piece), part(bad, piece), at.unwrap_or(now));
        }
    }

    /// Has the budgets follow the SLOs that there are, and the store follow the budgets.
    pub(crate) async fn tend_budgets(&self) {
        self.define_budgets();
        let elapsed = self.inner.clock.elapsed();
        let due = {
            let mut table = self.inner.budgets.lock();
            let due = table.kept.is_none_or(|kept| elapsed.saturating_sub(kept) >= KEEP_EVERY);
            if due {
                table.kept = Some(elapsed);
            }
            due
        };
        if due && self.inner.budgets_keeper.try_lock().is_ok() {
            let control = self.clone();
            // To its end, however long the store takes: what was taken out to be kept is kept or given back.
            let _ = tokio::spawn(async move { control.keep_budgets().await }).await;
        }
    }

    /// Gives the store all that was counted, and what runs show. To be called before a clean end; a server that is to start anew with another
    /// store keeps nothing.
    pub async fn keep_counts(&self) {
        if !self.is_to_restart() {
            self.define_budgets();
            self.keep_budgets().await;
            self.keep_evidence().await;
            self.keep_lives().await;
        }
    }

    /// Has the budgets follow the SLOs that there are.
    pub(crate) fn define_budgets(&self) {
        let mut table = self.inner.budgets.lock();
        // Read under the lock, so that nobody goes back to what was before.
        let state = self.state();
        if table.defined_at == Some(state.position()) {
            return;
        }
        table.defined_at = Some(state.position());
        let revision = |key: &Key| state.revision(Kind::Slo, key.as_str()).unwrap_or(0);
        table.define(state.resources().slos.iter().map(|(key, slo)| (key, slo, revision(key))));
    }
}
