//! Starting: admitted, pinned, committed, published, answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use daybreak_guard::admission::{self, Admission, Facts, RefusalCode, Warning};
use daybreak_guard::blast_radius::{Reach, Share, shares};
use daybreak_guard::clients::{Place, fault_point};
use daybreak_guard::run::{Event, Guarded, Run};
use daybreak_model::wire::{Measure, Message, Position, RunSpec, RunsChanged};
use daybreak_model::{DrawBy, EventKind, Fault, Guard, Key, Kind, Millis, Percentage, RunId};
use daybreak_store::{self as store, Change, Document, Expected};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use serde::Serialize;
use serde_json::json;

use super::guarding::Known;
use super::selected::{lists_too_long, reached};
use super::{Active, RunView, Starting, subject};
use crate::change::met;
use crate::control::not_found;
use crate::refusal::nearest;
use crate::{Actor, Control, Precondition, Refusal, State};

/// The longest time over which clients are asked to spread their reports after a start.
const JITTER_MAX: Millis = Millis::from_secs(1);

/// What a start asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartRequest {
    /// How long; the fault's `max_duration` unless said. It may be lower, never higher.
    pub duration: Option<Millis>,
    /// The share of eligible requests; the fault's unless said. It may be lower, never higher.
    pub percentage: Option<Percentage>,
    /// What is believed to hold while it runs.
    pub hypothesis: Option<String>,
    /// Waives what can be waived, for this reason.
    pub override_reason: Option<String>,
    /// Whether the one who asks may waive: an admin. Without it, `override_reason` waives nothing.
    pub may_override: bool,
    /// Draw and count, strike nothing.
    pub shadow: bool,
    /// Tell what would happen, and start nothing.
    pub dry_run: bool,
    /// What must hold for the fault.
    pub only_if: Precondition,
}

/// What a start did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Started {
    /// Where the server stands after it.
    pub position: Position,
    /// Whether it was only tried: then there is no such run.
    pub dry_run: bool,
    /// The run.
    pub run: RunView,
    /// What of the error budget is set aside for it; none without a guard, or for a shadow run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Reserved>,
    /// What it may touch, place by place; nothing where it is a shadow run.
    pub blast_radius: Vec<PlaceShare>,
    /// What stood against it, and was waived.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<admission::Refusal>,
    /// What the one who starts should know.
    pub warnings: Vec<Warning>,
}

/// What of an error budget is set aside for a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reserved {
    /// The SLO.
    pub slo: Key,
    /// The share of the window's budget; as text: `2%`.
    #[serde(serialize_with = "super::view::as_text")]
    pub share: Percentage,
    /// So many bad requests, of those that the window had so far.
    pub bad: f64,
}

/// What a run may touch in one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaceShare {
    /// The place.
    #[serde(flatten)]
    pub place: Place,
    /// The share of its root requests that the run may touch, from 0 to 1.
    pub asked: f64,
    /// The share that others may touch.
    pub used: f64,
    /// Whether it is known how many requests pass the point; else it is assumed that all do.
    pub measured: bool,
}

/// A start under way, until it is dropped.
struct UnderWay {
    control: Control,
    number: u64,
}

impl UnderWay {
    fn new(control: &Control, fault: Key) -> Self {
        let mut runs = control.inner.runs.lock();
        runs.next += 1;
        let number = runs.next;
        runs.starting.insert(number, Starting { fault, stopped: false });
        Self { control: control.clone(), number }
    }
}

impl Reserved {
    fn by(guard: &Guarded) -> Self {
        Self { slo: guard.policy.slo.clone(), share: guard.policy.max_spend, bad: guard.spend_max }
    }
}

impl PlaceShare {
    fn of(share: Share) -> Self {
        let Share { place, measured, asked, used, .. } = share;
        Self { place, asked, used, measured }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.control.inner.runs.lock().starting.remove(&self.number);
    }
}

impl Control {
    /// Starts a fault: a run of it, with everything that it depends on pinned.
    ///
    /// # Errors
    /// When there is no such fault, when it is not as expected, when anything stands against it (all of it is listed),
    /// when it is stopped meanwhile, or when the store fails.
    pub async fn start(&self, fault: &str, request: StartRequest, actor: Actor) -> Result<Started, Refusal> {
        self.start_noting(fault, request, actor, Control::note_refused).await
    }

    /// The same; what notes a refusal is told the fault, every reason and the actor.
    pub(crate) async fn start_noting(
        &self,
        fault: &str,
        request: StartRequest,
        actor: Actor,
        note: fn(&Self, &Key, &[admission::Refusal], &Actor),
    ) -> Result<Started, Refusal> {
        let state = self.state();
        let known = state.resources().faults.get_key_value(fault);
        let key = known.map(|(key, _)| key.clone()).ok_or_else(|| not_found(state.resources(), Kind::Fault, fault))?;
        let (control, under_way) = (self.clone(), UnderWay::new(self, key.clone()));
        self.to_the_end(async move {
            let _writer = control.inner.writer.lock().await;
            let started = control.start_now(&key, &request, &actor, &under_way).await;
            if let Err(Refusal::NotAdmitted { refusals, .. }) = &started
                && !request.dry_run
            {
                note(&control, &key, refusals, &actor);
            }
            started
        })
        .await
    }

