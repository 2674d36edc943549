//! Changes to resources: each is checked, committed, published, answered, in this order.

use std::sync::Arc;

use daybreak_document::{Diagnostic, Difference, Draft, Overridden, Patch, Source};
use daybreak_guard::run;
use daybreak_model::wire::Position;
use daybreak_model::{Key, Kind, Reference, Resources, RunId};
use serde::Serialize;

use crate::control::not_found;
use crate::runs::{RECORD_WAIT, Recording};
use crate::turn::{Ready, WAITING_MAX, WAITING_OFF_MAX};
use crate::{Actor, Control, Precondition, Refusal, State, files, freeze, memory, resources};

/// What a change did.
#[derive(Clone, Debug, Serialize)]
pub struct Changed {
    /// Where the server stands after it.
    pub position: Position,
    /// Whether anything changed: a change that changes nothing makes no revision. (Files make one also where they
    /// come to say what is served already.)
    pub changed: bool,
    /// Whether it was only tried.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What is new, gone or different.
    pub differences: Vec<Difference>,
    /// The runs that it ended, because their fault is gone or disabled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<RunId>,
    /// What is worth knowing about the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Diagnostic>,
}

/// How a set of documents is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Tell what would change, and change nothing.
    pub dry_run: bool,
    /// Remove what the documents do not name.
    pub prune: bool,
    /// Only if the store stands at this revision.
    pub only_at: Option<u64>,
}

/// What is to be, and what is worth knowing about the input.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) resources: Resources,
    /// What may be new, gone or different in them; all, where that is not known.
    pub(crate) touched: Option<Vec<(Kind, Key)>>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// Where a file and an operator changed the same, and the file wins.
    pub(crate) overridden: Vec<Overridden>,
    pub(crate) dry_run: bool,
    /// Whether references were not checked yet, as after a removal.
    pub(crate) removes: bool,
    /// What the files say, where it is they who propose: the base of their next merge.
    pub(crate) files_base: Option<Arc<Resources>>,
}

impl Proposal {
    fn new(resources: Resources, warnings: Vec<Diagnostic>) -> Self {
        Self {
            resources,
            touched: None,
            warnings,
            overridden: Vec::new(),
            dry_run: false,
            removes: false,
            files_base: None,
        }
    }

    /// One that touches these and no others.
    fn touching(touched: Vec<(Kind, Key)>, resources: Resources, warnings: Vec<Diagnostic>) -> Self {
        Self { touched: Some(touched), ..Self::new(resources, warnings) }
    }

    /// What is new, gone or different.
    fn changed(&self, before: &Resources) -> Vec<(Kind, Key)> {
        match &self.touched {
            Some(touched) => resources::changed_of(before, &self.resources, touched),
            None => resources::changed(before, &self.resources),
        }
    }
}

impl Control {
    /// Creates or replaces a resource.
    ///
    /// # Errors
    /// When the source is not valid, the precondition does not hold, or the store fails.
    pub async fn put(
        &self,
        kind: Kind,
        key: &str,
        source: Source,
        precondition: Precondition,
        actor: Actor,
    ) -> Result<Changed, Refusal> {
        let (key, today) = (parse(key, kind)?, self.today());
        // What can be read without the others is read before it is this change's turn.
        let draft = Draft::of_resource(kind, &key, source);
        let propose = move |state: &State| {
            met(state, kind, key.as_str(), precondition)?;
            let (one, warnings) =
                draft.among(state.resources(), Some(today)).into_result().map_err(Refusal::Invalid)?;
            let mut resources = state.resources().clone();
            let touched = resources::put(&mut resources, one);
            Ok(Proposal::touching(touched, resources, warnings))
        };
        self.change(actor, propose).await
    }

