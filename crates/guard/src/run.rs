//! The life of a run: it starts, and it ends once.
//!
//! [`Run::step`] is the whole state machine: (state, event, now) → (state, effects). A run that has ended
//! stays as it is whatever happens, and one whose time is up has ended at the next event at the latest.

use daybreak_model::wire::RunSpec;
use daybreak_model::{Cause, Ended, GuardPolicy, Hours, Key, Millis, Percentage, Ramp, RunId, Slo};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::admission::RefusalCode;
use crate::blast_radius::OVERRIDE_MAX;
use crate::hours::is_open;
use crate::span::after;

/// One activation of a fault, with everything that it pinned when it started: edits act on the next run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Identifies it.
    pub id: RunId,
    /// What clients need to act on it: the fault, its segments, a fresh salt.
    pub spec: RunSpec,
    /// The revision that it started with.
    pub revision: u64,
    /// The share of eligible requests to treat in the end; never more than the fault's.
    pub percentage: Percentage,
    /// The ramp stage, from 0.
    pub stage: u32,
    /// The stages before the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ramp: Vec<Stage>,
    /// What watches over it; nothing where the fault says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guarded>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// The key of its calendar.
    pub hours_key: Key,
    /// Its calendar.
    pub hours: Hours,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// What its starter believes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<String>,
    /// The refusals that were waived at the start: they stay waived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<RefusalCode>,
    /// What it showed, once its last requests were through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<serde_json::Value>,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// One stage of a ramp, but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The share of eligible requests that it treats.
    pub percentage: Percentage,
    /// When the next one begins.
    pub until: Timestamp,
}

/// The guard of a run, as it was when it started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guarded {
    /// What must hold.
    pub policy: GuardPolicy,
    /// The SLO.
    pub slo: Slo,
    /// So many treated requests may be bad: `max_spend` of what the window's budget was at the start.
    pub spend_max: f64,
    /// What was [next](crate::people::People::next) of pages when it was admitted: those from there on end it. It is of no use
    /// to another server, which resumes no run, so it is not kept.
    #[serde(skip)]
    pub next_page: u64,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How.
    pub ended: Ended,
    /// When.
    pub at: Timestamp,
    /// Who ended it; Daybreak itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What happens to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time passed: at least one each second.
    Tick,
    /// Somebody stops it.
    Stop {
        /// Who.
        actor: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// Everything is halted.
    Halt {
        /// Who.
        actor: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// Its fault was deleted or disabled.
    FaultRemoved {
        /// Who.
        actor: Option<String>,
        /// What happened to the fault: `disabled`.
        reason: Option<String>,
    },
    /// So many clients that had struck went silent: see [`Clients::lost`](crate::clients::Clients::lost).
    ClientsLost {
        /// How many.
        clients: usize,
    },
    /// It touches more than was asked for: see [`exceeding`](crate::blast_radius::exceeding).
    BlastRadiusExceeded {
        /// With the numbers.
        reason: String,
    },
    /// The guard ends it: see [`Watch`](crate::watch::Watch).
    Guard {
        /// Why.
        cause: Cause,
        /// With the numbers.
        reason: String,
    },
    /// Resilience is shown, and the fault says to stop then.
    Resilient,
    /// The server restarted, or another one leads.
    ServerRestarted,
}

/// What is to be done, in the order in which it is listed: the end of a run is published first, and committed
/// after, since stopping waits for nothing. (Its start is committed first.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Keep the run as it is now, and an event that says what happened.
    Record,
    /// Tell clients that it ended: they stop.
    AnnounceEnded,
    /// Tell clients that its next stage begins: they report, and get leave for it.
    AnnounceStage,
}

