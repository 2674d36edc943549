//! Runs: which are active, which ended, and what still has to be recorded of them.

mod conclude;
mod guarding;
mod halt;
pub(crate) mod keep;
mod look;
mod reason;
mod record;
mod reply;
mod selected;
mod start;
mod stop;
#[cfg(test)]
mod tests;
mod tick;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use daybreak_guard::blast_radius::Reach;
use daybreak_guard::run::{Effect, Event, Run};
use daybreak_model::{Cause, Ended, EventKind, Key, RunId};
use daybreak_store::{self as store, Halt};
use jiff::Timestamp;
use serde_json::{Value, json};

pub use halt::{HaltView, Lifted};
pub(crate) use keep::Keeping;
pub(crate) use look::Due;
pub(crate) use record::{RECORD_WAIT, Recording};
pub use start::{PlaceShare, Reserved, StartRequest, Started};
pub use stop::Stopped;
pub use view::{RunCounts, RunView};

/// Runs that ended and are still shown; the events have them all.
const ENDED_MAX: usize = 1_000;

/// All runs, and the halt. Everything here happens under one lock, which stopping needs: so it is held for moments
/// only, nothing else is waited for meanwhile, and who reads takes shared runs with him.
#[derive(Debug)]
pub(crate) struct RunTable {
    halt: Option<halt::Held>,
    /// Grows with each halt and lift.
    halt_changes: u64,
    /// The store is being asked to lift the halt.
    lifting: bool,
    active: BTreeMap<RunId, Active>,
    ended: VecDeque<Finished>,
    starting: BTreeMap<u64, Starting>,
    pending: BTreeMap<u64, Pending>,
    /// Runs that are no longer shown, to be removed from the store.
    forgotten: Vec<RunId>,
    next: u64,
}

#[derive(Debug)]
struct Active {
    run: Arc<Run>,
    /// On the clock that never goes back: it has ended by then, whatever the wall clock says.
    deadline: Duration,
}

#[derive(Clone, Debug)]
struct Finished {
    run: Arc<Run>,
    /// What was counted, once its last requests are through.
    counts: Option<RunCounts>,
}

/// A start that is not yet committed.
#[derive(Debug)]
struct Starting {
    fault: Key,
    /// Somebody stopped it meanwhile.
    stopped: bool,
}

/// What happened, and the store has not yet.
#[derive(Clone, Debug)]
struct Pending {
    run: Option<Arc<Run>>,
    event: store::Event,
    /// Its reason may still come: until then it is not recorded.
    held: bool,
}

impl Finished {
    /// Whether it shows that its point has had a shadow run: it is one, which has run its course and showed that its arms can
    /// be told apart; or a run that did not start without one.
    fn is_rehearsed(&self) -> bool {
        let run = &self.run;
        let ended = run.end.as_ref().map(|end| end.ended);
        let because = run.conclusion.as_ref().and_then(|conclusion| conclusion.pointer("/because/code"));
        let broken = ended == Some(Ended::Aborted(Cause::InstrumentationBroken))
            || because.is_some_and(|code| code == "instrumentation_broken");
        let ran = matches!(ended, Some(Ended::Completed | Ended::Stopped));
        let counted = self.counts.is_some_and(|counts| counts.has_both_arms());
        let shows = if run.spec.shadow { ran && counted } else { run.guard.is_some() };
        shows && !broken
    }

    /// Why a shadow run does not show that its point has had one.
    fn lacks(&self) -> String {
        let (run, ended) = (&self.run, self.run.end.as_ref().map(|end| end.ended));
        let of = |pointer: &str| run.conclusion.as_ref().and_then(|conclusion| conclusion.pointer(pointer)?.as_str());
        match (ended, of("/sentence")) {
            (Some(ended @ Ended::Aborted(_)), _) => format!("it ended as `{ended}`"),
            (_, Some(sentence)) => sentence.to_owned(),
            (_, None) => "its last requests are still counted".to_owned(),
        }
    }

    /// Whether its point needs to recover from it. A shadow run strikes nothing; one of which it is known in the end that it
    /// treated nobody did not either.
    fn needs_rest(&self) -> bool {
        let run = &self.run;
        let to_the_end = matches!(run.end.as_ref().map(|end| end.ended), Some(Ended::Completed | Ended::Stopped));
        let known = run.conclusion.as_ref().filter(|shown| to_the_end && shown.get("as_of").is_none());
        // Where requests were treated, the client that struck them may have died before it told.
        let struck_nobody = |counts: RunCounts| counts.treated == 0 && counts.strikes == 0;
        !run.spec.shadow && !known.and_then(conclude::counts).is_some_and(struck_nobody)
    }
}

impl Active {
    /// Takes an event in; what is to be done.
    fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        Arc::make_mut(&mut self.run).step(event, now)
    }
}

impl RunTable {
    pub(crate) fn new(halt: Option<Halt>) -> Self {
        Self {
            halt: halt.map(halt::Held::loaded),
            halt_changes: 0,
            lifting: false,
            active: BTreeMap::new(),
            ended: VecDeque::new(),
            starting: BTreeMap::new(),
            pending: BTreeMap::new(),
            forgotten: Vec::new(),
            next: 0,
        }
    }