    /// Changes fields of a resource: a JSON merge patch, with rules addressed by name.
    ///
    /// # Errors
    /// When there is no such resource, the patch is not valid, the precondition does not hold, or the store fails.
    pub async fn patch(
        &self,
        kind: Kind,
        key: &str,
        patch: Source,
        precondition: Precondition,
        actor: Actor,
    ) -> Result<Changed, Refusal> {
        let (key, today) = (key.to_owned(), self.today());
        let patch = Patch::read(patch);
        let propose = move |state: &State| {
            let found = existing(state, kind, &key)?;
            met(state, kind, &key, precondition)?;
            let (resources, warnings) =
                patch.apply(kind, &found, state.resources(), Some(today)).map_err(Refusal::Invalid)?;
            Ok(Proposal::touching(vec![(kind, found)], resources, warnings))
        };
        self.change(actor, propose).await
    }

    /// Removes a resource. A run of a fault that is removed ends.
    ///
    /// # Errors
    /// When there is no such resource, others name it, the precondition does not hold, or the store fails.
    pub async fn delete(
        &self,
        kind: Kind,
        key: &str,
        precondition: Precondition,
        actor: Actor,
    ) -> Result<Changed, Refusal> {
        let key = key.to_owned();
        let propose = move |state: &State| {
            let found = existing(state, kind, &key)?;
            met(state, kind, &key, precondition)?;
            let mut resources = state.resources().clone();
            resources.remove(kind, &key);
            Ok(Proposal { removes: true, ..Proposal::touching(vec![(kind, found)], resources, Vec::new()) })
        };
        self.change(actor, propose).await
    }

    /// Enables a flag or a fault. One that is enabled already stays as it is, without a revision.
    ///
    /// # Errors
    /// When there is no such thing, the precondition does not hold, or the store fails.
    pub async fn enable(
        &self,
        kind: Kind,
        key: &str,
        precondition: Precondition,
        actor: Actor,
    ) -> Result<Changed, Refusal> {
        self.switch(kind, key, true, precondition, actor).await
    }

    /// Disables a flag, which then serves `off`, or a fault, whose run ends. One that is disabled already stays
    /// as it is, without a revision.
    ///
    /// # Errors
    /// When there is no such thing, the precondition does not hold, or the store fails.
    pub async fn disable(
        &self,
        kind: Kind,
        key: &str,
        precondition: Precondition,
        actor: Actor,
    ) -> Result<Changed, Refusal> {
        self.switch(kind, key, false, precondition, actor).await
    }

    async fn switch(
        &self,
        kind: Kind,
        key: &str,
        enabled: bool,
        precondition: Precondition,
        actor: Actor,
    ) -> Result<Changed, Refusal> {
        let key = key.to_owned();
        let propose = move |state: &State| {
            let found = existing(state, kind, &key)?;
            met(state, kind, &key, precondition)?;
            let mut resources = state.resources().clone();
            let switch = match kind {
                Kind::Flag => resources.flags.get_mut(key.as_str()).map(|flag| &mut Arc::make_mut(flag).enabled),
                Kind::Fault => resources.faults.get_mut(key.as_str()).map(|fault| &mut fault.enabled),
                _ => None,
            };
            *switch.ok_or(Refusal::NoSwitch { noun: kind.noun() })? = enabled;
            Ok(Proposal::touching(vec![(kind, found)], resources, Vec::new()))
        };
        // What turns something off is not to be told to come again as soon as others are.
        self.change_among(if enabled { WAITING_MAX } else { WAITING_OFF_MAX }, actor, propose).await
    }