impl Run {
    /// Whether it has not ended. Leases are refused from `ends_at` on all the same.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.end.is_none()
    }

    /// The stages of a ramp that begins now, as far as they are below the share that was asked for.
    #[must_use]
    pub fn planned(ramp: &Ramp, asked: Percentage, now: Timestamp) -> Vec<Stage> {
        let below = ramp.steps().iter().take_while(|step| step.percentage < asked);
        let mut passed = Millis::ZERO;
        let stages = below.map(|step| {
            passed = Millis::new(passed.get().saturating_add(step.length.get()));
            Stage { percentage: step.percentage, until: after(now, passed) }
        });
        stages.collect()
    }

    /// The share that a stage treats.
    #[must_use]
    pub fn percentage_of(&self, stage: u32) -> Percentage {
        let ramped = usize::try_from(stage).ok().and_then(|stage| self.ramp.get(stage));
        ramped.map_or(self.percentage, |stage| stage.percentage)
    }

    /// How many stages it has begun.
    #[must_use]
    pub fn stages(&self) -> std::ops::RangeInclusive<u32> {
        0..=self.stage
    }

    /// The stage that the time has come for; it never goes back, whatever the clock does.
    fn stage_at(&self, now: Timestamp) -> u32 {
        let passed = self.ramp.iter().take_while(|stage| stage.until <= now).count();
        self.stage.max(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// δ: the harm that is to be ruled out, in percentage points of struck requests.
    #[must_use]
    pub fn tolerated(&self) -> Percentage {
        self.guard.as_ref().map_or(GuardPolicy::HARM_DEFAULT, |guard| guard.policy.harm)
    }

    /// Whether a refusal of this kind was waived for it.
    #[must_use]
    pub fn waives(&self, code: RefusalCode) -> bool {
        self.waived.contains(&code)
    }

    /// The share of a service's root requests that it may touch: the server's limit, unless that was waived.
    #[must_use]
    pub fn blast_radius_max(&self, limit: Percentage) -> Percentage {
        if self.waives(RefusalCode::BlastRadius) { limit.max(OVERRIDE_MAX) } else { limit }
    }

    /// Takes an event in, and says what is to be done.
    #[must_use = "the effects are to be carried out"]
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        if self.end.is_some() {
            return Vec::new();
        }
        let Some((ended, actor, reason)) = self.ends(event, now) else {
            let stage = self.stage_at(now);
            let grows = std::mem::replace(&mut self.stage, stage) != stage;
            return if grows { vec![Effect::AnnounceStage] } else { Vec::new() };
        };
        self.end = Some(End { ended, at: now, actor, reason });
        vec![Effect::AnnounceEnded, Effect::Record]
    }

    fn ends(&self, event: Event, now: Timestamp) -> Option<(Ended, Option<String>, Option<String>)> {
        let aborted = |cause, actor, reason| Some((Ended::Aborted(cause), actor, reason));
        let waives_hours = self.waives(RefusalCode::OutsideHours) || self.waives(RefusalCode::DoesNotFit);
        match event {
            // Nobody watched meanwhile, so nothing says that it ended well.
            Event::ServerRestarted => aborted(Cause::ServerRestarted, None, None),
            _ if now >= self.ends_at => Some((Ended::Completed, None, None)),
            Event::Stop { actor, reason } => Some((Ended::Stopped, actor, reason)),
            Event::Halt { actor, reason } => aborted(Cause::Halted, actor, reason),
            Event::FaultRemoved { actor, reason } => aborted(Cause::FaultRemoved, actor, reason),
            Event::ClientsLost { clients } => {
                aborted(Cause::ClientsLost, None, Some(format!("{clients} clients that had struck went silent")))
            }
            Event::Guard { cause, reason } => aborted(cause, None, Some(reason)),
            Event::Resilient => Some((Ended::Completed, None, Some("resilience was shown".to_owned()))),
            Event::BlastRadiusExceeded { reason } => aborted(Cause::BlastRadius, None, Some(reason)),
            Event::Tick if !waives_hours && !is_open(&self.hours, now) => {
                aborted(Cause::OutsideHours, None, Some(format!("the hours `{}` closed", self.hours_key)))
            }
            Event::Tick => None,
        }
    }
}

#[cfg(test)]
mod tests;
