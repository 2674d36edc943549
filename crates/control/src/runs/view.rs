//! Runs as people see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use daybreak_guard::admission::{RefusalCode, Warning, WarningCode};
use daybreak_guard::clients;
use daybreak_guard::run::Run;
use daybreak_model::{Arm, Ended, Key, Percentage, RunId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::conclude::{self, Conclusion};
use crate::{Control, Refusal};

/// With fewer root requests, it means nothing that none was eligible.
const REQUESTS_MIN: u64 = 100;
/// With fewer treated requests, or for less long, it means nothing that none was struck.
const TREATED_MIN: u64 = 20;
const UNSTRUCK_FOR: SignedDuration = SignedDuration::from_secs(30);

/// A run, as people see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunView {
    /// Identifies it.
    pub id: RunId,
    /// The key of its fault.
    pub fault: Key,
    /// Where it strikes.
    pub point: Key,
    /// Only root requests of this operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls to this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether it is going on.
    pub active: bool,
    /// The share of eligible requests that are treated; as text: `1%`.
    #[serde(serialize_with = "as_text")]
    pub percentage: Percentage,
    /// The ramp stage, from 0.
    pub stage: u32,
    /// What a strike does, in the form of documents.
    pub effect: serde_json::Value,
    /// Draws and counts, strikes nothing.
    pub shadow: bool,
    /// What its starter believes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<String>,
    /// Who started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// The calendar that it runs in.
    pub hours: Key,
    /// What was waived at its start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<RefusalCode>,
    /// How it ended: `completed`, `stopped`, or `aborted: …` with the cause.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub ended: Option<Ended>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Why it ended, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// What it showed, apart from how it ended: `resilient`, `harmful` or `inconclusive`. It comes once its last
    /// requests are through, 30 s after the end at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Value>,
    /// The ramp's stages before the last one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ramp: Vec<StageView>,
    /// The SLO that guards it; none where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo: Option<Key>,
    /// The on-call whose pages end it; none where its guard names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_call: Option<Key>,
    /// The harm that is to be ruled out, in percentage points of struck requests; as text: `1%`.
    #[serde(serialize_with = "as_text")]
    pub tolerated: Percentage,
    /// What it shows, so far or in the end: where one run is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Value>,
    /// What its clients counted; until 30 s after its end it may still grow.
    pub counts: RunCounts,
    /// Live clients that have it, and can be struck at its point.
    pub clients: usize,
    /// Live clients that ignore it, because it needs what they do not know.
    pub unsupported: usize,
    /// What looks wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// One stage of a ramp, but the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageView {
    /// The share of eligible requests that it treats; as text: `1%`.
    #[serde(serialize_with = "as_text")]
    pub percentage: Percentage,
    /// When the next one begins.
    pub until: Timestamp,
}

/// What all clients together counted of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunCounts {
    /// Root requests of all services while it ran, eligible or not.
    pub requests: u64,
    /// Those that could have been struck: treated and control.
    pub eligible: u64,
    /// Eligible requests that were drawn.
    pub treated: u64,
    /// Eligible requests that were not drawn.
    pub control: u64,
    /// Requests that met at least one injection.
    pub struck: u64,
    /// Injections.
    pub strikes: u64,
    /// Drawn passes that the cap on faults in flight spared.
    pub spared: u64,
}

impl RunCounts {
    /// Whether requests of both arms were counted.
    pub(super) const fn has_both_arms(&self) -> bool {
        self.treated > 0 && self.control > 0
    }

    pub(super) fn of(counts: &clients::RunCounts) -> Self {
        let (treated, control) = (counts.requests(Arm::Treated), counts.requests(Arm::Control));
        let both = treated.plus(control);
        Self {
            requests: counts.root_requests(),
            eligible: both.requests,
            treated: treated.requests,
            control: control.requests,
            struck: both.struck,
            strikes: both.strikes,
            spared: both.spared,
        }
    }
}