    /// Applies a set of documents as one revision: all or nothing.
    ///
    /// # Errors
    /// When a document is not valid, something that others name would be removed, the store stands elsewhere than
    /// asked for, or it fails.
    pub async fn apply(&self, sources: Vec<Source>, options: ApplyOptions, actor: Actor) -> Result<Changed, Refusal> {
        let (draft, today) = (Draft::of_documents(sources), Some(self.today()));
        let propose = move |state: &State| {
            let (current, at) = (state.resources(), state.position());
            if options.only_at.is_some_and(|revision| revision != at.revision) {
                return Err(Refusal::Conflict { at });
            }
            let decoded = if options.prune { draft.alone(today) } else { draft.over(current, today) };
            let (resources, warnings) = decoded.into_result().map_err(Refusal::Invalid)?;
            Ok(Proposal { dry_run: options.dry_run, ..Proposal::new(resources, warnings) })
        };
        let applied = self.change(actor, propose).await;
        if applied.as_ref().is_ok_and(|changed| changed.differences.len() >= memory::MANY) {
            // Nobody waits for it.
            tokio::spawn(memory::give_back());
        }
        applied
    }

    /// Makes what a function proposes. It sees the state that nobody else can change meanwhile; and before that, where
    /// a fault is at work, the state of now: what ends a run waits neither for the store nor for its turn.
    pub(crate) async fn change(
        &self,
        actor: Actor,
        propose: impl Fn(&State) -> Result<Proposal, Refusal> + Send + 'static,
    ) -> Result<Changed, Refusal> {
        self.change_among(WAITING_MAX, actor, propose).await
    }

    /// The same, where so many changes may wait.
    async fn change_among(
        &self,
        most: usize,
        actor: Actor,
        propose: impl Fn(&State) -> Result<Proposal, Refusal> + Send + 'static,
    ) -> Result<Changed, Refusal> {
        self.open_for_changes()?;
        let ended = self.end_first(&propose, &actor);
        if ended.is_empty() {
            // What ended a run is done, and has to be recorded.
            self.room_for_changes(most)?;
        }
        let (control, first) = (self.clone(), ended.clone());
        let change = self.to_the_end(async move { control.in_turn(Box::new(propose), actor, first).await });
        if ended.is_empty() {
            return change.await;
        }
        let why = match tokio::time::timeout(RECORD_WAIT, change).await {
            Ok(Ok(changed)) => return Ok(changed),
            Ok(Err(Refusal::StoppedNotRecorded { why, .. })) => why,
            // Since it was looked at first, somebody has changed what it depends on.
            Ok(Err(refusal)) => refusal.to_string(),
            Err(_) => format!("the store has not answered for {RECORD_WAIT:?}; it is tried on"),
        };
        Err(Refusal::StoppedNotRecorded { runs: ended, why })
    }

    /// Ends the runs, and the starts under way, of faults that a proposal disables or removes, and tells clients.
    /// What will be refused, or is only tried, ends nothing.
    fn end_first(&self, propose: &impl Fn(&State) -> Result<Proposal, Refusal>, actor: &Actor) -> Vec<RunId> {
        if !self.inner.runs.lock().is_at_work() {
            return Vec::new();
        }
        let before = self.state();
        let Ok(proposal) = propose(&before) else { return Vec::new() };
        if proposal.dry_run || (proposal.removes && unreferenced(&proposal.resources).is_err()) {
            return Vec::new();
        }
        let (changed, after) = (proposal.changed(before.resources()), proposal.resources);
        if self.thaw(before.resources(), &after, &changed, actor).is_err() {
            return Vec::new();
        }
        self.end_runs_of(before.resources(), &after, actor)
    }

