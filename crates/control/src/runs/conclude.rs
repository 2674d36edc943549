//! What a run showed, once its last requests are through: kept with the run, and an event of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use daybreak_guard::clients::{self, Clients};
use daybreak_guard::evidence::quantile::{self, Bounds, Quantiles};
use daybreak_guard::evidence::{Because, Finding};
use daybreak_guard::run::Run;
use daybreak_guard::watch::{Moment, Watch, unseen_by_end};
use daybreak_model::{Arm, Cause, Ended, EventKind, RunId, Verdict};
use daybreak_store as store;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::guarding::sight;
use super::view::{RunCounts, none_eligible};
use super::{RunTable, subject};
use crate::Control;

/// What a run shows: so far, or in the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Conclusion {
    /// Until when it was counted, where that is not to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) as_of: Option<Timestamp>,
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
        let total = latencies.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        let sample = |hundredths: u64| {
            let rank = total.saturating_mul(hundredths).div_ceil(100).max(1);
            let mut passed = 0_u64;
            let step = latencies.iter().find(|(_, count)| {
                passed = passed.saturating_add(**count);
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
        let sight = sight(run, clients, &silent, (now, over));
        let finding = watch.finding(run, &sight);
        let counted = clients.run(run.id);
        let counts = counted.map(RunCounts::of).unwrap_or_default();
        let latency = |arm| counted.and_then(|counts| counts.latencies(arm)).and_then(Latency::of);
        let spent = run.guard.as_ref().map(|guard| {
            // Requests, also where the arms are made of keys: a budget is made of requests.
            let treated = sight.requests().treated();
            let bad = if run.spec.shadow { 0 } else { treated.error.saturating_add(treated.slow) };
            Spent { bad, max: guard.spend_max }
        });
        Self {
            as_of: None,
            sentence: sentence(run, &finding, counts),
            reached: counted.map_or(0, clients::RunCounts::reached),
            spent,
            latency: BothLatencies { treated: latency(Arm::Treated), control: latency(Arm::Control) },
            counts,
            timeline: watch.timeline().to_vec(),
            finding,
        }
    }
}

impl Conclusion {
    /// The verdict's word.
    pub(super) fn verdict(&self) -> &'static str {
        match self.finding.verdict {
            Verdict::Resilient => "resilient",
            Verdict::Harmful => "harmful",
            Verdict::Inconclusive => "inconclusive",
        }
    }

    /// What a run shows by now, if nothing more is ever heard of it: what is open may have been bad, so resilience is only
    /// shown where it is shown all the same.
    pub(super) fn kept(run: &Run, watch: &Watch, clients: &Clients, now: Timestamp) -> Self {
        let so_far = Self::of(run, watch, clients, now, false);
        let Finding { verdict, because, .. } = watch.finding(run, &sight(run, clients, &BTreeSet::new(), (now, true)));
        let finding = Finding { verdict, because, ..so_far.finding };
        let mut timeline = so_far.timeline;
        if timeline.last().is_none_or(|last| last.at < now) {
            let (treated, control) = (finding.treated.outcomes, finding.control.outcomes);
            let harm_upper = finding.harm.map(|harm| harm.upper);
            let (stage, harm_ln_e) = (run.stage, finding.harm_ln_e);
            timeline.push(Moment { at: now, stage, treated, control, harm_ln_e, harm_upper });
        }
        // To the second: people read it.
        let as_of = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { as_of: Some(as_of), sentence: sentence(run, &finding, so_far.counts), finding, timeline, ..so_far }
    }
}

/// Why a verdict is what it is. A shadow run is not to blame for striking nothing, but for counting nobody.
fn sentence(run: &Run, finding: &Finding, counts: RunCounts) -> String {
    match finding.because {
        Because::NothingStruck if counts.eligible == 0 && run.spec.shadow => none_eligible(run, counts),
        Because::NothingStruck if run.spec.shadow && !counts.has_both_arms() => format!(
            "an arm is empty, of {} treated and {} control requests: a longer run counts both",
            counts.treated, counts.control
        ),
        Because::NothingStruck if run.spec.shadow => {
            "a shadow run strikes nothing: it shows that the arms are counted".to_owned()
        }
        because => because.to_string(),
    }
}

/// What is said of a run whose last requests nobody counted, as the server ended before: what was kept of it, as of
/// then. What ended it by harm is shown in any case.
pub(super) fn cut_short(run: &Run, kept: Option<Value>) -> Value {
    let cause = run.end.as_ref().and_then(|end| match end.ended {
        Ended::Aborted(cause) => Some(cause),
        Ended::Completed | Ended::Stopped => None,
    });
    let shown = match cause {
        Some(Cause::Harm) if !run.spec.shadow => Some((Verdict::Harmful, Because::HarmShown)),
        Some(Cause::InstrumentationBroken) => Some((Verdict::Inconclusive, Because::InstrumentationBroken)),
        // What was kept some seconds before that is no proof against it.
        _ if kept.as_ref().is_some_and(|kept| kept["verdict"] == json!(Verdict::Resilient)) => {
            unseen_by_end(run).map(|because| (Verdict::Inconclusive, because))
        }
        _ => None,
    };
    let kept = kept.filter(has_evidence);
    let mut conclusion = kept.unwrap_or_else(|| {
        json!({ "verdict": Verdict::Inconclusive, "because": { "code": "not_counted" }, "sentence": "nothing of it was kept" })
    });
    let Some(fields) = conclusion.as_object_mut() else { return conclusion };
    if let Some((verdict, because)) = shown {
        fields.extend([
            ("verdict".to_owned(), json!(verdict)),
            ("because".to_owned(), json!(because)),
            ("sentence".to_owned(), json!(because.to_string())),
        ]);
    }
    if let (Some(as_of), Some(sentence)) = (text(fields, "as_of"), text(fields, "sentence")) {
        let sentence = format!("as of {as_of}, when it was last kept before the server ended: {sentence}");
        fields.insert("sentence".to_owned(), Value::String(sentence));
    }
    conclusion
}

fn text(fields: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
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
        self.push_concluded(run, now);
    }

    /// Notes that what a run showed is to be recorded.
    pub(super) fn push_concluded(&mut self, run: Arc<Run>, now: Timestamp) {
        let Some(conclusion) = &run.conclusion else { return };
        let of = |pointer: &str| conclusion.pointer(pointer).cloned().unwrap_or_default();
        let mut data = json!({
            "fault": run.spec.fault,
            "verdict": of("/verdict"),
            "because": of("/because"),
            "harm": of("/harm"),
            "treated": of("/counts/treated"),
            "control": of("/counts/control"),
            "struck": of("/counts/struck"),
            "spent": of("/spent"),
        });
        if let (Some(as_of), Some(data)) = (conclusion.get("as_of"), data.as_object_mut()) {
            data.insert("as_of".to_owned(), as_of.clone());
        }
        let (kind, subject) = (EventKind::RunConcluded.into(), Some(subject(run.id)));
        let event = store::Event { at: now, kind, subject, actor: None, reason: None, data };
        self.push_pending(Some(run), event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_beyond_all_bounds_have_quantiles() {
        let latency = Latency::of(&[(1_000, u64::MAX), (2_000, u64::MAX)].into()).unwrap();
        assert_eq!((latency.p50_ms, latency.p99_ms), (1.0, 1.0));
    }
}