impl Control {
    /// All active runs, and those that ended lately; the latest start first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunView> {
        let mut shown: Vec<Shown> = {
            let runs = self.inner.runs.lock();
            let active = runs.active().map(|run| (Arc::clone(run), None));
            active.chain(runs.ended.iter().map(|finished| (Arc::clone(&finished.run), finished.counts))).collect()
        };
        shown.sort_by_key(|(run, _)| std::cmp::Reverse((run.started_at, run.id)));
        self.views(&shown)
    }

    /// One run.
    ///
    /// # Errors
    /// When there is no such run, or it ended long ago: then the events still know of it.
    pub fn run(&self, id: RunId) -> Result<RunView, Refusal> {
        let shown = {
            let runs = self.inner.runs.lock();
            let active = runs.active.get(&id).map(|active| (Arc::clone(&active.run), None));
            let ended = || runs.ended.iter().rev().find(|finished| finished.run.id == id);
            active.or_else(|| ended().map(|finished| (Arc::clone(&finished.run), finished.counts)))
        };
        let view = shown.and_then(|shown| {
            let evidence = self.evidence(&shown.0);
            self.views(&[shown]).pop().map(|view| RunView { evidence, ..view })
        });
        view.ok_or_else(|| Refusal::NotFound { noun: "run", key: id.to_string(), nearest: None })
    }

    /// What a run shows, so far or in the end.
    fn evidence(&self, run: &Run) -> Option<Value> {
        if run.conclusion.is_some() {
            return run.conclusion.clone().filter(conclude::has_evidence);
        }
        let clients = self.inner.clients.lock();
        let watches = self.inner.watches.lock();
        let conclusion = Conclusion::of(run, watches.get(&run.id)?, &clients, self.inner.clock.now(), false);
        drop((watches, clients));
        serde_json::to_value(conclusion).ok()
    }

    /// A run that is not among the others yet.
    pub(super) fn view_of(&self, run: &Run) -> RunView {
        view(run, RunCounts::default(), &Having::default(), run.started_at)
    }

    /// Runs with their counts: those that are not given are as counted so far. The clients are looked at once,
    /// whatever the number of runs, and not under their lock.
    fn views(&self, shown: &[Shown]) -> Vec<RunView> {
        let counting = || shown.iter().filter(|(_, counts)| counts.is_none()).map(|(run, _)| run);
        let (counted, clients) = {
            let clients = self.inner.clients.lock();
            let counted = counting().filter_map(|run| Some((run.id, RunCounts::of(clients.run(run.id)?))));
            (counted.collect::<BTreeMap<_, _>>(), clients.snapshot())
        };
        let mut having: BTreeMap<RunId, (&Run, Having)> =
            counting().map(|run| (run.id, (run.as_ref(), Having::default()))).collect();
        let now = self.inner.clock.now();
        for client in clients.iter().filter(|client| client.is_live(now)) {
            for (id, (run, having)) in &mut having {
                having.clients += usize::from(client.runs.contains(id) && client.permits(&run.spec.point));
                having.unsupported += usize::from(client.unsupported.contains(id));
            }
        }
        let none = Having::default();
        let view = |(run, counts): &Shown| {
            let counts = counts.or_else(|| counted.get(&run.id).copied()).unwrap_or_default();
            view(run, counts, having.get(&run.id).map_or(&none, |(_, having)| having), now)
        };
        shown.iter().map(view).collect()
    }
}

/// A run, and what was counted of it, once it is over.
type Shown = (Arc<Run>, Option<RunCounts>);

/// How many live clients have a run.
#[derive(Clone, Copy, Debug, Default)]
struct Having {
    clients: usize,
    unsupported: usize,
}

