//! Budgets in the store: buckets as reports, what they count as notes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use daybreak_guard::budget::{Bucket, Budgets, Counts, Resolution};
use daybreak_model::{Indicator, Key, Millis};
use daybreak_store::{ReportBucket, Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::PRUNE_EVERY;
use crate::Control;
use crate::control::{OpenError, read};

/// What the names of the notes begin with.
const NOTES: &str = "budget/";

/// What a budget counts.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    indicator: Indicator,
    since: u64,
}

/// The series of a budget's buckets of one length: `slos/checkout/10s`.
fn series(slo: &Key, resolution: Resolution) -> String {
    let length = Millis::from_secs(u64::try_from(resolution.seconds()).unwrap_or_default());
    format!("slos/{slo}/{length}")
}

/// Has a store drop the buckets of a series from before `keep_from`: with one that is as old, as it drops none without.
fn drop_before(slo: &Key, resolution: Resolution, keep_from: Timestamp) -> (Vec<ReportBucket>, Timestamp) {
    let oldest = ReportBucket { series: series(slo, resolution), start: Timestamp::MIN, counts: json!([0, 0]) };
    (vec![oldest], keep_from)
}

fn kept(bucket: &Bucket) -> ReportBucket {
    ReportBucket {
        series: series(&bucket.slo, bucket.resolution),
        start: bucket.start,
        counts: json!([bucket.counts.good, bucket.counts.bad]),
    }
}

/// The budgets that a store keeps.
pub(crate) async fn load(store: &Arc<dyn Store>) -> Result<Budgets, OpenError> {
    let mut budgets = Budgets::default();
    for (name, note) in store.notes(NOTES.to_owned()).await? {
        let what = format!("the budget `{name}`");
        let slo: Key = read(&what, Value::from(name.strip_prefix(NOTES).unwrap_or_default()))?;
        let Note { indicator, since } = read(&what, note)?;
        let mut buckets = Vec::new();
        for resolution in Resolution::ALL {
            let found = store.reports(series(&slo, resolution), Timestamp::MIN, Timestamp::MAX).await?;
            for ReportBucket { start, counts, .. } in found {
                let (good, bad) = read(&what, counts)?;
                buckets.push(Bucket { slo: slo.clone(), resolution, start, counts: Counts { good, bad } });
            }
        }
        budgets.load(&slo, indicator, since, buckets);
    }
    Ok(budgets)
}

/// What the store is to be told.
#[derive(Default)]
struct Due {
    ended: BTreeSet<Key>,
    begun: BTreeSet<Key>,
    changed: Vec<Bucket>,
    prune: Vec<(Key, Resolution, Timestamp)>,
}

impl Control {
    /// Tells the store all that it does not know yet. What it refuses it is told the next time.
    pub(super) async fn keep_budgets(&self) {
        let _alone = self.inner.budgets_keeper.lock().await;
        let due = self.take_due();
        if let Err(error) = self.keep(&due).await {
            tracing::warn!(%error, "what SLOs counted could not be kept; it is tried on");
            let mut table = self.inner.budgets.lock();
            table.budgets.give_back(&due.changed);
            table.ended.extend(due.ended);
            table.begun.extend(due.begun);
        }
    }

    fn take_due(&self) -> Due {
        let elapsed = self.inner.clock.elapsed();
        let mut table = self.inner.budgets.lock();
        let mut due = Due {
            ended: std::mem::take(&mut table.ended),
            begun: std::mem::take(&mut table.begun),
            changed: table.budgets.take_changed(),
            prune: Vec::new(),
        };
        if table.pruned.is_none_or(|pruned| elapsed.saturating_sub(pruned) >= PRUNE_EVERY) {
            table.pruned = Some(elapsed);
            let all = table.budgets.keys().flat_map(|slo| Resolution::ALL.map(|resolution| (slo, resolution)));
            let oldest = all.filter_map(|(slo, of)| Some((slo.clone(), of, table.budgets.oldest(slo, of)?)));
            due.prune = oldest.collect();
        }
        due
    }

    async fn keep(&self, due: &Due) -> Result<(), StoreError> {
        let store = &self.inner.store;
        // What is gone goes first, with its note: half of it would be taken for all of it.
        let mut notes: BTreeMap<String, Option<Value>> = BTreeMap::new();
        for slo in &due.ended {
            notes.insert(format!("{NOTES}{slo}"), None);
            for resolution in Resolution::ALL {
                let (bucket, keep_from) = drop_before(slo, resolution, Timestamp::MAX);
                store.put_reports(bucket, keep_from).await?;
            }
        }
        for slo in &due.begun {
            let table = self.inner.budgets.lock();
            let indicator = table.budgets.indicator(slo).cloned();
            let note = indicator.map(|indicator| Note { indicator, since: table.budgets.since(slo) });
            let note = note.and_then(|note| serde_json::to_value(note).ok());
            notes.insert(format!("{NOTES}{slo}"), note);
        }
        if !notes.is_empty() {
            store.put_notes(notes).await?;
        }
        if !due.changed.is_empty() {
            store.put_reports(due.changed.iter().map(kept).collect(), Timestamp::MIN).await?;
        }
        for (slo, resolution, oldest) in &due.prune {
            let (bucket, keep_from) = drop_before(slo, *resolution, *oldest);
            store.put_reports(bucket, keep_from).await?;
        }
        Ok(())
    }
}
