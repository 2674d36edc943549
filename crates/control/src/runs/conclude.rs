//! What a run showed, once its last requests are through: kept with the run, and an event of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use daybreak_guard::clients::{self, Clients};
use daybreak_guard::evidence::quantile::{self, Bounds, Quantiles};
use daybreak_guard::evidence::{Because, Finding};
use daybreak_guard::run::Run;
use daybreak_guard::watch::{Moment, Watch};
use daybreak_model::{Arm, Cause, Ended, EventKind, RunId, Verdict};
use daybreak_store as store;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::guarding::sight;
use super::view::RunCounts;
use super::{RunTable, subject};
use crate::Control;

/// What a run shows: so far, or in the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Conclusion {
    /// What the counts show.
    #[serde(flatten)]
    pub(super) finding: Finding,
    /// Why the verdict is what it is, in words.
    pub(super) sentence: String,
    /// Clients that counted anything of it.
    pub(super) reached: usize,
    /// What the run spent of the error budget; none without a guard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spent: Option<Spent>,
    /// Times to the head of the response.
    pub(super) latency: BothLatencies,
    /// What was counted.
    pub(super) counts: RunCounts,
    /// What was seen over time.
    pub(super) timeline: Vec<Moment>,
}

/// What a run spent of an error budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spent {
    /// Treated requests that were bad.
    pub(super) bad: u64,
    /// How many may be, before the run is aborted.
    pub(super) max: f64,
}

/// The latencies of both arms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct BothLatencies {
    /// Of treated requests; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) treated: Option<Latency>,
    /// Of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) control: Option<Latency>,
}

/// Quantiles of times to the head of the response, in milliseconds; each is off by a sixteenth at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    /// Half took no longer.
    pub(super) p50_ms: f64,
    /// Nine of ten took no longer.
    pub(super) p90_ms: f64,
    /// 99 of a hundred took no longer.
    pub(super) p99_ms: f64,
    /// Where the first is, with 95 % for all three and at every look.
    pub(super) p50_bounds_ms: Bounds,
    /// Where the second is.
    pub(super) p90_bounds_ms: Bounds,
    /// Where the third is.
    pub(super) p99_bounds_ms: Bounds,
}

impl Latency {
    fn of(latencies: &clients::Latencies) -> Option<Self> {
        let total: u64 = latencies.values().sum();
        let sample = |hundredths: u64| {
            let rank = total.saturating_mul(hundredths).div_ceil(100).max(1);
            let mut passed = 0;
            let step = latencies.iter().find(|(_, count)| {
                passed += **count;
                passed >= rank
            });
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a minute")]
            step.map(|(micros, _)| *micros as f64 / 1_000.0)
        };
        let known = Quantiles::new(latencies, quantile::ALPHA);
        Some(Self {
            p50_ms: sample(50)?,
            p90_ms: sample(90)?,
            p99_ms: sample(99)?,
            p50_bounds_ms: known.bounds(0.5),
            p90_bounds_ms: known.bounds(0.9),
            p99_bounds_ms: known.bounds(0.99),
        })
    }
}

impl Conclusion {
    /// What a run shows by now; in the end, where it is `over`.
    pub(super) fn of(run: &Run, watch: &Watch, clients: &Clients, now: Timestamp, over: bool) -> Self {
        let silent = if over { BTreeSet::new() } else { clients.silent(now) };
        let finding = watch.finding(run, &sight(run, clients, &silent, (now, over)));
        let counted = clients.run(run.id);
        let latency = |arm| counted.and_then(|counts| counts.latencies(arm)).and_then(Latency::of);
        let spent = run.guard.as_ref().map(|guard| {
            let treated = finding.treated.outcomes;
            let bad = if run.spec.shadow { 0 } else { treated.error.saturating_add(treated.slow) };
            Spent { bad, max: guard.spend_max }
        });
        Self {
            sentence: sentence(run, &finding),
            reached: counted.map_or(0, |counts| counts.clients().count()),
            spent,
            latency: BothLatencies { treated: latency(Arm::Treated), control: latency(Arm::Control) },
            counts: counted.map(RunCounts::of).unwrap_or_default(),
            timeline: watch.timeline().to_vec(),
            finding,
        }
    }
}

/// Why a verdict is what it is. A shadow run is not to blame for striking nothing.
fn sentence(run: &Run, finding: &Finding) -> String {
    match finding.because {
        Because::NothingStruck if run.spec.shadow => {
            "a shadow run strikes nothing: it shows that the arms are counted".to_owned()
        }
        because => because.to_string(),
    }
}

/// What is said of a run whose last requests nobody counted, as the server ended before. What ended it by harm is shown.
pub(super) fn uncounted(run: &Run) -> Value {
    let harmful = run.end.as_ref().is_some_and(|end| end.ended == Ended::Aborted(Cause::Harm)) && !run.spec.shadow;
    let verdict = if harmful { Verdict::Harmful } else { Verdict::Inconclusive };
    json!({ "verdict": verdict, "because": { "code": "not_counted" } })
}

/// Whether a conclusion has evidence.
pub(super) fn has_evidence(conclusion: &Value) -> bool {
    conclusion.get("counts").is_some()
}

/// What was counted of a run that the store holds.
pub(super) fn counts(conclusion: &Value) -> Option<RunCounts> {
    serde_json::from_value(conclusion.get("counts")?.clone()).ok()
}

impl Control {
    /// What the runs showed whose last requests are through by now. Nothing is counted of them any more.
    pub(super) fn conclude(
        &self,
        drained: &[Arc<Run>],
        clients: &mut Clients,
        now: Timestamp,
    ) -> Vec<(RunId, Conclusion)> {
        let mut watches = self.inner.watches.lock();
        let concluded = drained.iter().map(|run| {
            let mut watch = watches.remove(&run.id).unwrap_or_default();
            watch.look_last(run, &sight(run, clients, &BTreeSet::new(), (now, true)));
            let conclusion = Conclusion::of(run, &watch, clients, now, true);
            clients.close_run(run.id);
            (run.id, conclusion)
        });
        concluded.collect()
    }
}

impl RunTable {
    /// Keeps what a run showed, and notes that this is to be recorded.
    pub(super) fn keep_conclusion(&mut self, id: RunId, conclusion: &Conclusion, now: Timestamp) {
        let Some(finished) = self.ended.iter_mut().find(|finished| finished.run.id == id) else { return };
        finished.counts = Some(conclusion.counts);
        // None of a conclusion's parts lacks a JSON form.
        Arc::make_mut(&mut finished.run).conclusion = serde_json::to_value(conclusion).ok();
        let run = Arc::clone(&finished.run);
        let data = json!({
            "fault": run.spec.fault,
            "verdict": conclusion.finding.verdict,
            "because": conclusion.finding.because,
            "harm": conclusion.finding.harm,
            "treated": conclusion.counts.treated,
            "control": conclusion.counts.control,
            "struck": conclusion.counts.struck,
            "spent": conclusion.spent,
        });
        let (kind, subject) = (EventKind::RunConcluded.into(), Some(subject(id)));
        let event = store::Event { at: now, kind, subject, actor: None, reason: None, data };
        self.push_pending(Some(run), event);
    }
}