    /// Makes what was proposed ready to be committed, unless it changes nothing or is only tried. `ended` are the runs
    /// that were ended for this change already.
    pub(crate) fn prepare(
        &self,
        before: &State,
        proposal: Proposal,
        actor: &Actor,
        ended: Vec<RunId>,
        recording: &mut Recording,
    ) -> Result<(Changed, Option<Ready>), Refusal> {
        if proposal.removes {
            unreferenced(&proposal.resources)?;
        }
        let changed = proposal.changed(before.resources());
        let Proposal { resources: mut after, touched, warnings, overridden, dry_run, files_base, .. } = proposal;
        if touched.is_none() {
            resources::share(&mut after, before.resources());
        }
        let mut answer = Changed {
            position: before.position(),
            changed: !changed.is_empty() || before.resources().protect != after.protect,
            dry_run,
            differences: resources::differences(before.resources(), &after, &changed),
            ended,
            warnings,
        };
        let thawed = match answer.changed {
            true => self.thaw(before.resources(), &after, &changed, actor)?,
            false => None,
        };
        for overridden in &overridden {
            // None of its parts lacks a JSON form.
            let overridden = serde_json::to_string(overridden).unwrap_or_default();
            tracing::info!(overridden, "a file and an operator changed the same, and the file won");
        }
        let unwritable = |error: serde_json::Error| Refusal::Store(error.to_string());
        let base = files_base.as_deref().map(|base| files::base::to_store(before.files_base(), base));
        let base = base.transpose().map_err(unwritable)?.unwrap_or_default();
        // What the files say may change where what is served stays: they say now what an operator had done already.
        if dry_run || (!answer.changed && base.is_empty()) {
            return Ok((answer, None));
        }
        let mut change = resources::to_store(before.resources(), &after, &changed).map_err(unwritable)?;
        change.meta.extend(base);
        let now = self.inner.clock.now();
        change.events = resources::events(before.resources(), &after, &changed, actor, now);
        resources::say_overridden(&mut change.events, &overridden);
        thawed.iter().for_each(|frozen| freeze::say_thawed(&mut change.events, frozen, actor));
        // What takes risk away is published first.
        answer.ended.extend(self.end_runs_of(before.resources(), &after, actor));
        self.add_pending(&mut change, recording);
        answer.position.revision += 1;
        let mut next = before.changed_to(answer.position, after, &changed);
        if let Some(base) = files_base {
            next = next.with_files_base(base);
        }
        Ok((answer, Some(Ready { change, next: Arc::new(next), changed })))
    }

    /// Ends the runs whose fault is gone or disabled, and the starts of it that are under way.
    fn end_runs_of(&self, before: &Resources, after: &Resources, actor: &Actor) -> Vec<RunId> {
        let runnable = |resources: &Resources, key: &Key| resources.faults.get(key).is_some_and(|fault| fault.enabled);
        let gone: Vec<&Key> =
            before.faults.keys().filter(|key| runnable(before, key) && !runnable(after, key)).collect();
        if gone.is_empty() {
            return Vec::new();
        }
        let event = |fault: &Key| {
            let what = if after.faults.contains_key(fault) { "disabled" } else { "deleted" };
            gone.contains(&fault)
                .then(|| run::Event::FaultRemoved { actor: actor.name.clone(), reason: Some(what.to_owned()) })
        };
        self.inner.runs.lock().stop_starting(|fault| gone.contains(&fault));
        self.end_where(|run| event(&run.spec.fault))
    }
}

fn parse(key: &str, kind: Kind) -> Result<Key, Refusal> {
    Key::new(key).map_err(|error| Refusal::Key { noun: kind.noun(), key: key.to_owned(), error })
}

fn existing(state: &State, kind: Kind, key: &str) -> Result<Key, Refusal> {
    let found = Key::new(key).ok().filter(|key| state.resources().contains(kind, key.as_str()));
    found.ok_or_else(|| not_found(state.resources(), kind, key))
}

pub(crate) fn met(state: &State, kind: Kind, key: &str, precondition: Precondition) -> Result<(), Refusal> {
    let revision = state.revision(kind, key);
    if precondition.holds(revision) {
        return Ok(());
    }
    let store = state.position().store;
    Err(Refusal::PreconditionFailed { at: revision.map(|revision| Position { store, revision }) })
}

/// Nothing names what is not there.
fn unreferenced(resources: &Resources) -> Result<(), Refusal> {
    let dangling = |reference: &Reference| !resources.contains(reference.kind, reference.key.as_str());
    let dangling: Vec<_> = resources.references().into_iter().filter(dangling).collect();
    if dangling.is_empty() { Ok(()) } else { Err(Refusal::Referenced(dangling)) }
}