fn view(run: &Run, counts: RunCounts, having: &Having, now: Timestamp) -> RunView {
    let end = run.end.as_ref();
    RunView {
        id: run.id,
        fault: run.spec.fault.clone(),
        point: run.spec.point.clone(),
        operation: run.spec.operation.clone(),
        host: run.spec.host.clone(),
        active: run.is_active(),
        percentage: run.percentage,
        stage: run.stage,
        effect: daybreak_document::encode_effect(&run.spec.effect),
        shadow: run.spec.shadow,
        hypothesis: run.hypothesis.clone(),
        started_by: run.started_by.clone(),
        started_at: run.started_at,
        ends_at: run.ends_at,
        hours: run.hours_key.clone(),
        waived: run.waived.clone(),
        ended: end.map(|end| end.ended),
        ended_at: end.map(|end| end.at),
        ended_by: end.and_then(|end| end.actor.clone()),
        end_reason: end.and_then(|end| end.reason.clone()),
        verdict: run.conclusion.as_ref().and_then(|conclusion| conclusion.get("verdict").cloned()),
        ramp: run.ramp.iter().map(|stage| StageView { percentage: stage.percentage, until: stage.until }).collect(),
        slo: run.guard.as_ref().map(|guard| guard.policy.slo.clone()),
        on_call: run.guard.as_ref().and_then(|guard| guard.policy.on_call.clone()),
        tolerated: run.tolerated(),
        evidence: None,
        counts,
        clients: having.clients,
        unsupported: having.unsupported,
        warnings: run.is_active().then(|| strikes_nobody(run, counts, now)).flatten().into_iter().collect(),
    }
}

/// A run that strikes nobody looks like a healthy one; this says so, and what it may come from.
fn strikes_nobody(run: &Run, counts: RunCounts, now: Timestamp) -> Option<Warning> {
    let age = now.duration_since(run.started_at);
    let sentence = if counts.eligible == 0 && counts.requests >= REQUESTS_MIN {
        none_eligible(run, counts)
    } else if !run.spec.shadow && counts.struck == 0 && counts.treated >= TREATED_MIN && age >= UNSTRUCK_FOR {
        none_struck(run, counts)
    } else {
        return None;
    };
    Some(Warning { code: WarningCode::StrikesNobody, sentence })
}

/// That none of a run's requests could be struck, and what that may come from.
pub(super) fn none_eligible(run: &Run, counts: RunCounts) -> String {
    if counts.requests == 0 {
        return "no request was eligible: no root request was counted since it started".to_owned();
    }
    let spec = &run.spec;
    let causes = [
        Some(format!("none passed the fault point `{}` inside a scope", spec.point)),
        spec.operation.as_ref().map(|operation| format!("none was `{operation}`")),
        spec.host.as_ref().map(|host| format!("none called `{host}`")),
        spec.when.as_ref().map(|_| "`when` held for none, as with a scope whose context is empty".to_owned()),
        (!spec.protect.is_empty()).then(|| format!("all were in protected segments ({})", protected(run))),
    ];
    let requests = counts.requests;
    format!("no request was eligible, of {requests} root requests since it started: {}", listed(causes))
}

/// Drawn at the root, and not met by an injection where the point is.
fn none_struck(run: &Run, counts: RunCounts) -> String {
    let spec = &run.spec;
    let context = "in a service behind the root, whose scopes are given no context";
    let causes = [
        Some(format!("they do not pass the fault point `{}`", spec.point)),
        Some("the service that has it does not know what the root drew (`trust_baggage`)".to_owned()),
        spec.when.as_ref().map(|_| format!("`when` does not hold {context}")),
        (!spec.protect.is_empty()).then(|| format!("what is protected ({}) cannot be told {context}", protected(run))),
        spec.host.as_ref().map(|host| format!("none called `{host}`")),
        (counts.spared > 0).then(|| format!("too many faults were in flight: {} passes were spared", counts.spared)),
        Some("the process that has it forbids faults there, or has no lease".to_owned()),
    ];
    format!("{} requests were treated, and none was struck: {}", counts.treated, listed(causes))
}

fn protected(run: &Run) -> String {
    run.spec.protect.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

fn listed(causes: impl IntoIterator<Item = Option<String>>) -> String {
    causes.into_iter().flatten().collect::<Vec<_>>().join("; or ")
}

pub(super) fn as_text<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn as_optional_text<S: Serializer>(value: &Option<impl ToString>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_some(&value.as_ref().map(ToString::to_string))
}