    /// Takes over a run that the store holds, with what was kept of it in between. One that was active is aborted: nobody
    /// watched it meanwhile.
    pub(crate) fn load(&mut self, mut run: Run, kept: Option<Value>, now: Timestamp) {
        let aborted = !run.step(Event::ServerRestarted, now).is_empty();
        let cut_short = run.conclusion.is_none();
        if cut_short {
            run.conclusion = Some(conclude::cut_short(&run, kept));
        }
        let run = Arc::new(run);
        if aborted {
            self.push_ended(&run);
        }
        if cut_short {
            self.push_concluded(Arc::clone(&run), now);
        }
        let counts = run.conclusion.as_ref().and_then(conclude::counts).unwrap_or_default();
        self.finish(run, Some(counts));
    }

    /// The runs of which requests are still counted.
    fn counting(&self) -> impl Iterator<Item = &Arc<Run>> {
        let ended = self.ended.iter().filter(|finished| finished.counts.is_none());
        self.active().chain(ended.map(|finished| &finished.run))
    }

    /// Whether requests of any run are still counted.
    fn is_counting(&self) -> bool {
        self.counting().next().is_some()
    }

    pub(crate) fn halted(&self) -> bool {
        self.halt.is_some()
    }

    /// Whether a run is active, or one is starting.
    pub(crate) fn is_at_work(&self) -> bool {
        !(self.active.is_empty() && self.starting.is_empty())
    }

    pub(crate) fn active_ids(&self) -> Vec<RunId> {
        self.active.keys().copied().collect()
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.active.values().map(|active| &active.run)
    }

    /// Ends the active runs for which there is an event that ends them.
    fn end_where(&mut self, now: Timestamp, event: impl Fn(&Run) -> Option<Event>) -> Vec<RunId> {
        let mut ended = Vec::new();
        for active in self.active.values_mut() {
            let Some(event) = event(&active.run) else { continue };
            if active.step(event, now).contains(&Effect::AnnounceEnded) {
                ended.push(active.run.id);
            }
        }
        self.take_out(&ended);
        ended
    }

    /// Moves runs that have ended from the active ones to the others, and notes that this is to be recorded.
    fn take_out(&mut self, ended: &[RunId]) {
        for id in ended {
            if let Some(Active { run, .. }) = self.active.remove(id) {
                self.push_ended(&run);
                self.finish(run, None);
            }
        }
    }

    fn finish(&mut self, run: Arc<Run>, counts: Option<RunCounts>) {
        self.ended.push_back(Finished { run, counts });
        while self.ended.len() > ENDED_MAX {
            let gone = self.ended.remove(self.first_to_forget());
            self.forgotten.extend(gone.map(|finished| finished.run.id));
        }
    }

    /// The oldest run, but for those by which a point has its shadow run: the last of them is needed as long as it is the
    /// last, since the next start asks for it. Nor is it the run that has just ended: its last requests are still counted.
    fn first_to_forget(&self) -> usize {
        let is_needed = |place: usize, finished: &Finished| {
            let mut later = self.ended.range(place + 1..);
            let point = &finished.run.spec.point;
            let is_rehearsal =
                finished.is_rehearsed() && !later.any(|later| later.run.spec.point == *point && later.is_rehearsed());
            is_rehearsal || place + 1 == self.ended.len()
        };
        let mut all = self.ended.iter().enumerate();
        all.find(|(place, finished)| !is_needed(*place, finished)).map_or(0, |(place, _)| place)
    }

    fn push_ended(&mut self, run: &Arc<Run>) {
        let Some(end) = &run.end else { return };
        let data = json!({
            "fault": run.spec.fault,
            "point": run.spec.point,
            "ended": end.ended.to_string(),
            "shadow": run.spec.shadow,
            "started_at": run.started_at,
        });
        let event = store::Event {
            at: end.at,
            kind: EventKind::RunEnded.into(),
            subject: Some(subject(run.id)),
            actor: end.actor.clone(),
            reason: end.reason.clone(),
            data,
        };
        self.push_pending(Some(Arc::clone(run)), event);
    }

    /// Notes something to be recorded; its number.
    fn push_pending(&mut self, run: Option<Arc<Run>>, event: store::Event) -> u64 {
        self.next += 1;
        self.pending.insert(self.next, Pending { run, event, held: false });
        self.next
    }

    /// The active runs on a point, and when they end at the latest.
    fn busy(&self, point: &Key) -> Vec<(RunId, Timestamp)> {
        self.active().filter(|run| run.spec.point == *point).map(|run| (run.id, run.ends_at)).collect()
    }

    /// When the last run on a point ended from which it needs to recover.
    fn last_ended_at(&self, point: &Key) -> Option<Timestamp> {
        let on_point = self.ended.iter().filter(|finished| finished.run.spec.point == *point && finished.needs_rest());
        on_point.filter_map(|finished| finished.run.end.as_ref()).map(|end| end.at).max()
    }

    fn reaches(&self) -> Vec<Reach> {
        self.active().map(|run| Reach::of(run)).collect()
    }
}

/// What an event of a run happened to.
fn subject(id: RunId) -> String {
    format!("runs/{id}")
}