    /// The caller holds the writer's lock.
    async fn start_now(
        &self,
        key: &Key,
        request: &StartRequest,
        actor: &Actor,
        under_way: &UnderWay,
    ) -> Result<Started, Refusal> {
        let (state, now) = (self.state(), self.inner.clock.now());
        let resources = state.resources();
        let fault = resources.faults.get(key).ok_or_else(|| not_found(resources, Kind::Fault, key.as_str()))?;
        met(&state, Kind::Fault, key.as_str(), request.only_if)?;
        let spec = self.pin(&state, key, fault, request.shadow);
        let (mut admission, guard, shares) = self.admit(&state, fault, &spec, request, now);
        admission.refusals.extend(lists_too_long(&spec));
        let (true, Some(hours)) = (admission.is_admitted(), resources.hours.get(&fault.hours)) else {
            let Admission { refusals, warnings, .. } = admission;
            return Err(Refusal::NotAdmitted { after: clears_after(&refusals, now), refusals, warnings });
        };
        let run = Run {
            id: RunId::new(self.inner.entropy.lock().random()),
            spec,
            revision: state.position().revision + 1,
            percentage: admission.percentage,
            stage: 0,
            ramp: Run::planned(&fault.ramp, admission.percentage, now),
            guard,
            conclusion: None,
            started_at: now,
            ends_at: later(now, admission.duration),
            hours_key: fault.hours.clone(),
            hours: hours.clone(),
            started_by: actor.name.clone(),
            hypothesis: request.hypothesis.clone(),
            waived: admission.waived_codes(),
            end: None,
        };
        let mut started = Started {
            position: state.position(),
            dry_run: request.dry_run,
            run: self.view_of(&run),
            reserved: run.guard.as_ref().filter(|_| !request.shadow).map(Reserved::by),
            blast_radius: if request.shadow { Vec::new() } else { shares.into_iter().map(PlaceShare::of).collect() },
            waived: admission.waived.clone(),
            warnings: admission.warnings.clone(),
        };
        if !request.dry_run {
            started.position = self.commit_start(&state, run, &admission, request, actor, under_way).await?;
        }
        Ok(started)
    }

    async fn commit_start(
        &self,
        state: &State,
        run: Run,
        admission: &Admission,
        request: &StartRequest,
        actor: &Actor,
        under_way: &UnderWay,
    ) -> Result<Position, Refusal> {
        let document = Document::of(&run).map_err(|error| Refusal::Store(error.to_string()))?;
        let events = vec![started_event(&run, admission, request, actor)];
        let mut change = Change { runs: BTreeMap::from([(run.id, Some(document))]), events, ..Change::default() };
        let recording = self.pending(&mut change);
        let expected = Expected::Revision(state.position().revision);
        let position = self.inner.store.commit(expected, change).await?;
        self.recorded(&recording);
        self.tell_followers();
        let (id, fault) = (run.id, run.spec.fault.clone());
        let begun = self.begin(run, admission.duration, position, state, under_way);
        if !begun {
            let _ = self.record_now().await;
            return Err(Refusal::StoppedMeanwhile(fault));
        }
        tracing::info!(run = %id, %fault, actor = actor.name, "started");
        Ok(position)
    }

    /// Makes a run active and announces it, unless it was stopped meanwhile: then it ends at once.
    fn begin(&self, mut run: Run, duration: Millis, position: Position, state: &State, under_way: &UnderWay) -> bool {
        let deadline = self.inner.clock.elapsed() + duration.to_duration();
        let next = Arc::new(state.moved_to(position));
        let live = {
            let mut clients = self.inner.clients.lock();
            clients.open_run(run.id);
            clients.live(self.inner.clock.now()).count()
        };
        let mut runs = self.inner.runs.lock();
        let stopped = runs.starting.get(&under_way.number).is_some_and(|starting| starting.stopped);
        let mut message = RunsChanged { position: Some(position), ..RunsChanged::default() };
        if stopped || runs.halted() {
            let reason = Some("while it was starting".to_owned());
            let _ = run.step(Event::Stop { actor: None, reason }, self.inner.clock.now());
            let run = Arc::new(run);
            runs.push_ended(&run);
            runs.finish(run, None);
        } else {
            message.jitter = Millis::new(live as u64).min(JITTER_MAX);
            message.started.push(run.id);
            runs.active.insert(run.id, Active { run: Arc::new(run), deadline });
        }
        let begun = !message.started.is_empty();
        self.inner.hub.publish(position.revision, &Message::Runs(message), || self.inner.state.store(next));
        begun
    }

    /// What clients need to know of the fault as it is now.
    fn pin(&self, state: &State, key: &Key, fault: &Fault, shadow: bool) -> RunSpec {
        let resources = state.resources();
        let fresh = || format!("{:032x}", self.inner.entropy.lock().random::<u128>());
        let protect: Vec<Key> = resources.protect.iter().cloned().collect();
        RunSpec {
            fault: key.clone(),
            point: fault.point.clone(),
            operation: fault.operation.clone(),
            host: fault.host.clone(),
            when: fault.when.clone(),
            segments: reached(resources, fault.when.as_ref(), &protect),
            protect,
            by: fault.by.clone(),
            salt: fault.salt.clone().unwrap_or_else(fresh),
            effect: fault.effect.clone(),
            times: fault.times,
            shadow,
            measure: guarding(state, fault),
        }
    }

    fn admit(
        &self,
        state: &State,
        fault: &Fault,
        spec: &RunSpec,
        request: &StartRequest,
        now: Timestamp,
    ) -> (Admission, Option<Guarded>, Vec<Share>) {
        let start = admission::Start {
            percentage: request.percentage,
            duration: request.duration,
            shadow: request.shadow,
            override_reason: request.override_reason.as_deref(),
            may_override: request.may_override,
        };
        let (halted, reaches, busy, last_ended_at) = {
            let runs = self.inner.runs.lock();
            let halted = runs.halt_reason().map(str::to_owned);
            (halted, runs.reaches(), runs.busy(&fault.point), runs.last_ended_at(&fault.point))
        };
        let clients = self.inner.clients.lock().snapshot();
        let live: Vec<_> = clients.iter().map(Arc::as_ref).filter(|client| client.is_live(now)).collect();
        let known = self.guard_known(state, fault, &live, now);
        let near_point = nearest(fault.point.as_str(), live.iter().flat_map(|client| client.points.keys()));
        let point = fault_point(&fault.point, live);
        let asked = Reach::new(spec, start.percentage(fault));
        let services = point.services.keys().map(String::as_str);
        let shares = shares(self.inner.clients.lock().traffic(), services, &asked, &reaches, now);
        let keys = match &fault.by {
            DrawBy::Attribute(name) => self.inner.clients.lock().keys_seen(&fault.point, name, now),
            DrawBy::Request => None,
        };
        let admission = admission::admit(&Facts {
            now,
            environment: state.environment(),
            max_run: self.inner.options.max_run,
            max_blast_radius: self.inner.options.max_blast_radius,
            fault,
            hours: state.resources().hours.get(&fault.hours),
            protect: &state.resources().protect,
            listening_since: self.inner.opened_at,
            start,
            halted: halted.as_deref(),
            shares: shares.clone(),
            busy,
            last_ended_at,
            point,
            near_point,
            keys,
            guard: known.as_ref().map(Known::facts),
        });
        (admission, known.and_then(Known::pinned), shares)
    }
}

/// After how long nothing stands against it any more, as far as that is known: none where something does not clear by itself.
fn clears_after(refusals: &[admission::Refusal], now: Timestamp) -> Option<Millis> {
    let clears = refusals.iter().map(|refusal| refusal.clears_at).collect::<Option<Vec<_>>>()?;
    let wait = clears.into_iter().max()?.duration_since(now).as_millis();
    Some(Millis::new(u64::try_from(wait).unwrap_or_default()))
}

fn started_event(run: &Run, admission: &Admission, request: &StartRequest, actor: &Actor) -> store::Event {
    let waived: Vec<RefusalCode> = admission.waived_codes();
    store::Event {
        at: run.started_at,
        kind: EventKind::RunStarted.into(),
        subject: Some(subject(run.id)),
        actor: actor.name.clone(),
        reason: actor.reason.clone(),
        data: json!({
            "fault": run.spec.fault,
            "point": run.spec.point,
            "percentage": run.percentage.to_string(),
            "duration": admission.duration.to_string(),
            "ends_at": run.ends_at,
            "hypothesis": run.hypothesis,
            "shadow": run.spec.shadow,
            "waived": waived,
            "override": request.override_reason.as_ref().filter(|_| !waived.is_empty()),
        }),
    }
}

/// What makes a request good to the fault's guard.
fn guarding(state: &State, fault: &Fault) -> Option<Measure> {
    let Guard::Policy(policy) = &fault.guard else { return None };
    let slo = state.resources().slos.get(&policy.slo)?;
    slo.sli.has_arms().then(|| state.measure(&policy.slo, slo))
}

fn later(moment: Timestamp, by: Millis) -> Timestamp {
    let by = SignedDuration::try_from(by.to_duration()).unwrap_or(SignedDuration::MAX);
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}
